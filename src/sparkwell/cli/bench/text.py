"""What `sparkwell bench` says: how far it is, the figures, two runs beside each other."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sparkwell.bench.differences import differences
from sparkwell.bench.saved import caching_is_off
from sparkwell.bench.tables import (
    beside_table,
    interval_text,
    measured_table,
    plain,
    saved_table,
    seconds,
    title,
)
from sparkwell.cli.progress import step_display
from sparkwell.cli.table import table
from sparkwell.core.units import duration

if TYPE_CHECKING:
    from sparkwell.bench.comparing import Compared
    from sparkwell.bench.measuring import Progress
    from sparkwell.bench.suites import Case

Json = Mapping[str, Any]
_FIGURES = {
    "output_tokens_per_s": "output tokens/s",
    "ttft_p50_s": "TTFT p50", "ttft_p99_s": "TTFT p99",
    "tpot_p50_s": "TPOT p50", "tpot_p99_s": "TPOT p99",
    "e2e_p50_s": "whole answer p50", "e2e_p99_s": "whole answer p99",
}  # fmt: skip


@contextmanager
def display(
    cases: "Sequence[Case]", repeats: int, *, quiet: bool
) -> "Iterator[Callable[[Progress], None]]":
    """A bar on a terminal, lines elsewhere; what it yields is called with each answer."""
    if quiet:
        yield lambda _progress: None
        return
    total = repeats * sum(case.requests for case in cases)
    with step_display("bench") as show:
        began, over, last = time.monotonic(), [0], [0]

        def tell(progress: "Progress") -> None:
            over[0] += max(0, progress.done - last[0])
            last[0] = progress.done
            what = ", warming up" if progress.warming else ""
            step = f"{progress.case.name}, {progress.repeat} of {repeats}{what}"
            show(step, over[0] / total, _note(over[0], total, began))

        yield tell


def _note(over: int, total: int, began: float) -> str:
    seconds = time.monotonic() - began
    left = f", about {duration(seconds / over * (total - over))} left" if over else ""
    return f"{over:,} of {total:,} requests{left}"


def text(document: Json) -> str:
    """A run for a person."""
    parts = [_head(document), *_broken(document), _measured(document), *_beside(document)]
    parts += _saved(document)
    return "\n\n".join([*parts, *_notes(document)])


def _head(document: Json) -> str:
    model, _, rest = title(document).partition(",")
    return f"{click.style(model, bold=True)},{rest}"


def _broken(document: Json) -> Iterator[str]:
    if document["broken"]:
        yield click.style("Not whole: ", fg="red", bold=True) + str(document["broken"])


def _measured(document: Json) -> str:
    head, *rows = measured_table(document)
    return table(head, rows)


def _beside(document: Json) -> Iterator[str]:
    head, *rows = beside_table(document)
    if rows:
        yield "Output tokens a second:\n" + table(head, rows)


def _saved(document: Json) -> Iterator[str]:
    head, *rows = saved_table(document)
    if rows:
        yield "What the shared document saved:\n" + table(head, rows)


def _notes(document: Json) -> Iterator[str]:
    said = [f"{case['name']}: {note}" for case in document["cases"] for note in case["notes"]]
    if said:
        yield "\n".join(click.style("! ", fg="yellow") + each for each in said)


def listing(documents: Sequence[Json]) -> str:
    """Runs, numbered as they can be named."""
    if not documents:
        return "No run was kept yet: `sparkwell bench` makes one."
    rows = [
        (str(number), each["run"], str(len(each["cases"])), "not whole" if each["broken"] else "")
        for number, each in enumerate(documents, 1)
    ]
    return table(("", "RUN", "CASES", ""), rows)


def comparison(before: Json, after: Json, rows: "Sequence[Compared]") -> str:
    """The second run over the first."""
    head = ("CASE", "FIGURE", "BEFORE", "AFTER", "RATIO", "95 %", "VERDICT")
    lines = table(head, [_compared(row) for row in rows])
    return "\n\n".join((f"{_name(before)} → {_name(after)}", _differences(before, after), lines))


def _name(document: Json) -> str:
    off = " (prefix caching off)" if caching_is_off(document["flags"]) else ""
    return f"{document['run']}{off}"


def _differences(before: Json, after: Json) -> str:
    found = differences(before, after)
    if found:
        return table(("DIFFERS", "BEFORE", "AFTER"), found)
    known = before["flags"] is not None
    return "Same flags, engine and machine." if known else "The flags of both are not known."


def _compared(row: "Compared") -> list[str]:
    shown = seconds if row.figure.endswith("_s") and "per_s" not in row.figure else plain
    told, ends = row.ratio, interval_text(row.ratio)
    verdict = {True: "better", False: "worse", None: told.verdict}[row.better]
    colour = {True: "green", False: "red", None: None}[row.better]
    name = _FIGURES.get(row.figure, row.figure)
    return [
        row.case, name, shown(row.before), shown(row.after), f"{told.value:.3f}", ends,
        click.style(verdict, fg=colour) if colour else verdict,
    ]  # fmt: skip


def comparison_document(before: Json, after: Json, rows: "Sequence[Compared]") -> dict[str, Any]:
    """What --json prints."""
    return {
        "before": before["run"],
        "after": after["run"],
        "differences": [each._asdict() for each in differences(before, after)],
        "figures": [
            {
                "case": row.case, "figure": row.figure, "before": row.before, "after": row.after,
                "ratio": row.ratio.value, "low": row.ratio.low, "high": row.ratio.high,
                "verdict": row.ratio.verdict, "better": row.better,
            }
            for row in rows
        ],
    }  # fmt: skip
