"""The tables of a search whose gain was not shown: its trials, and the check."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.document import Tuning
from sparkwell.bench.tables import plain, rate_text
from sparkwell.core.units import duration
from sparkwell.tune.apart import interval_of
from sparkwell.tune.trial import Trial
from sparkwell.tune.values import changed
from speed_pages.runs import FOLDER
from speed_pages.tables import UNKNOWN, said, table

NAME = "2026-11-23-h200-qwen3-8b-fp8-tune-throughput.json"


@cache
def search() -> Tuning:
    """As it is kept."""
    return keeping.load(FOLDER / NAME)


def trials() -> str:
    """What was tried, and what came."""
    head = ["trial", "what differs from the guide's flags", "start", "output tokens/s"]
    return table([head, *map(_trial, search().trials)])


def _trial(trial: Trial) -> list[str]:
    differs = changed(trial.values, search().trials[0].values)
    flags = ", ".join(f"`{name}={said(value)}`" for name, value in differs.items())
    start = UNKNOWN if trial.start_s is None else duration(trial.start_s)
    return [
        str(trial.number),
        flags or "nothing",
        start,
        rate_text(interval_of(trial, search().aim)),
    ]


def check() -> str:
    """Both sets of flags, workload by workload."""
    outcome = search().outcome
    assert outcome is not None  # noqa: S101 - it was made
    head = ["workload, 256 clients", "output tokens/s", "ratio"]
    return table([head, *_gains(outcome.gains)])


def _gains(gains: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    return [
        [
            each["workload"].replace(", 256 clients", ""),
            f"{plain(each['before'])} → {plain(each['after'])}",
            "{value:.3g} ({low:.3g} to {high:.3g})".format(**each["ratio"]),
        ]
        for each in gains
    ]


def command() -> str:
    """That of its last part."""
    return search().command
