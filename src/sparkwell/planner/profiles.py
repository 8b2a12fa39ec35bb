"""Profiles: the flags that a model on a machine should start with, computed rather than listed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import Tuned, goal_of
from sparkwell.core.errors import UsageError
from sparkwell.planner.corrections import corrections
from sparkwell.planner.fit import (
    UTILIZATION,
    Case,
    Flags,
    utilization_ceiling,
    wide_cache_flag,
)
from sparkwell.planner.ladders import BATCHED_TOKENS, FEW, FEWEST
from sparkwell.planner.pick import PICKS
from sparkwell.planner.probes import caches
from sparkwell.planner.profile_names import PROFILES
from sparkwell.planner.reasons import GIVEN, explain
from sparkwell.planner.search import Candidate, Search
from sparkwell.planner.yarn import check_context

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
    """Flags, a sentence for each that says why, and what was left out of the profile's wish.

    ``tuned`` is the overlay that the flags are of, None where they are computed or the guide's.
    """

    flags: dict[str, FlagValue]
    reasons: dict[str, str]
    corrections: tuple[str, ...] = ()
    tuned: Tuned | None = None


def choose(
    profile: str,
    case: Case,
    *,
    guide_flags: Flags | None,
    tuned: Tuned | None = None,
    overrides: Flags,
    base: Flags = MappingProxyType({}),
    siblings: Mapping[str, str] = MappingProxyType({}),
    with_guide: Sequence[str] = (),
) -> Choice:
    """The flags of a profile; ``overrides`` win, and the rest is computed around them.

    ``base`` are the recipe's flags, of which those in ``COMPUTED`` are computed anew on a GPU.
    ``guide_flags`` are None where the model has no guide; ``with_guide`` names those that have.
    ``tuned`` is the overlay of a profile "tuned-…" for this model, machine and version.
    ``siblings`` are repositories of the same model by format ("bf16", "fp8", "awq"). Where nothing
    fits, the flags are those that come nearest. Raises UsageError for an unknown profile, for a
    guide or an overlay that does not exist, and for a context that the model does not reach.
    """
    if profile not in PROFILES:
        there = ", ".join(PROFILES)
        raise UsageError(f"There is no profile {profile!r}.", hint=f"There are: {there}.")
    if profile == "guide" and guide_flags is None:
        raise _without_guide(case.described, with_guide)
    if profile == "guide" and guide_flags is not None:
        return _as_they_are("The guide sets it.", guide_flags, overrides, case)
    if goal_of(profile) is not None:
        return _as_measured(profile, tuned, overrides, case)
    if case.machine.device == "cpu":
        return _as_they_are("The recipe sets it.", base, overrides, case)
    return _computed(profile, case, overrides, base, siblings)


def _computed(
    profile: str, case: Case, overrides: Flags, base: Flags, siblings: Mapping[str, str]
) -> Choice:
    """Flags chosen for the profile around what is fixed."""
    kept = {name: value for name, value in base.items() if name not in COMPUTED}
    if profile != "long-context":
        check_context(case.described, case.rules, {**kept, **overrides})
    search, chosen = _picked(profile, Search(case, kept, overrides, ceiling=0.0))
    check_context(case.described, case.rules, chosen.flags)
    chosen = replace(chosen, flags=_ordered(chosen.flags))
    missed = corrections(profile, search, chosen, siblings)
    return Choice(chosen.flags, explain(profile, search, chosen), missed)


def _without_guide(described: Described, with_guide: Sequence[str]) -> UsageError:
    hint = f"These have one: {', '.join(with_guide)}." if with_guide else None
    return UsageError(f"{described.name} has no guide, and so no profile guide.", hint=hint)


def _as_measured(profile: str, tuned: Tuned | None, overrides: Flags, case: Case) -> Choice:
    """An overlay's flags, with the user's."""
    name = case.described.name
    if tuned is None or tuned.profile != profile:
        raise UsageError(
            f"{name} has no profile {profile} here.",
            hint=f"`sparkwell tune {name} --goal {goal_of(profile)}` finds flags.",
        )
    why = f"Measured on {tuned.machine} on {tuned.evidence.date}."
    chosen = _as_they_are(why, tuned.flags, overrides, case)
    return replace(chosen, tuned=tuned)


def _as_they_are(why: str, flags: Flags, overrides: Flags, case: Case) -> Choice:
    """Flags that are not computed, with the user's."""
    every = {**flags, **overrides}
    check_context(case.described, case.rules, every)
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
