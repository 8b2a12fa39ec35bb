"""Profiles: the flags that a model on a machine should start with, computed rather than listed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, get_args

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.fit import (
    UTILIZATION,
    Case,
    Flags,
    takes_fp8_cache,
    utilization_ceiling,
    wide_cache_flag,
)
from sparkwell.planner.ladders import BATCHED_TOKENS, FEW, FEWEST
from sparkwell.planner.memory import is_gb10
from sparkwell.planner.online import weight_bits
from sparkwell.planner.pick import PICKS, caches
from sparkwell.planner.reasons import GIVEN, explain
from sparkwell.planner.search import Candidate, Search
from sparkwell.planner.yarn import check_context, scaled_limit

Profile = Literal[
    "balanced", "throughput", "latency", "concurrency", "long-context", "quality", "guide"
]
PROFILES: tuple[Profile, ...] = get_args(Profile)
DEFAULT: Profile = "balanced"
COMPUTED = (
    UTILIZATION,
    "max_model_len",
    "max_num_batched_tokens",
    "max_num_seqs",
    "kv_cache_dtype",
    "enable_prefix_caching",
)
# A discrete GPU may give more than the engine's default share where the model needs it.
HIGHEST_SHARE = 0.97
# Tokens of context below which more of the memory, or more GPUs, are tried.
USEFUL = 8192


@dataclass(frozen=True, slots=True)
class Choice:
    """Flags, a sentence for each that says why, and what was left out of the profile's wish."""

    flags: dict[str, FlagValue]
    reasons: dict[str, str]
    corrections: tuple[str, ...] = ()


def choose(
    profile: str,
    described: Described,
    machine: Machine,
    rules: EngineRules,
    *,
    guide_flags: Flags | None,
    overrides: Flags,
    base: Flags = MappingProxyType({}),
    beside_bytes: int = 0,
    siblings: Mapping[str, str] = MappingProxyType({}),
    with_guide: Sequence[str] = (),
) -> Choice:
    """The flags of a profile; ``overrides`` win, and the rest is computed around them.

    ``base`` are the recipe's flags, of which those in ``COMPUTED`` are computed anew on a GPU.
    ``guide_flags`` are None where the model has no guide; ``with_guide`` names those that have.
    ``siblings`` are repositories of the same model by format ("bf16", "fp8", "awq").
    ``beside_bytes`` is what other engines hold on the same device. Where nothing fits, the flags
    are those that come nearest. Raises UsageError for an unknown profile, for a guide that does
    not exist, and for a context that the model does not reach.
    """
    if profile not in PROFILES:
        there = ", ".join(PROFILES)
        raise UsageError(f"There is no profile {profile!r}.", hint=f"There are: {there}.")
    if profile == "guide" and guide_flags is None:
        raise _without_guide(described, with_guide)
    if profile == "guide" and guide_flags is not None:
        return _as_they_are("The guide sets it.", guide_flags, overrides, described, rules)
    if machine.device == "cpu":
        return _as_they_are("The recipe sets it.", base, overrides, described, rules)
    kept = {name: value for name, value in base.items() if name not in COMPUTED}
    if profile != "long-context":
        check_context(described, rules, {**kept, **overrides})
    case = Case(described, machine, rules, beside_bytes)
    search, chosen = _picked(profile, Search(case, kept, overrides, ceiling=0.0))
    check_context(described, rules, chosen.flags)
    chosen = replace(chosen, flags=_ordered(chosen.flags))
    corrections = _corrections(profile, search, chosen, siblings)
    return Choice(chosen.flags, explain(profile, search, chosen), corrections)


def _without_guide(described: Described, with_guide: Sequence[str]) -> UsageError:
    hint = f"These have one: {', '.join(with_guide)}." if with_guide else None
    return UsageError(f"{described.name} has no guide, and so no profile guide.", hint=hint)


def _as_they_are(
    why: str, flags: Flags, overrides: Flags, described: Described, rules: EngineRules
) -> Choice:
    """Flags that are not computed, with the user's."""
    every = {**flags, **overrides}
    check_context(described, rules, every)
    return Choice(every, {name: GIVEN if name in overrides else why for name in every})


def _ordered(flags: Flags) -> dict[str, FlagValue]:
    """The computed flags first, in the same order always."""
    names = [name for name in COMPUTED if name in flags]
    return {name: flags[name] for name in [*names, *(n for n in flags if n not in names)]}


def _picked(profile: str, wish: Search) -> tuple[Search, Candidate]:
    """The profile's candidate with the least memory and GPUs that serve, else with the usual."""
    wish = replace(wish, scale=profile == "long-context")
    searches = list(_attempts(wish))
    search = next((each for each in searches if _serves(profile, each)), searches[0])
    return search, search.finished(PICKS[profile](search))


def _attempts(wish: Search) -> Iterator[Search]:
    """The usual share of one GPU, then larger shares on a discrete one, then more GPUs."""
    machine, given = wish.case.machine, {**wish.base, **wish.overrides}
    heads = wish.case.described.shape.num_attention_heads
    own = "tensor_parallel_size" in given or "pipeline_parallel_size" in given
    usual = utilization_ceiling(machine, wish.case.rules)
    fixed = machine.unified or machine.max_utilization is not None or UTILIZATION in given
    most = usual if fixed else max(usual, HIGHEST_SHARE)
    for gpus in (1, 2, 4, 8, 16):
        if gpus > 1 and (own or gpus > machine.gpus or heads % gpus):
            continue
        base = {**wish.base, **({"tensor_parallel_size": gpus} if gpus > 1 else {})}
        for percent in range(round(100 * usual), round(100 * most) + 1):
            yield replace(wish, base=base, ceiling=percent / 100)


def _serves(profile: str, search: Search) -> bool:
    """Whether a few sequences of a useful context fit, with all else as small as it may be."""
    case = search.case
    wide = wide_cache_flag(case.described, case.rules)
    cache = wide if profile == "quality" else caches(search)[-1]
    useful = search.context(min(USEFUL, search.longest))
    candidate = search.at(BATCHED_TOKENS[0], FEWEST, useful, cache)
    return candidate.fits and candidate.holds(min(useful, USEFUL), FEW)


def _corrections(
    profile: str, search: Search, chosen: Candidate, siblings: Mapping[str, str]
) -> tuple[str, ...]:
    found = [
        _without_fp8(profile, search, chosen),
        _better_sibling(profile, search, siblings),
        _share_raised(search, chosen),
        _beyond_native(search, chosen),
    ]
    return tuple(sentence for sentence in found if sentence)


def _without_fp8(profile: str, search: Search, chosen: Candidate) -> str | None:
    """Where FP8 keys and values would have helped, but the engine version has them only slowly."""
    case = search.case
    open_ = "kv_cache_dtype" not in search.overrides and profile != "quality"
    short = not chosen.holds(search.longest, 1) or profile in ("concurrency", "throughput")
    possible = takes_fp8_cache(case.machine, case.rules)
    if possible or not is_gb10(case.machine) or not (open_ and short and chosen.wide_cache):
        return None
    return (
        f"An FP8 KV cache would hold twice the tokens, but vLLM {case.rules.version} has it on "
        "this machine only with its old engine. From 0.11.0 on it works."
    )


def _better_sibling(profile: str, search: Search, siblings: Mapping[str, str]) -> str | None:
    bits = search.case.described.quantization.weight_bits
    ranked = sorted((weight_bits(name) or 0, name) for name in siblings)
    if profile != "quality" or not ranked or ranked[-1][0] <= bits:
        return None
    most, name = ranked[-1]
    return (
        f"These weights have {bits} bits; {siblings[name]} is the same model with {most}, and "
        "loses less."
    )


def _share_raised(search: Search, chosen: Candidate) -> str | None:
    usual = utilization_ceiling(search.case.machine, search.case.rules)
    share = chosen.settings.utilization
    if UTILIZATION in search.overrides or search.ceiling <= usual or share <= usual:
        return None
    return (
        f"The share is {share:.2f} rather than the engine's {usual:.2f}, with which not one "
        f"sequence fits; {(chosen.memory.headroom or 0) / GIB:.1f} GiB stay free."
    )


def _beyond_native(search: Search, chosen: Candidate) -> str | None:
    """Scaling was possible, but there was no room for all of it."""
    reach = scaled_limit(search.case.described.shape)
    context = chosen.settings.max_model_len
    if not search.scale or context >= reach or "max_model_len" in search.overrides:
        return None
    if search.longest < reach and search.case.described.shape.extended_context:
        return "Your own flags for the positions are kept, so the context stays the model's own."
    if reach > search.longest:
        return None
    return f"The model could have {reach:,} tokens; of {context:,} one sequence fits."
