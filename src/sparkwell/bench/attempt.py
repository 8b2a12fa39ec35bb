"""One attempt at a repeat of a case: its warm-up, its load, and what came of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from sparkwell.bench.arrivals import poisson
from sparkwell.bench.figures import figures
from sparkwell.bench.load import Course, closed_loop, open_loop
from sparkwell.bench.order import Order, Progress
from sparkwell.bench.results import Repeat
from sparkwell.bench.suites import Case
from sparkwell.bench.text import Words, text_body
from sparkwell.bench.workload import Workload, body, prompts

WARM_UP_TOKENS = 64
LATER_MOST, LATER_TOKENS = 64, 8
"""After the first repeat an engine has what it needs for so many; a short one will do."""
Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A repeat, counted from 1, of the case at that place; ``again`` and ``added`` as Progress."""

    order: Order
    place: int
    number: int
    again: int = 0
    added: int = 0

    @property
    def case(self) -> Case:
        """What is measured."""
        return self.order.cases[self.place]

    @property
    def arrivals(self) -> str:
        """The seed of the moments at which requests come: no cache knows those."""
        return f"{self.order.seed}/{self.number}/{self.place}"

    @property
    def seed(self) -> str:
        """That of the prompts: the engine has those of an earlier attempt in its prefix cache."""
        return f"{self.arrivals}/again-{self.again}" if self.again else self.arrivals

    def progress(self, *, warming: bool = False) -> Progress:
        """Its beginning."""
        return Progress(self.case, self.number, 0, warming, self.again, self.added)


async def warm_up(attempt: Attempt, tell: Tell) -> str | None:
    """As many at once as will be, so that what is compiled or allocated then is so already.

    What was answered instead is returned, where no request got a whole answer.
    """
    case, first = attempt.case, attempt.number == 1 and not attempt.again
    count = min(case.clients or 1, case.requests, case.requests if first else LATER_MOST)
    most_tokens = WARM_UP_TOKENS if first else LATER_TOKENS
    tokens = min(case.workload.output_tokens, most_tokens)
    workload = replace(case.workload, output_tokens=tokens)
    bodies = _bodies(attempt.order, workload, count, f"{attempt.seed}/warm-up")
    course = Course(count)
    tell(attempt.progress(warming=True))
    await closed_loop(attempt.order.target, bodies, count, course, lambda: None)
    if any(sample.good for sample in course.samples):
        return None
    return course.samples[0].error


async def load(attempt: Attempt, course: Course, tell: Tell) -> None:
    """Send its requests; what came until something ends it is in the course, with the reason."""
    try:
        await _load(attempt, course, _teller(attempt.progress(), tell))
    except BaseException as error:
        course.broken = ended_by(error)
        raise


async def _load(attempt: Attempt, course: Course, one_more: Callable[[], None]) -> None:
    order, case = attempt.order, attempt.case
    bodies = _bodies(order, case.workload, case.requests, attempt.seed)
    if case.rate is None:
        await closed_loop(order.target, bodies, case.clients or 1, course, one_more)
    else:
        offsets = poisson(case.rate, case.requests, attempt.arrivals)
        await open_loop(order.target, bodies, offsets, course, one_more)


def _teller(progress: Progress, tell: Tell) -> Callable[[], None]:
    def one_more() -> None:
        progress.done += 1
        tell(progress)

    tell(progress)
    return one_more


def _bodies(order: Order, workload: Workload, count: int, seed: str) -> list[bytes]:
    """Made beforehand: to make a long one takes milliseconds, in which nothing else is read."""
    tokens = workload.output_tokens
    if isinstance(order.vocabulary, Words):
        words = prompts(workload, count, order.vocabulary, seed)
        return [text_body(order.model, prompt, tokens) for prompt in words]
    ids = prompts(workload, count, order.vocabulary, seed)
    return [body(order.model, prompt, tokens) for prompt in ids]


def found(attempt: Attempt, course: Course) -> Repeat:
    """What came of it."""
    workload = attempt.case.workload
    return Repeat(
        figures(
            course.samples, began_s=course.began_s, ended_s=course.ended_s,
            slo=attempt.order.slo, lags=course.lags, cpu_s=course.cpu_s,
            documents=workload.documents if workload.is_cached else 0,
        ),
        course.samples, course.began_s, course.broken, course.began_at,
    )  # fmt: skip


def ended_by(error: BaseException) -> str:
    """Why there is no more, where not the engine's refusals ended it."""
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt)):
        return "stopped by hand"
    return f"ended by an error of Sparkwell's own: {type(error).__name__}: {error}"
