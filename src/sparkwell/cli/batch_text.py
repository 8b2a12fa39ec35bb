"""What `sparkwell batch` says: how far it is, what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from sparkwell.cli.progress import step_display
from sparkwell.core.units import duration

if TYPE_CHECKING:
    from sparkwell.app.batching import BatchWish
    from sparkwell.batch.run import Course


@contextmanager
def display(*, quiet: bool) -> "Iterator[Callable[[Course], None]]":
    """A bar on a terminal, lines elsewhere; what it yields is called with each answer."""
    if quiet:
        yield lambda _course: None
        return
    with step_display("batch") as show:
        began = time.monotonic()

        def tell(course: "Course") -> None:
            done = course.total - course.left
            show(course.model or "begins", done / course.total, _note(course, began))

        yield tell


def _note(course: "Course", began: float) -> str:
    """Figures beside the bar."""
    seconds = max(time.monotonic() - began, 1e-3)
    come = course.answered + course.failed
    left = f", about {duration(seconds / come * course.left)} left" if come and course.left else ""
    failed = f", {course.failed:,} failed" if course.failed else ""
    done, speed = course.total - course.left, course.output_tokens / seconds
    return f"{done:,} of {course.total:,}{failed}, {speed:,.0f} tokens/s{left}"


def so_far(wish: "BatchWish", course: "Course") -> str:
    """How far it came that ended early."""
    kept = course.before + course.answered
    done = f"{kept:,} of {course.total:,} requests are answered in {wish.answers}"
    return f"{done}; {course.left:,} are left."


def document(wish: "BatchWish", course: "Course", seconds: float) -> dict[str, object]:
    """What --json prints."""
    return {
        "requests": course.total,
        "answered_before": course.before,
        "answered": course.answered,
        "failed": course.failed,
        "prompt_tokens": course.prompt_tokens,
        "output_tokens": course.output_tokens,
        "seconds": round(seconds, 3),
        "concurrency": {model: asdict(each) for model, each in course.concurrency.items()},
        "answers_file": str(wish.answers),
        "failed_file": str(wish.failed) if course.failed else None,
    }


def text(wish: "BatchWish", course: "Course", seconds: float) -> str:
    """What came of it."""
    return "\n".join(
        [_first_line(wish, course, seconds), *_concurrency(course), *_refusals(wish, course)]
    )


def _first_line(wish: "BatchWish", course: "Course", seconds: float) -> str:
    if not course.answered and not course.failed:
        return f"All {course.total:,} requests are answered in {wish.answers} already."
    if not course.answered:
        return f"No new answer came; {wish.answers} has {course.before:,} of {course.total:,}."
    before = f", {course.before:,} were answered before" if course.before else ""
    speed = course.output_tokens / max(seconds, 1e-3)
    return (
        f"{course.answered:,} of {course.total:,} requests answered in {duration(seconds)}"
        f"{before}: {course.prompt_tokens:,} prompt tokens, {course.output_tokens:,} generated "
        f"({speed:,.0f} tokens/s). They are in {wish.answers}."
    )


def _concurrency(course: "Course") -> Iterator[str]:
    for model, each in course.concurrency.items():
        yield f"{model}: {each.at_once:,} at a time ({each.why})."


def _refusals(wish: "BatchWish", course: "Course") -> Iterator[str]:
    if course.failed:
        yield f"{course.failed:,} failed: {wish.failed} says why. The same command asks them again."
