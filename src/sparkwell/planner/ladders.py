"""The values that profiles choose from, and how many sequences a KV cache should hold."""

from collections.abc import Sequence

# Tokens of a request in use, prompt and answer: what requests take on average, not at most.
TYPICAL_TOKENS = 4096
ANSWER_TOKENS = 1024
# The same where there are many small requests, which the concurrency profile is for.
SHORT_TOKENS = 2048
# A context that serves most work. Longer ones are wanted only where several of them fit.
COMMON_CONTEXT = 32_768
SEVERAL, FEW = 4, 2
# An uncalibrated plan can be a little off, and a start with less than one sequence fails.
ROOM = 1.05
BATCHED_TOKENS = (2048, 4096, 8192, 16384)
FEWEST = 4
SEQUENCES = (4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_CONTEXTS = tuple(sorted({base << shift for base in (1024, 1536) for shift in range(11)}))


def contexts_down(longest: int) -> tuple[int, ...]:
    """``longest`` itself, then round contexts below it, descending, in tokens."""
    return (longest, *(each for each in reversed(_CONTEXTS) if each < longest))


def holds(cache_tokens: int, context: int, sequences: float) -> bool:
    """Whether a KV cache has room for so many sequences of ``context`` tokens, at least one."""
    return cache_tokens >= context * max(sequences, ROOM)


def round_context(cache_tokens: int, longest: int) -> int:
    """The context of the balanced profile, in tokens: the longest of which enough sequences fit.

    Several have to, so that one long request never takes most of the cache; of a common context
    or less, few are enough, and one where there is no choice.
    """
    steps = contexts_down(longest)
    for wanted in (SEVERAL, 1):
        for context in steps:
            if holds(cache_tokens, context, min(wanted, _wanted(context))):
                return context
    return steps[-1]


def most_context(cache_tokens: int, longest: int) -> int:
    """The longest context, in whole 1,024 tokens, of which one sequence fits with room."""
    if holds(cache_tokens, longest, 1):
        return longest
    return max(1024, int(cache_tokens / ROOM) // 1024 * 1024)


def sequences_for(cache_tokens: int, tokens_each: int, most: int) -> int:
    """The most sequences of ``tokens_each`` that the cache holds, at least the fewest."""
    return largest(SEQUENCES, min(most, cache_tokens // max(1, tokens_each)))


def largest(steps: Sequence[int], limit: float) -> int:
    """The largest of ascending steps that is not above the limit, else the first."""
    return max((step for step in steps if step <= limit), default=steps[0])


def _wanted(context: int) -> int:
    return SEVERAL if context > COMMON_CONTEXT else FEW
