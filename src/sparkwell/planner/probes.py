"""Candidates to choose among: by KV dtype, size of step and context, and filled with sequences."""

from sparkwell.planner.fit import own_cache_flag, takes_fp8_cache
from sparkwell.planner.ladders import (
    BATCHED_TOKENS,
    COMMON_CONTEXT,
    FEWEST,
    SEQUENCES,
    TYPICAL_TOKENS,
    round_context,
)
from sparkwell.planner.search import Candidate, Search

# A step of up to this many tokens: longer ones make answers that run meanwhile pause, and what
# they hold at the start has frozen machines with unified memory. Throughput may take twice that
# on a discrete GPU.
LONGEST_STEP = 8192


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


def suitable(search: Search) -> tuple[str, ...]:
    """The KV dtypes with which one sequence of the model's own window fits, else the smallest."""
    every = caches(search)
    window = search.context(search.longest)
    fit = tuple(each for each in every if roomiest(search, each).holds(window, 1))
    return fit or every[-1:]


def usual(candidate: Candidate) -> int:
    """Its context as far as most requests use it, 0 where it does not fit."""
    return min(candidate.settings.max_model_len, TYPICAL_TOKENS) * candidate.fits


def steps(search: Search, most: int) -> tuple[int, ...]:
    """Batched tokens to try, descending; the user's own alone."""
    given = search.overrides.get("max_num_batched_tokens")
    if given is not None:
        return (int(given),)
    return tuple(step for step in reversed(BATCHED_TOKENS) if step <= max(most, BATCHED_TOKENS[0]))


def probe(search: Search, tokens: int, cache: str, context: int) -> Candidate:
    """A candidate with as few sequences as there may be."""
    return search.at(tokens, FEWEST, context, cache)


def room(search: Search, tokens: int, cache: str) -> int:
    """Tokens that the KV cache holds with these values."""
    return probe(search, tokens, cache, search.context(search.longest)).memory.kv_tokens


def roomy(search: Search, tokens: int, cache: str) -> Candidate:
    """A candidate with the round context that suits its KV cache."""
    context = round_context(room(search, tokens, cache), search.longest)
    return probe(search, tokens, cache, search.context(context))


def roomiest(search: Search, cache: str) -> Candidate:
    """The longest steps that leave room for a common context."""
    found = [roomy(search, tokens, cache) for tokens in steps(search, LONGEST_STEP)]
    return max(
        found,
        key=lambda each: (
            min(each.settings.max_model_len, COMMON_CONTEXT) * each.fits,
            each.settings.max_num_batched_tokens,
        ),
    )


def filled(search: Search, start: Candidate, most: int, each: int = TYPICAL_TOKENS) -> Candidate:
    """The same with as many sequences of ``each`` tokens as its cache holds, up to ``most``."""
    settings, cache = start.settings, str(start.flags["kv_cache_dtype"])
    context = settings.max_model_len
    length = max(1, min(each, context))
    return search.filled(settings.max_num_batched_tokens, cache, context, length, most)


def loads(search: Search, start: Candidate) -> list[Candidate]:
    """The candidate with more and more sequences, as far as its KV cache holds them."""
    full = filled(search, start, SEQUENCES[-1])
    settings, cache = full.settings, str(full.flags["kv_cache_dtype"])
    fewer = [each for each in (32, 64, 128, 256) if each < settings.max_num_seqs]
    tokens, context = settings.max_num_batched_tokens, settings.max_model_len
    return [*(search.at(tokens, each, context, cache) for each in fewer), full]
