"""How each profile picks among candidates: what it wants most, and what it puts up with."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sparkwell.planner.fit import wide_cache_flag
from sparkwell.planner.ladders import FEWEST, SEQUENCES, SHORT_TOKENS, TYPICAL_TOKENS, most_context
from sparkwell.planner.probes import (
    LONGEST_STEP,
    caches,
    filled,
    loads,
    probe,
    room,
    roomiest,
    roomy,
    steps,
    suitable,
    usual,
)
from sparkwell.planner.search import LONG_PROMPT, Candidate, Search

T = TypeVar("T")
# More than this many at once make each answer slow, whatever the cache could hold.
BALANCED_MOST = 128
LATENCY_MOST = 32
# Each request of the latency profile keeps this share of the speed that it has alone.
KEPT_SPEED = 0.5
# A first token may come this much later with a smaller step, which keeps running answers smooth.
LATER = 1.1
# FP8 keys and values lose quality that nobody measured here: not for a gain below this.
WORTH_FP8 = 1.05
# As good as the best: then fewer sequences are better for each of them.
SAME = 0.98


def balanced(search: Search) -> Candidate:
    """A context of which several fit, steps of 8,192 tokens, sequences as the cache holds them."""
    return filled(search, roomiest(search, suitable(search)[0]), BALANCED_MOST)


def quality(search: Search) -> Candidate:
    """As balanced, with keys and values in 16 bits whatever they cost."""
    given = search.overrides.get("kv_cache_dtype")
    wide = given or wide_cache_flag(search.case.described, search.case.rules)
    return filled(search, roomiest(search, str(wide)), BALANCED_MOST)


def long_context(search: Search) -> Candidate:
    """The longest context, then 16-bit keys and values, then longer steps."""
    found = [
        probe(
            search,
            tokens,
            cache,
            search.context(most_context(room(search, tokens, cache), search.longest)),
        )
        for cache in caches(search)
        for tokens in steps(search, LONGEST_STEP)
    ]
    best = max(
        found,
        key=lambda each: (
            each.settings.max_model_len * each.fits,
            each.wide_cache,
            each.settings.max_num_batched_tokens,
        ),
    )
    return filled(search, best, BALANCED_MOST, each=best.settings.max_model_len // 4)


def concurrency(search: Search) -> Candidate:
    """The most sequences of short requests, then 16-bit keys and values, then longer steps."""
    found = [
        filled(search, roomy(search, tokens, cache), SEQUENCES[-1], SHORT_TOKENS)
        for cache in suitable(search)
        for tokens in steps(search, LONGEST_STEP)
    ]
    return max(
        found,
        key=lambda each: (
            usual(each),
            each.settings.max_num_seqs,
            each.wide_cache,
            each.settings.max_num_batched_tokens,
        ),
    )


def latency(search: Search) -> Candidate:
    """The first token soon, few pauses, and no more requests than keep half of their speed."""
    start = balanced(search)
    context, cache = start.settings.max_model_len, str(start.flags["kv_cache_dtype"])
    ascending = [
        probe(search, tokens, cache, context)
        for tokens in reversed(steps(search, start.settings.max_num_batched_tokens))
    ]
    return _undisturbed(search, _soonest(search, ascending))


def throughput(search: Search) -> Candidate:
    """The most tokens a second of all requests together, as the model of speed says.

    Of those about as good, the one with the fewest sequences, then the longest steps.
    """
    longest = LONGEST_STEP if search.case.machine.unified else 2 * LONGEST_STEP
    rated = [
        (search.together(each) or 0.0, each)
        for cache in suitable(search)
        for tokens in steps(search, longest)[:3]
        for each in loads(search, roomy(search, tokens, cache))
    ]
    length = max(usual(each) for _, each in rated)
    rated = [(score, each) for score, each in rated if usual(each) == length and each.fits]
    most = max((score for score, _ in rated), default=0.0)
    if not most:
        return balanced(search)
    return min(
        about_best(rated, lambda each: each.wide_cache),
        key=lambda each: (each.settings.max_num_seqs, -each.settings.max_num_batched_tokens),
    )


def about_best(rated: Sequence[tuple[float, T]], is_wide: Callable[[T], bool]) -> list[T]:
    """Those about as good as the best, by their scores; none of none.

    Those that do not keep keys and values in 16 bits have to gain enough over the best that do.
    """
    wide = [(score, each) for score, each in rated if is_wide(each)]
    most, own = (max((score for score, _ in each), default=0.0) for each in (rated, wide))
    among, best = (rated, most) if most >= WORTH_FP8 * own else (wide, own)
    return [each for score, each in among if score >= SAME * best]


PICKS: Mapping[str, Callable[[Search], Candidate]] = {
    "balanced": balanced,
    "throughput": throughput,
    "latency": latency,
    "concurrency": concurrency,
    "long-context": long_context,
    "quality": quality,
}


def _soonest(search: Search, ascending: list[Candidate]) -> Candidate:
    """The smallest step with which a long prompt's first token comes about as soon as can be."""
    speeds = [search.speed(each, LONG_PROMPT, LONG_PROMPT) for each in ascending]
    times = [speed.ttft_s if speed else 0.0 for speed in speeds]
    return next(
        each for each, time in zip(ascending, times, strict=True) if time <= LATER * min(times)
    )


def _undisturbed(search: Search, step: Candidate) -> Candidate:
    """As many sequences as keep their speed when all of them run."""
    best = filled(search, step, FEWEST)
    for most in [each for each in SEQUENCES if FEWEST < each <= LATENCY_MOST]:
        more = filled(search, step, most)
        if more.settings.max_num_seqs < most or _kept(search, more) < KEPT_SPEED:
            break
        best = more
    return best


def _kept(search: Search, candidate: Candidate) -> float:
    """The share of its lone speed that a request keeps at full load; 0 where it is unknown."""
    speed = search.speed(candidate, TYPICAL_TOKENS, TYPICAL_TOKENS)
    if speed is None or not speed.batched:
        return 0.0
    full = max(speed.batched, key=lambda each: each.concurrency)
    return full.tokens_per_s / full.concurrency / speed.single_tokens_per_s
