"""What `sparkwell bench` says: how far it is, the figures, the runs that were kept."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sparkwell.bench.expected_tables import tables
from sparkwell.bench.run_document import failed_in
from sparkwell.bench.tables import title as title_of
from sparkwell.cli.progress import step_display
from sparkwell.cli.table import table
from sparkwell.core.units import duration

if TYPE_CHECKING:
    from sparkwell.bench.order import Progress
    from sparkwell.bench.suites import Case

Json = Mapping[str, Any]


@contextmanager
def display(
    cases: "Sequence[Case]", repeats: int, *, quiet: bool
) -> "Iterator[Callable[[Progress], None]]":
    """A bar on a terminal, lines elsewhere; what it yields is called with each answer."""
    if quiet:
        yield lambda _progress: None
        return
    asked = repeats * sum(case.requests for case in cases)
    with step_display("bench") as show:
        began, over, last = time.monotonic(), [0], [0]

        def tell(progress: "Progress") -> None:
            over[0] += max(0, progress.done - last[0])
            last[0] = progress.done
            total = asked + progress.added
            show(_step(progress, repeats), over[0] / total, _note(over[0], total, began))

        yield tell


def _step(progress: "Progress", repeats: int) -> str:
    again = " again" if progress.again else ""
    what = ", warming up" if progress.warming else ""
    return f"{progress.case.name}, {progress.repeat} of {repeats}{again}{what}"


def _note(over: int, total: int, began: float) -> str:
    seconds = time.monotonic() - began
    left = f", about {duration(seconds / over * (total - over))} left" if over else ""
    return f"{over:,} of {total:,} requests{left}"


def text(document: Json) -> str:
    """A run for a person."""
    parts = [_head(document), *_broken(document), *_tables(document)]
    return "\n\n".join([*parts, *_notes(document)])


def _head(document: Json) -> str:
    model, _, rest = title_of(document).partition(",")
    return f"{click.style(model, bold=True)},{rest}"


def _broken(document: Json) -> Iterator[str]:
    if document["broken"]:
        yield click.style("Not whole: ", fg="red", bold=True) + str(document["broken"])


def _tables(document: Json) -> Iterator[str]:
    for place, (title, (head, *rows)) in enumerate(tables(document)):
        yield (f"{title}:\n" if place else "") + table(head, rows)


def _notes(document: Json) -> Iterator[str]:
    yield from marked(
        [f"{case['name']}: {note}" for case in document["cases"] for note in case["notes"]]
    )


def marked(notes: Sequence[str]) -> Iterator[str]:
    """Each with a mark, as one paragraph; nothing without any."""
    if notes:
        yield "\n".join(click.style("! ", fg="yellow") + each for each in notes)


def listing(documents: Sequence[Json]) -> str:
    """Runs, numbered as they can be named."""
    if not documents:
        return "No run was kept yet: `sparkwell bench` makes one."
    rows = [
        (str(number), each["run"], str(len(each["cases"])), _against(each))
        for number, each in enumerate(documents, 1)
    ]
    return table(("", "RUN", "CASES", ""), rows)


def _against(document: Json) -> str:
    """In a word or two, why it is no good measurement; nothing where it may be."""
    if document["broken"]:
        return "not whole"
    failed = failed_in(document)
    return f"{failed:,} failed" if failed else ""
