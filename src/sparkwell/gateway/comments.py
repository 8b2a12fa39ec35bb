"""What a waiting stream is told: comments of an event stream, and when one is due.

A line that begins with a colon is a comment, which readers of event streams pass over. No empty
line follows: one would end an event, and some clients take that for an event without data and
fail on it (openai-go before its pull request 621).
"""

import math
from dataclasses import dataclass

from sparkwell.core.units import duration
from sparkwell.gateway.backend import Lease, Waiting


@dataclass(frozen=True, slots=True)
class Pace:
    """When the gateway speaks while a client waits, in seconds.

    ``hold_headers_s``: how long a stream's status stays open. After that ``look_s`` is how often
    it looks where the request stands, ``every_s`` what lies between two comments of the same
    phase, ``keep_alive_s`` the longest silence: proxies cut a connection after 30 to 100 s.
    ``pauses_s`` lie between tries to reach an engine that nobody listens at; together they are
    longer than what is left of one may take to end (2 s), when the next start is waited for.
    """

    hold_headers_s: float = 10.0
    look_s: float = 0.5
    every_s: float = 2.0
    keep_alive_s: float = 14.0
    pauses_s: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Said:
    """The last comment: its phase and bytes, and when, in the loop's time."""

    phase: str
    line: bytes
    at: float


def is_due(last: Said | None, phase: str, line: bytes, now: float, pace: Pace) -> bool:
    """Whether a comment is to be written: a phase's first at once, others at their pace."""
    if last is None or phase != last.phase:
        return True
    silence_s = now - last.at
    return silence_s >= (pace.every_s if line != last.line else pace.keep_alive_s)


def where(waiting: Waiting) -> bytes:
    """Where a request stands: ``: sparkwell MODEL: loading weights, 45 %, about 38 s left``."""
    parts = [waiting.phase]
    if waiting.percent is not None and math.isfinite(waiting.percent):
        parts.append(f"{min(max(waiting.percent, 0.0), 100.0):.0f} %")
    if waiting.left_s is not None and math.isfinite(waiting.left_s):
        parts.append(f"about {duration(waiting.left_s)} left")
    if waiting.ahead > 0:
        parts.append(f"{waiting.ahead} request{'s' * (waiting.ahead > 1)} ahead")
    return comment(f"{waiting.model}: {', '.join(parts)}")


def arrived(lease: Lease, queued_ms: int, load_ms: int) -> bytes:
    """What the headers of an early answer could not say."""
    return comment(
        f"{lease.model}: ready, instance {lease.instance}, queued {queued_ms} ms, load {load_ms} ms"
    )


def comment(words: str) -> bytes:
    """One comment line, whatever is in the words: a line break would end the comment."""
    return f": sparkwell {' '.join(words.split())}\n".encode(errors="replace")
