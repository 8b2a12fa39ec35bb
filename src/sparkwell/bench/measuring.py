"""Measure the cases of a suite, so many times each, and keep what came of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sparkwell.bench.again import next_again
from sparkwell.bench.attempt import Attempt, Tell, ended_by, found, load, warm_up
from sparkwell.bench.load import Course
from sparkwell.bench.order import Order
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.stalls import stalled
from sparkwell.bench.suites import Case
from sparkwell.bench.text import Words
from sparkwell.bench.unanswered import unanswered

Explain = Callable[[Case, Sequence[Repeat]], Sequence[Repeat]]


@dataclass(slots=True)
class _Run:
    """What all parts of a run share; ``added`` is as Progress has it."""

    order: Order
    measured: Measured
    tell: Tell
    explain: Explain | None
    added: int = 0


async def measure(
    order: Order, measured: Measured, tell: Tell, explain: Explain | None = None
) -> None:
    """Run every case ``repeats`` times, the whole suite each time, and fill in ``measured``.

    So a machine that grows slower shows in the interval of each case, not as a difference between
    cases. It ends with the first repeat that breaks off; what was measured stays, and ``broken``
    says why there is no more, whatever ended it. Raises NotReadyError where not even the first
    request was answered.

    ``explain`` gives the repeats of a case with what was compiled while the engine stood still; in
    a thread, as it reads a disk. Where it did compile the repeat is measured again; without
    ``explain`` none is.
    """
    try:
        await _all(_Run(order, measured, tell, explain))
    except BaseException as error:
        measured.broken = ended_by(error)
        raise


async def _all(run: _Run) -> None:
    order, measured = run.order, run.measured
    for number in range(1, order.repeats + 1):
        for place, case in enumerate(order.cases):
            why = await _attempt(run, Attempt(order, place, number, added=run.added))
            if why and not measured.repeats:
                raise unanswered(order.model, why, text=isinstance(order.vocabulary, Words))
            broken = f"{case.name}, repeat {number}: {why}" if why else await _again(run, place)
            if broken:
                measured.broken = broken
                return


async def _attempt(run: _Run, attempt: Attempt) -> str | None:
    """Why it broke off, None where it is whole."""
    if why := await warm_up(attempt, run.tell):
        return why
    course = Course(attempt.case.requests)
    try:
        await load(attempt, course, run.tell)
    finally:
        _keep(run.measured.repeats.setdefault(attempt.place, []), attempt, found(attempt, course))
    return course.broken


def _keep(repeats: list[Repeat], attempt: Attempt, came: Repeat) -> None:
    """In the place of an earlier attempt, which is set aside, once a request was sent."""
    at = attempt.number - 1
    if not attempt.again:
        repeats.append(came)
    elif came.samples:
        before = replace(repeats[at], set_aside=())
        repeats[at] = replace(came, set_aside=(*repeats[at].set_aside, before))


async def _again(run: _Run, place: int) -> str | None:
    """Measure anew what the engine compiled in, also of earlier repeats; why that broke off."""
    case = run.order.cases[place]
    while (at := await _next_again(run, place)) is not None:
        run.added += case.requests
        again = len(run.measured.repeats[place][at].set_aside) + 1
        why = await _attempt(run, Attempt(run.order, place, at + 1, again, run.added))
        if why:
            return f"{case.name}, repeat {at + 1}: {why}"
    return None


async def _next_again(run: _Run, place: int) -> int | None:
    """Which repeat of that case, by its place from 0; None for no more."""
    case, repeats = run.order.cases[place], run.measured.repeats[place]
    if run.explain is None or not stalled(case, repeats):
        return None
    repeats[:] = await asyncio.to_thread(run.explain, case, tuple(repeats))
    return next_again(case, repeats)
