"""Plans side by side: one row for each figure, the best of those that fit marked.

A plan that does not fit keeps its figures, since they say why, but is never the best. Figures
that rest on different contexts have no best: more requests of fewer tokens are not more.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Literal

from sparkwell.core.errors import SparkwellError
from sparkwell.planner.plan import Plan
from sparkwell.planner.speed import BatchSpeed, Speed

Unit = Literal["parameters", "bytes", "tokens", "requests", "tokens/s", "s"]
Better = Literal["more", "less"]
# Figures this close print the same: both are the best.
_SAME = 0.005


@dataclass(frozen=True, slots=True)
class Candidate:
    """One column: a model with a profile, and its plan, or why there is none."""

    model: str
    profile: str
    plan: Plan | None = None
    error: SparkwellError | None = None

    @property
    def fits(self) -> bool:
        """Whether there is a plan and it fits."""
        return self.plan is not None and self.plan.fits


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of all candidates, None where it is unknown; ``best`` are their places.

    ``better`` is None where neither more nor less of it is good.
    """

    name: str
    title: str
    unit: Unit
    better: Better | None
    values: tuple[float | None, ...]
    best: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidates and the rows of their figures, in the same order.

    ``concurrency`` are the numbers of requests that rows were asked for, ascending.
    """

    candidates: tuple[Candidate, ...]
    rows: tuple[Row, ...]
    concurrency: tuple[int, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each candidate: the model, with its profile where a model has several."""
        several = len({each.model for each in self.candidates}) < len(self.candidates)
        return tuple(
            f"{each.model} ({each.profile})" if several else each.model for each in self.candidates
        )


@dataclass(frozen=True, slots=True)
class Together:
    """Tokens a second of all requests; ``concurrency`` is how many of them run at once."""

    concurrency: int
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class _Figure:
    """How a row is made; ``basis`` must be equal for all plans that are to have a best one."""

    name: str
    title: str
    unit: Unit
    better: Better | None
    of: Callable[[Plan], float | None]
    basis: Callable[[Plan], Hashable] = lambda _plan: None


def compare(candidates: Iterable[Candidate], concurrency: Sequence[int] = ()) -> Comparison:
    """Lay plans side by side, with the tokens a second for each of ``concurrency``."""
    every = tuple(candidates)
    counts = tuple(sorted(set(concurrency)))
    together = (_together(count) for count in counts if count > 1)
    figures = (*_MEMORY, *_SPEED, *together, *_START)
    return Comparison(every, tuple(_row(figure, every) for figure in figures), counts)


def together_at(speed: Speed, concurrency: int) -> Together:
    """Tokens a second with so many requests; between the speed's entries a step's time is linear.

    Beyond the last entry no more run at once: the others wait, and the rate stays.
    """
    entries = sorted(speed.batched, key=lambda each: each.concurrency)
    below = [each for each in entries if each.concurrency <= concurrency]
    above = [each for each in entries if each.concurrency > concurrency]
    if not below:
        return Together(1, speed.single_tokens_per_s)
    low = below[-1]
    if not above or low.concurrency == concurrency:
        return Together(low.concurrency, low.tokens_per_s)
    high = above[0]
    share = (concurrency - low.concurrency) / (high.concurrency - low.concurrency)
    step_s = (1 - share) * _step_s(low) + share * _step_s(high)
    return Together(concurrency, concurrency / step_s)


def _step_s(entry: BatchSpeed) -> float:
    return entry.concurrency / entry.tokens_per_s


def _row(figure: _Figure, candidates: Sequence[Candidate]) -> Row:
    values = tuple(None if each.plan is None else figure.of(each.plan) for each in candidates)
    best = _best(figure, candidates, values)
    return Row(figure.name, figure.title, figure.unit, figure.better, values, best)


def _best(
    figure: _Figure, candidates: Sequence[Candidate], values: Sequence[float | None]
) -> tuple[int, ...]:
    """Places of the best value; none where fewer than two compare, or all are the same."""
    rivals = {
        place: value
        for place, (each, value) in enumerate(zip(candidates, values, strict=True))
        if each.fits and value is not None
    }
    bases = {figure.basis(each.plan) for each in candidates if each.fits and each.plan}
    if figure.better is None or len(rivals) < 2 or len(bases) > 1:
        return ()
    top = max(rivals.values()) if figure.better == "more" else min(rivals.values())
    best = tuple(place for place, value in rivals.items() if isclose(value, top, rel_tol=_SAME))
    return best if len(best) < len(rivals) else ()


def _speed(name: str) -> Callable[[Plan], float | None]:
    return lambda plan: None if plan.speed is None else float(getattr(plan.speed, name))


def _context_in_use(plan: Plan) -> Hashable:
    return plan.speed and plan.speed.context


def _together(concurrency: int) -> _Figure:
    def of(plan: Plan) -> float | None:
        return None if plan.speed is None else together_at(plan.speed, concurrency).tokens_per_s

    name, title = f"tokens_per_s_at_{concurrency}", f"Tokens/s, {concurrency} at once"
    return _Figure(name, title, "tokens/s", "more", of, _context_in_use)


_MEMORY = (
    _Figure(
        "parameters",
        "Parameters",
        "parameters",
        None,
        lambda plan: plan.question.described.shape.total_parameters,
    ),
    _Figure(
        "active_parameters",
        "Active for a token",
        "parameters",
        None,
        lambda plan: plan.question.described.shape.active_parameters,
    ),
    _Figure("weights_bytes", "Weights", "bytes", "less", lambda plan: plan.memory.weights),
    _Figure("overhead_bytes", "Overhead", "bytes", None, lambda plan: plan.memory.overhead),
    _Figure("kv_cache_bytes", "KV cache", "bytes", None, lambda plan: max(0, plan.memory.kv_cache)),
    _Figure(
        "kv_cache_tokens", "KV cache, tokens", "tokens", "more", lambda plan: plan.memory.kv_tokens
    ),
    _Figure("max_model_len", "Context", "tokens", "more", lambda plan: plan.settings.max_model_len),
    _Figure(
        "max_concurrency",
        "Full contexts at once",
        "requests",
        "more",
        lambda plan: plan.memory.max_concurrency,
        lambda plan: plan.settings.max_model_len,
    ),
    _Figure("headroom_bytes", "Headroom", "bytes", "more", lambda plan: plan.memory.headroom),
)
_SPEED = (
    _Figure(
        "single_tokens_per_s",
        "Tokens/s, one stream",
        "tokens/s",
        "more",
        _speed("single_tokens_per_s"),
        _context_in_use,
    ),
)
_START = (
    _Figure(
        "ttft_s",
        "First token",
        "s",
        "less",
        _speed("ttft_s"),
        lambda plan: plan.speed and plan.speed.prompt_tokens,
    ),
    _Figure("download_bytes", "Download", "bytes", None, lambda plan: plan.startup.download_bytes),
    _Figure("cold_s", "First start", "s", "less", lambda plan: plan.startup.cold_s),
    _Figure("warm_s", "Later starts", "s", "less", lambda plan: plan.startup.warm_s),
)
