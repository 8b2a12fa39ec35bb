"""What a profile would have wanted, and why it is not so: one sentence each."""

from collections.abc import Mapping

from sparkwell.core.units import GIB
from sparkwell.planner.fit import UTILIZATION, takes_fp8_cache, utilization_ceiling
from sparkwell.planner.memory import is_gb10
from sparkwell.planner.online import weight_bits
from sparkwell.planner.search import Candidate, Search
from sparkwell.planner.yarn import scaled_limit


def corrections(
    profile: str, search: Search, chosen: Candidate, siblings: Mapping[str, str]
) -> tuple[str, ...]:
    """A sentence for each thing that the profile would have had otherwise."""
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
