"""How each profile picks among candidates: what it wants most, and what it puts up with."""

from collections.abc import Callable, Mapping

from sparkwell.planner.fit import own_cache_flag, takes_fp8_cache, wide_cache_flag
from sparkwell.planner.ladders import (
    BATCHED_TOKENS,
    COMMON_CONTEXT,
    FEWEST,
    SEQUENCES,
    SHORT_TOKENS,
    TYPICAL_TOKENS,
    most_context,
    round_context,
)
from sparkwell.planner.search import LONG_PROMPT, Candidate, Search

# A step of up to this many tokens: longer ones make answers that run meanwhile pause, and what
# they hold at the start has frozen machines with unified memory. Throughput may take twice that
# on a discrete GPU.
LONGEST_STEP = 8192
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


def caches(search: Search) -> tuple[str, ...]:
    """The KV dtypes to try, the engine's own first; FP8 only where it runs well."""
    given = search.overrides.get("kv_cache_dtype")
    if given is not None:
        return (str(given),)
    case = search.case
    own = own_cache_flag(case.described, case.rules)
    return (
        tuple(dict.fromkeys((own, "fp8"))) if takes_fp8_cache(case.machine, case.rules) else (own,)
    )


def balanced(search: Search) -> Candidate:
    """A context of which several fit, steps of 8,192 tokens, sequences as the cache holds them."""
    return _filled(search, _roomiest(search, _suitable(search)[0]), BALANCED_MOST)


def quality(search: Search) -> Candidate:
    """As balanced, with keys and values in 16 bits whatever they cost."""
    given = search.overrides.get("kv_cache_dtype")
    wide = given or wide_cache_flag(search.case.described, search.case.rules)
    return _filled(search, _roomiest(search, str(wide)), BALANCED_MOST)


def long_context(search: Search) -> Candidate:
    """The longest context, then 16-bit keys and values, then longer steps."""
    found = [
        _probe(
            search,
            tokens,
            cache,
            search.context(most_context(_room(search, tokens, cache), search.longest)),
        )
        for cache in caches(search)
        for tokens in _steps(search, LONGEST_STEP)
    ]
    best = max(
        found,
        key=lambda each: (
            each.settings.max_model_len * each.fits,
            each.wide_cache,
            each.settings.max_num_batched_tokens,
        ),
    )
    return _filled(search, best, BALANCED_MOST, each=best.settings.max_model_len // 4)


def concurrency(search: Search) -> Candidate:
    """The most sequences of short requests, then 16-bit keys and values, then longer steps."""
    found = [
        _filled(search, _roomy(search, tokens, cache), SEQUENCES[-1], SHORT_TOKENS)
        for cache in _suitable(search)
        for tokens in _steps(search, LONGEST_STEP)
    ]
    return max(
        found,
        key=lambda each: (
            _usual(each),
            each.settings.max_num_seqs,
            each.wide_cache,
            each.settings.max_num_batched_tokens,
        ),
    )


def latency(search: Search) -> Candidate:
    """The first token soon, few pauses, and no more requests than keep half of their speed."""
    start = balanced(search)
    context, cache = start.settings.max_model_len, str(start.flags["kv_cache_dtype"])
    steps = [
        _probe(search, tokens, cache, context)
        for tokens in reversed(_steps(search, start.settings.max_num_batched_tokens))
    ]
    step = _soonest(search, steps)
    return _undisturbed(search, step)


def throughput(search: Search) -> Candidate:
    """The most tokens a second of all requests together, as the model of speed says.

    Of those about as good, the one with the fewest sequences, then the longest steps.
    """
    longest = LONGEST_STEP if search.case.machine.unified else 2 * LONGEST_STEP
    rated = [
        (search.together(each) or 0.0, each)
        for cache in _suitable(search)
        for tokens in _steps(search, longest)[:3]
        for each in _loads(search, _roomy(search, tokens, cache))
    ]
    usual = max(_usual(each) for _, each in rated)
    rated = [(score, each) for score, each in rated if _usual(each) == usual and each.fits]
    most = max((score for score, _ in rated), default=0.0)
    if not most:
        return balanced(search)
    wide = [(score, each) for score, each in rated if each.wide_cache]
    own = max((score for score, _ in wide), default=0.0)
    among, best = (wide, own) if most < WORTH_FP8 * own else (rated, most)
    good = [each for score, each in among if score >= SAME * best]
    return min(
        good, key=lambda each: (each.settings.max_num_seqs, -each.settings.max_num_batched_tokens)
    )


PICKS: Mapping[str, Callable[[Search], Candidate]] = {
    "balanced": balanced,
    "throughput": throughput,
    "latency": latency,
    "concurrency": concurrency,
    "long-context": long_context,
    "quality": quality,
}


def _suitable(search: Search) -> tuple[str, ...]:
    """The KV dtypes with which one sequence of the model's own window fits, else the smallest."""
    every = caches(search)
    window = search.context(search.longest)
    fit = tuple(each for each in every if _roomiest(search, each).holds(window, 1))
    return fit or every[-1:]


def _usual(candidate: Candidate) -> int:
    """Its context as far as most requests use it, 0 where it does not fit."""
    return min(candidate.settings.max_model_len, TYPICAL_TOKENS) * candidate.fits


def _steps(search: Search, most: int) -> tuple[int, ...]:
    """Batched tokens to try, descending; the user's own alone."""
    given = search.overrides.get("max_num_batched_tokens")
    if given is not None:
        return (int(given),)
    return tuple(step for step in reversed(BATCHED_TOKENS) if step <= max(most, BATCHED_TOKENS[0]))


def _probe(search: Search, tokens: int, cache: str, context: int) -> Candidate:
    return search.at(tokens, FEWEST, context, cache)


def _room(search: Search, tokens: int, cache: str) -> int:
    """Tokens that the KV cache holds with these values."""
    return _probe(search, tokens, cache, search.context(search.longest)).memory.kv_tokens


def _roomy(search: Search, tokens: int, cache: str) -> Candidate:
    """A candidate with the round context that suits its KV cache."""
    room = _room(search, tokens, cache)
    return _probe(search, tokens, cache, search.context(round_context(room, search.longest)))


def _roomiest(search: Search, cache: str) -> Candidate:
    """The longest steps that leave room for a common context."""
    found = [_roomy(search, tokens, cache) for tokens in _steps(search, LONGEST_STEP)]
    return max(
        found,
        key=lambda each: (
            min(each.settings.max_model_len, COMMON_CONTEXT) * each.fits,
            each.settings.max_num_batched_tokens,
        ),
    )


def _filled(search: Search, probe: Candidate, most: int, each: int = TYPICAL_TOKENS) -> Candidate:
    settings, cache = probe.settings, str(probe.flags["kv_cache_dtype"])
    context = settings.max_model_len
    length = max(1, min(each, context))
    return search.filled(settings.max_num_batched_tokens, cache, context, length, most)


def _soonest(search: Search, steps: list[Candidate]) -> Candidate:
    """The smallest step with which a long prompt's first token comes about as soon as can be."""
    speeds = [search.speed(each, LONG_PROMPT, LONG_PROMPT) for each in steps]
    times = [speed.ttft_s if speed else 0.0 for speed in speeds]
    return next(each for each, time in zip(steps, times, strict=True) if time <= LATER * min(times))


def _undisturbed(search: Search, step: Candidate) -> Candidate:
    """As many sequences as keep their speed when all of them run."""
    best = _filled(search, step, FEWEST)
    for most in [each for each in SEQUENCES if FEWEST < each <= LATENCY_MOST]:
        more = _filled(search, step, most)
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


def _loads(search: Search, probe: Candidate) -> list[Candidate]:
    """The candidate with more and more sequences, as far as its KV cache holds them."""
    full = _filled(search, probe, SEQUENCES[-1])
    settings, cache = full.settings, str(full.flags["kv_cache_dtype"])
    fewer = [each for each in (32, 64, 128, 256) if each < settings.max_num_seqs]
    tokens, context = settings.max_num_batched_tokens, settings.max_model_len
    return [*(search.at(tokens, each, context, cache) for each in fewer), full]
