"""The lines that vLLM logs every ten seconds while it serves, as the window that checks look at."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.about import MODEL
from sparkwell.checks.diagnosis.running.slowed import slowed_by
from sparkwell.checks.logs.find import find, find_all
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.serving_parts import Serving
from sparkwell.checks.serving_window import Moment, window_of

_STEADY = re.compile(
    r"Avg prompt throughput: ([\d.]{1,12}) tokens/s, "
    r"Avg generation throughput: ([\d.]{1,12}) tokens/s, "
    r"Running: (\d{1,9}) reqs, Waiting: (\d{1,9}) reqs"
)
_KV_USED = re.compile(r"KV cache usage: ([\d.]{1,9})%")
_HIT = re.compile(r", Prefix cache hit rate: ([\d.]{1,9})%")
_PREEMPTED = re.compile(r"Preemptions: (\d{1,9})")
BEGAN = re.compile(r"Application startup complete\.")
_SERVED = re.compile(
    r'"POST /v1/(?:chat/completions|completions|messages|responses) HTTP/[\d.]+" 2'
)
_AT = re.compile(r"\b(\d\d-\d\d \d\d:\d\d:\d\d)\b")
_GIVEN = re.compile(r"non-default args: |Initializing a V1 LLM engine ")
_FLAGS = {
    "max_num_seqs": re.compile(r"'max_num_seqs': (\d{1,9})"),
    "max_model_len": re.compile(r"'max_model_len': (\d{1,9})"),
    "enable_prefix_caching": re.compile(r"enable_prefix_caching'?[=:] ?(True|False)"),
}
_INTERVAL_S = 10.0
"""What parts two of the lines, in all versions: VLLM_LOG_STATS_INTERVAL's default."""


@dataclass(frozen=True, slots=True)
class Steady:
    """One such line. ``at_s`` counts seconds of a year without a date, None where none is said.

    Throughputs are tokens/s, shares 0 to 1; None where the line does not say.
    """

    line: LogLine
    at_s: float | None
    prompt_tokens_per_s: float
    output_tokens_per_s: float
    running: int
    waiting: int
    kv_used: float | None = None
    prefix_hit: float | None = None
    preempted: float | None = None


def steady(log: LogDigest) -> Iterator[Steady]:
    """The lines of the log that tell of serving, in their order."""
    for found in find_all(log, _STEADY):
        words = found.line.words
        yield Steady(
            found.line,
            said_at_s(found.line),
            float(found[1]),
            float(found[2]),
            int(found[3]),
            int(found[4]),
            _share(_KV_USED, words),
            _share(_HIT, words),
            _number(_PREEMPTED, words),
        )


def said_at_s(line: LogLine) -> float | None:
    """When a line was said, in seconds since some new year; None where it does not say."""
    found = _AT.search(line.text[: max(line.begins, 40)])
    if found is None:
        return None
    try:
        return datetime.strptime(f"2000-{found[1]}+0000", "%Y-%m-%d %H:%M:%S%z").timestamp()
    except ValueError:
        return None


def served(log: LogDigest) -> Serving | None:
    """The model that serves, as far as its log tells; None where it tells nothing of serving."""
    rows = list(steady(log))
    if not rows:
        return None
    window = window_of(_moments(rows))
    return Serving(
        model=log.model or MODEL,  # never the file's name: remedies are typed into a shell
        window=replace(window, requests=_requests(log, rows)),
        flags=_flags(log),
        slowed_by=slowed_by(log),
    )


def _moments(rows: list[Steady]) -> list[Moment]:
    """Where lines have no time, they stand as far apart as vLLM writes them."""
    moments, at = [], 0.0
    for number, row in enumerate(rows):
        at = row.at_s if row.at_s is not None else (at + _INTERVAL_S if number else 0.0)
        figures: dict[str, float | None] = {
            "running": float(row.running),
            "waiting": float(row.waiting),
            "output_tokens_per_s": row.output_tokens_per_s,
            "prompt_tokens_per_s": row.prompt_tokens_per_s,
            "kv_used": row.kv_used,
            "prefix_hit": row.prefix_hit,
            "preemptions_per_s": (row.preempted or 0.0) / _INTERVAL_S,
        }
        moments.append(Moment(at, figures))
    return moments


def _requests(log: LogDigest, rows: list[Steady]) -> float | None:
    """Requests that were answered between the first such line and the last, by the access lines."""
    first, last = rows[0].line.number, rows[-1].line.number
    count = sum(f.line.times for f in find_all(log, _SERVED) if first <= f.line.number <= last)
    return float(count) if count else None


def _flags(log: LogDigest) -> dict[str, FlagValue]:
    """Those flags that the checks ask for, where the log names them."""
    given = [found.line.words for found in find_all(log, _GIVEN)]
    flags: dict[str, FlagValue] = {}
    for name, pattern in _FLAGS.items():
        said = next((match[1] for words in given if (match := pattern.search(words))), None)
        if said is not None:
            flags[name] = said == "True" if said in ("True", "False") else int(said)
    return flags


def _share(pattern: re.Pattern[str], words: str) -> float | None:
    percent = _number(pattern, words)
    return None if percent is None else percent / 100


def _number(pattern: re.Pattern[str], words: str) -> float | None:
    match = pattern.search(words)
    return float(match[1]) if match else None


def serving_began(log: LogDigest) -> LogLine | None:
    """The line that says that requests are taken, None where it is not there."""
    found = find(log, BEGAN)
    return found.line if found else None
