"""Which model for which need: plans that meet what was asked, ranked by the need's figure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sparkwell.core.errors import SparkwellError
from sparkwell.planner.needs import (
    LATENCY,
    LONG_CONTEXT,
    THROUGHPUT,
    Need,
    Score,
    Wanted,
    requests_at_once,
)
from sparkwell.planner.plan import Plan

_GIB = 2**30
_K = 1024
# A model that does not fit in 4,096 times the memory has another reason.
_TIMES = tuple(1 << step for step in range(1, 13))


@dataclass(frozen=True, slots=True)
class Offer:
    """A model of the catalog with its plan for a profile and flags, or why there is none."""

    model: str
    profile: str
    use_for: tuple[str, ...]
    not_for: tuple[str, ...]
    flags: Mapping[str, int]
    plan: Plan | None = None
    error: SparkwellError | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A model that does: its figures in words, the need's own first, and how to start it."""

    offer: Offer
    plan: Plan
    score: Score
    why: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """A model that does not, why, and what would help."""

    model: str
    reason: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The models that do, best first, and those that do not."""

    need: Need
    wanted: Wanted
    ranked: tuple[Ranked, ...]
    unfit: tuple[Unfit, ...]


def recommend(offers: Iterable[Offer], need: Need, wanted: Wanted) -> Recommendation:
    """Rank what meets the wish; say of everything else why it does not."""
    ranked: list[Ranked] = []
    unfit: list[Unfit] = []
    for offer in offers:
        found = _judge(offer, need, wanted)
        if isinstance(found, Ranked):
            ranked.append(found)
        else:
            unfit.append(found)
    ranked.sort(key=lambda each: each.score, reverse=True)
    return Recommendation(need, wanted, tuple(ranked), tuple(unfit))


def _judge(offer: Offer, need: Need, wanted: Wanted) -> Ranked | Unfit:
    plan = offer.plan
    if plan is None:
        return _unplanned(offer)
    short = shortcoming(plan, wanted)
    if short is not None:
        return Unfit(offer.model, *short)
    score = need.score(plan, wanted)
    if score is None:
        return Unfit(offer.model, "Its speed is unknown, as the memory's bandwidth is.")
    return Ranked(offer, plan, score, _reasons(plan, need, wanted), start_command(offer))


def _unplanned(offer: Offer) -> Unfit:
    if offer.error is None:
        return Unfit(offer.model, "It was not planned.")
    return Unfit(offer.model, offer.error.message, offer.error.hint)


def shortcoming(plan: Plan, wanted: Wanted) -> tuple[str, str | None] | None:
    """Why a plan does not do, and what would help; None where it does."""
    if not plan.fits:
        first = next(iter(plan.problems), None)
        return (first.message, first.remedy) if first else ("It does not fit.", None)
    if wanted.context and plan.settings.max_model_len < wanted.context:
        most = plan.settings.max_model_len
        return f"It takes {most:,} tokens, not {wanted.context:,}.", f"Ask for --context {most}."
    if wanted.concurrency and requests_at_once(plan, wanted) < wanted.concurrency:
        return _too_many(plan, wanted, wanted.concurrency)
    return None


def _too_many(plan: Plan, wanted: Wanted, asked: int) -> tuple[str, str]:
    held, context = requests_at_once(plan, wanted), wanted.context_of(plan)
    requests = "request" if held == 1 else "requests"
    shorter = plan.memory.kv_tokens // asked
    shorter = shorter // _K * _K or shorter
    reason = f"It holds {held} {requests} of {context:,} tokens at once, not {asked}."
    return reason, f"Ask for --concurrency {held}, or for --context {shorter}."


def start_command(offer: Offer) -> str:
    """What starts the model as it was planned."""
    flags = "".join(f" --set {name}={value}" for name, value in offer.flags.items())
    return f"sparkwell up {offer.model} --profile {offer.profile}{flags}"


def least_memory(fits_in: Callable[[int], bool], total_bytes: int) -> int | None:
    """The least memory above ``total_bytes`` that is enough, in bytes, whole GiB; or None.

    ``fits_in`` is asked a dozen times; it must not turn false again with more memory.
    """
    here = max(1, total_bytes // _GIB)
    high = next((here * times for times in _TIMES if fits_in(here * times * _GIB)), None)
    if high is None:
        return None
    low = high // 2  # too little: tried, or what there is
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits_in(middle * _GIB) else (middle, high)
    return high * _GIB


def _reasons(plan: Plan, need: Need, wanted: Wanted) -> tuple[str, ...]:
    """The need's own figure, then those of the others that the same plan gives."""
    others = [each for each in (LATENCY, THROUGHPUT, LONG_CONTEXT) if each.name != need.name]
    known = [each.why(plan, wanted) for each in others if each.score(plan, wanted) is not None]
    return (need.why(plan, wanted), *known)
