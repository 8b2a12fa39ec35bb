"""Measure the cases of a suite, so many times each, and keep what came of it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sparkwell.bench.arrivals import poisson
from sparkwell.bench.connection import Target
from sparkwell.bench.figures import Slo, figures
from sparkwell.bench.load import Course, closed_loop, open_loop
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.suites import Case
from sparkwell.bench.text import Words, text_body
from sparkwell.bench.unanswered import unanswered
from sparkwell.bench.workload import Vocabulary, Workload, body, prompts

WARM_UP_TOKENS = 64
LATER_MOST, LATER_TOKENS = 64, 8
"""After the first repeat an engine has what it needs for so many; a short one will do."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be measured. ``seed`` tells runs apart: the same one asks the same prompts.

    ``vocabulary`` is where prompts are drawn from: token ids, or words, which are asked as a chat.
    """

    target: Target
    model: str
    cases: Sequence[Case]
    repeats: int
    seed: str
    vocabulary: Vocabulary | Words
    slo: Slo | None = None


@dataclass(slots=True)
class Progress:
    """Where a run is: the case, its repeat counted from 1, how many of its requests are over."""

    case: Case
    repeat: int
    done: int = 0
    warming: bool = False


async def measure(order: Order, measured: Measured, tell: Callable[[Progress], None]) -> None:
    """Run every case ``repeats`` times, the whole suite each time, and fill in ``measured``.

    So a machine that grows slower shows in the interval of each case, not as a difference between
    cases. It ends with the first repeat that breaks off; what was measured stays, and ``broken``
    says why there is no more, whatever ended it. Raises NotReadyError where not even the first
    request was answered.
    """
    try:
        await _all(order, measured, tell)
    except BaseException as error:
        measured.broken = _ended_by(error)
        raise


def _ended_by(error: BaseException) -> str:
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)):
        return "stopped by hand"
    return f"ended by an error of Sparkwell's own: {type(error).__name__}: {error}"


async def _all(order: Order, measured: Measured, tell: Callable[[Progress], None]) -> None:
    for repeat in range(1, order.repeats + 1):
        for place, case in enumerate(order.cases):
            why = await _repeat(order, measured, place, repeat, tell)
            if why and not measured.repeats:
                raise unanswered(order.model, why, text=isinstance(order.vocabulary, Words))
            if why:
                measured.broken = f"{case.name}, repeat {repeat}: {why}"
                return


async def _repeat(
    order: Order, measured: Measured, place: int, number: int, tell: Callable[[Progress], None]
) -> str | None:
    """Why it broke off, None where it is whole."""
    case, seed = order.cases[place], f"{order.seed}/{number}/{place}"
    if why := await _warm_up(order, case, seed, number, tell):
        return why
    course = Course(case.requests)
    try:
        await _load(order, case, seed, course, _teller(Progress(case, number), tell))
    except BaseException as error:
        course.broken = _ended_by(error)
        raise
    finally:
        measured.repeats.setdefault(place, []).append(_found(course, case.workload, order.slo))
    return course.broken


async def _load(
    order: Order, case: Case, seed: str, course: Course, one_more: Callable[[], None]
) -> None:
    bodies = _bodies(order, case.workload, case.requests, seed)
    if case.rate is None:
        await closed_loop(order.target, bodies, case.clients or 1, course, one_more)
    else:
        offsets = poisson(case.rate, case.requests, seed)
        await open_loop(order.target, bodies, offsets, course, one_more)


def _teller(progress: Progress, tell: Callable[[Progress], None]) -> Callable[[], None]:
    def one_more() -> None:
        progress.done += 1
        tell(progress)

    tell(progress)
    return one_more


async def _warm_up(
    order: Order, case: Case, seed: str, number: int, tell: Callable[[Progress], None]
) -> str | None:
    """As many at once as will be, so that what is compiled or allocated then is so already.

    What was answered instead is returned, where no request got a whole answer.
    """
    first = number == 1
    count = min(case.clients or 1, case.requests, case.requests if first else LATER_MOST)
    most_tokens = WARM_UP_TOKENS if first else LATER_TOKENS
    tokens = min(case.workload.output_tokens, most_tokens)
    workload = replace(case.workload, output_tokens=tokens)
    bodies, course = _bodies(order, workload, count, f"{seed}/warm-up"), Course(count)
    tell(Progress(case, number, warming=True))
    await closed_loop(order.target, bodies, count, course, lambda: None)
    if any(sample.good for sample in course.samples):
        return None
    return course.samples[0].error


def _bodies(order: Order, workload: Workload, count: int, seed: str) -> list[bytes]:
    """Made beforehand: to make a long one takes milliseconds, in which nothing else is read."""
    tokens = workload.output_tokens
    if isinstance(order.vocabulary, Words):
        words = prompts(workload, count, order.vocabulary, seed)
        return [text_body(order.model, prompt, tokens) for prompt in words]
    ids = prompts(workload, count, order.vocabulary, seed)
    return [body(order.model, prompt, tokens) for prompt in ids]


def _found(course: Course, workload: Workload, slo: Slo | None) -> Repeat:
    return Repeat(
        figures(
            course.samples, began_s=course.began_s, ended_s=course.ended_s,
            slo=slo, lags=course.lags, cpu_s=course.cpu_s,
            documents=workload.documents if workload.is_cached else 0,
        ),
        course.samples, course.began_s, course.broken, course.began_at,
    )  # fmt: skip
