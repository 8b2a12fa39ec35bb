"""The tables of flags that were tuned, before and after."""

import time
from collections.abc import Iterable

from sparkwell.bench.tables import plain
from sparkwell.catalog.tuned import Row, Tuned
from speed_pages.runs import title
from speed_pages.tables import UNKNOWN, said, table


def gains(overlays: Iterable[Tuned]) -> str:
    """What tuned flags changed, workload by workload."""
    head = ["model", "workload, 256 clients", "output tokens/s", "ratio", "in time"]
    rows = [_gain(each, name) for each in overlays for name in workloads(each)]
    return table([[*head, "good requests/s", "ratio"], *rows])


def workloads(tuned: Tuned) -> list[str]:
    """In the order of the check."""
    return list(dict.fromkeys(row.workload for row in tuned.evidence.rows))


def rows_of(tuned: Tuned, workload: str) -> dict[str, Row]:
    """By figure."""
    return {row.figure: row for row in tuned.evidence.rows if row.workload == workload}


def _gain(tuned: Tuned, workload: str) -> list[str]:
    found = rows_of(tuned, workload)
    share, good, output = (
        found.get(each) for each in ("good_share", "goodput", "output_tokens_per_s")
    )
    kept = UNKNOWN if share is None else f"{share.before or 0:.0%} → {share.after or 0:.0%}"
    short = workload.replace(", 256 clients", "")
    return [title(tuned.recipe), short, *_change(output), kept, *_change(good)]


def _change(row: Row | None) -> list[str]:
    if row is None:
        return [UNKNOWN, UNKNOWN]
    return [f"{_rate(row.before)} → {_rate(row.after)}", _ratio(row)]


def _rate(value: float | None) -> str:
    return UNKNOWN if value is None else plain(value)


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return UNKNOWN
    if row.low is None or row.high is None:
        return f"{row.ratio:.2f}"
    said = f"{row.ratio:.3g} ({row.low:.3g} to {row.high:.3g})"
    return f"**{said}**" if row.low > 1 or row.high < 1 else said


def differing(tuned: Tuned) -> str:
    """The flags that are not as before, in both sets."""
    names = [
        name
        for name in {**tuned.before, **tuned.flags}
        if tuned.before.get(name) != tuned.flags.get(name)
    ]
    before, after = (
        ", ".join(f"`{name}={said(flags[name])}`" for name in names if name in flags) or UNKNOWN
        for flags in (tuned.before, tuned.flags)
    )
    return f"{before} → {after}"


def flags(overlays: Iterable[Tuned]) -> str:
    """A line for each: which flags differ, and where the evidence is."""
    return "\n".join(map(_flags, overlays))


def _flags(tuned: Tuned) -> str:
    day = time.strftime("%Y-%m-%d", tuned.evidence.date.timetuple())
    how = f"{tuned.evidence.trials} starts on {day}"
    return f"- {title(tuned.recipe)}: {differing(tuned)}; {how}: `{tuned.evidence.command}`"
