"""The table of contexts: what a sequence of each length takes, how many fit, and how fast."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from sparkwell.core.errors import UsageError
from sparkwell.planner.fit import Case, Flags
from sparkwell.planner.settings import Settings
from sparkwell.planner.speed import served_model
from sparkwell.planner.steps import decode_s
from sparkwell.planner.yarn import longest_with, scaling_for

_LONGEST = 2**24
_MOST = 32
_NUMBER = re.compile(r"([0-9]{1,9})([kKmM]?)")
_FACTORS = {"": 1, "k": 1024, "m": 1024**2}


@dataclass(frozen=True, slots=True)
class ContextRow:
    """One context, in tokens.

    ``kv_bytes`` is what one sequence takes on one device, in whole blocks; ``sequences`` how many
    fit at once. ``tokens_per_s`` is one stream with a context of that length in use, None where
    the bandwidth is unknown. ``scaling`` is the factor of the rope scaling that the context
    needs, 1 where it needs none, None where the model does not go so far.
    """

    context: int
    kv_bytes: int
    sequences: float
    fits: bool
    tokens_per_s: float | None
    scaling: int | None


def parse_contexts(text: str) -> tuple[int, ...]:
    """Read "8k,16k,131072" as tokens, each once, ascending; k is 1,024. Raises UsageError."""
    words = [word.strip() for word in text.split(",")]
    if len(words) > _MOST:
        raise UsageError(f"At most {_MOST} contexts, not {len(words)}.")
    return tuple(sorted({_tokens(word) for word in words}))


def context_table(case: Case, flags: Flags, contexts: Iterable[int]) -> tuple[ContextRow, ...]:
    """One row for each context, all else as the flags say."""
    return tuple(_row(case, flags, context) for context in contexts)


def _tokens(word: str) -> int:
    match = _NUMBER.fullmatch(word)
    count = int(match[1]) * _FACTORS[match[2].lower()] if match else 0
    if 0 < count <= _LONGEST:
        return count
    said = word if len(word) <= 20 else f"{word[:20]}…"
    raise UsageError(
        f"{said!r} is no context.", hint="Write tokens, as in 8k,32k,131072; k stands for 1,024."
    )


def _row(case: Case, flags: Flags, context: int) -> ContextRow:
    settings, memory = case.plan({**flags, "max_model_len": context})
    factor = _factor(case, flags, context)
    blocks = ceil(context / settings.block_tokens)
    return ContextRow(
        context=context,
        kv_bytes=blocks * settings.block_tokens * memory.kv_per_token,
        sequences=memory.max_concurrency,
        fits=factor is not None and case.fits({**flags, "max_model_len": context}),
        tokens_per_s=_tokens_per_s(case, flags, settings, context),
        scaling=factor,
    )


def _factor(case: Case, flags: Flags, context: int) -> int | None:
    shape = case.described.shape
    if context <= longest_with(shape, flags):
        return 1
    scaling = scaling_for(shape, case.rules, context)
    return scaling.factor if scaling else None


def _tokens_per_s(case: Case, flags: Flags, settings: Settings, context: int) -> float | None:
    model = served_model(case.described, case.machine, flags, settings)
    return None if model is None else 1 / decode_s(model, context, sequences=1)
