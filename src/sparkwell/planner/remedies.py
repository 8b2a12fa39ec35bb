"""What would make a plan fit: every remedy is planned again, and only those that fit are said."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.planner.elsewhere import alone, more_gpus, other_machine, smaller_sibling
from sparkwell.planner.fit import (
    UTILIZATION,
    Case,
    Flags,
    largest_safe_utilization,
    safe_utilization,
    takes_fp8_cache,
    utilization_ceiling,
)
from sparkwell.planner.ladders import BATCHED_TOKENS, SEQUENCES, most_context
from sparkwell.planner.trouble import Advice, Change, Trouble, first_that_helps, instruction
from sparkwell.planner.yarn import longest_with, scales_rope

_SMALLEST_CONTEXT = 1024


def remedies(trouble: Trouble) -> tuple[Advice, ...]:
    """All that helps, the mildest first; several changes together where no single one helps.

    Other models and machines come up only where one would have to give up context or quality.
    """
    shared = list(_share(trouble))
    trouble = replace(trouble, share_alone=bool(shared))
    mild = [*shared, *_steps(trouble), *_sequences(trouble)]
    dear = [*_context(trouble), *_cache(trouble)] or ([] if mild else list(_together(trouble)))
    beside = list(alone(trouble))
    if mild:
        return (*mild, *dear, *beside)
    rest = [found for way in (more_gpus, smaller_sibling, other_machine) for found in way(trouble)]
    return (*dear, *beside, *rest)


def _share(trouble: Trouble) -> Iterator[Advice]:
    share = largest_safe_utilization(trouble.case, trouble.flags)
    if share is not None:
        change: Change = {UTILIZATION: share}
        yield trouble.advice("utilization", f"Set {UTILIZATION} to {share:.2f}.", change)


def _steps(trouble: Trouble) -> Iterator[Advice]:
    now = trouble.case.plan(trouble.flags)[0].max_num_batched_tokens
    fewer = [each for each in reversed(BATCHED_TOKENS) if each < now]
    yield from first_that_helps(trouble, "batched-tokens", "max_num_batched_tokens", fewer)


def _sequences(trouble: Trouble) -> Iterator[Advice]:
    now = trouble.case.plan(trouble.flags)[0].max_num_seqs
    fewer = [each for each in reversed(SEQUENCES) if each < now]
    yield from first_that_helps(trouble, "sequences", "max_num_seqs", fewer)


def _cache(trouble: Trouble) -> Iterator[Advice]:
    """FP8 keys and values, where they run well and are not there yet."""
    case = trouble.case
    wide = case.plan(trouble.flags)[0].cache_type == "bf16"
    if wide and takes_fp8_cache(case.machine, case.rules):
        change = trouble.with_change({"kv_cache_dtype": "fp8"})
        if change:
            price = "what that loses in quality is not measured here"
            yield trouble.advice(
                "fp8-kv-cache", f"{instruction(change)}: half the bytes; {price}.", change
            )


def _context(trouble: Trouble, more: Change | None = None) -> Iterator[Advice]:
    """The longest context of which one sequence fits."""
    flags = {**trouble.flags, **(more or {})}
    case, settings = trouble.case, trouble.case.plan(flags)[0]
    ceiling = utilization_ceiling(case.machine, case.rules)
    share = safe_utilization(case, flags, ceiling) or settings.utilization
    for used in sorted({min(share, settings.utilization), share}):
        room = case.plan({**flags, UTILIZATION: used})[1].kv_tokens
        context = most_context(room, min(settings.max_model_len, _window(case, flags)))
        change = trouble.with_change({**(more or {}), "max_model_len": context})
        if change and _SMALLEST_CONTEXT <= context < settings.max_model_len:
            yield trouble.advice("context", f"{instruction(change)}.", change)
            return


def _window(case: Case, flags: Flags) -> int:
    """The longest context to advise, in tokens: none that needs what the flags do not say."""
    shape = case.described.shape
    return longest_with(shape, flags) if scales_rope(flags) else shape.native_context


def _together(trouble: Trouble) -> Iterator[Advice]:
    """Small steps, then FP8 keys and values too, with the context that they leave."""
    case = trouble.case
    small: Change = {"max_num_batched_tokens": BATCHED_TOKENS[0], "max_num_seqs": SEQUENCES[1]}
    changes = [small]
    if takes_fp8_cache(case.machine, case.rules):
        changes.append({**small, "kv_cache_dtype": "fp8"})
    for change in changes:
        whole = trouble.with_change(change)
        if whole:
            yield trouble.advice("together", f"{instruction(whole)}.", whole)
            return
        for found in _context(trouble, change):
            yield replace(found, id="together")
            return
