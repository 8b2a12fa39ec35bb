"""Where something was said: by an engine's log, or by what is known of a run without it."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from sparkwell.checks.logs.find import Found, find_all, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot

# In a traceback code is indented.
_CODE = re.compile(r" {2,}(?:raise|return|assert|with|if|f?[\"'])\b")
_WELL = ("ready", "asleep")
_TURN = re.compile(
    r"(?P<serves>Application startup complete\.)|\bvLLM API server version \S"
    r"|Initializing a V[01] LLM engine "
)


@dataclass(frozen=True, slots=True)
class Heard:
    """Words that a check listens for. ``log`` and ``line`` are None where a run's error says it.

    ``evidence`` quotes them, ``about`` and ``model`` are a finding's.
    """

    match: re.Match[str]
    evidence: tuple[str, ...]
    about: str
    model: str | None
    log: LogDigest | None = None
    line: LogLine | None = None

    def __getitem__(self, group: str | int) -> str:
        """A group of the pattern; empty where it did not take part."""
        return self.match[group] or ""


def hear(snapshot: Snapshot, *patterns: re.Pattern[str], serving: bool = True) -> Iterator[Heard]:
    """Of each log the first line with the first of the patterns; else of a run that failed.

    Without ``serving`` lines are left out that came while requests were taken: what a start
    stumbles over, one request may stumble over too, and nothing is wrong with the engine.

    What a container engine says when a container cannot be made is in no log, but in the error
    of the run.
    """
    told = set()
    for log in logs(snapshot):
        if found := _first(log, patterns, serving):
            told.add(log.instance)
            yield Heard(
                found.match, quoted(log, found.line), name_of(log), log.model, log, found.line
            )
    for run in snapshot.runs or ():
        if run.id not in told and run.state not in _WELL:
            yield from _of_run(run, patterns)


def _first(log: LogDigest, patterns: tuple[re.Pattern[str], ...], serving: bool) -> Found | None:
    """As ``find``, but the error itself rather than the line of code that raises it."""
    found = (each for pattern in patterns for each in find_all(log, pattern))
    said = (each for each in found if not _CODE.match(each.line.words))
    served = () if serving else _served(log)
    return next((each for each in said if not _is_within(served, each.line)), None)


def _served(log: LogDigest) -> tuple[tuple[int, bool], ...]:
    """From which line on requests were taken, and from which something started anew."""
    return tuple((each.line.number, bool(each["serves"])) for each in find_all(log, _TURN))


def _is_within(served: tuple[tuple[int, bool], ...], line: LogLine) -> bool:
    """Whether requests were taken when the line came."""
    place = bisect_left(served, (line.number, False))
    return place > 0 and served[place - 1][1]


def reasons(run: Run) -> tuple[str, ...]:
    """What is known of why the run failed, the nearest to the cause first."""
    ended = run.end.reason if run.end else None
    said = (run.first_reason, run.error, ended, run.last_line)
    return tuple(dict.fromkeys(text for text in said if text))


def _of_run(run: Run, patterns: tuple[re.Pattern[str], ...]) -> Iterator[Heard]:
    for text in reasons(run):
        for pattern in patterns:
            if match := pattern.search(text):
                yield Heard(match, (f"{run.id}: {text}",), run.model, run.model)
                return
