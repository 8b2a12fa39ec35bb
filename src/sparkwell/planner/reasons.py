"""Why a profile chose what it chose: one plain sentence for each flag, with its figures."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sparkwell.core.units import GIB
from sparkwell.planner.fit import UTILIZATION, fits, utilization_ceiling
from sparkwell.planner.ladders import (
    BATCHED_TOKENS,
    COMMON_CONTEXT,
    FEW,
    SEVERAL,
    SHORT_TOKENS,
    TYPICAL_TOKENS,
)
from sparkwell.planner.pick import BALANCED_MOST
from sparkwell.planner.probes import LONGEST_STEP
from sparkwell.planner.search import Candidate, Search
from sparkwell.planner.yarn import PRICE, scaling_for

GIVEN = "You set it."
_RECIPE = "The recipe sets it for this model."
_AIMS: Mapping[str, str] = {
    "throughput": "the fewest with which all together are as fast as they can be",
    "concurrency": "as many as possible is what the profile is for",
    "long-context": "requests are long here, so as many as fit with a quarter of the context each",
    "latency": "more of them would leave each less than half of its lone speed, or wait for memory",
}


class _Picked(NamedTuple):
    profile: str
    search: Search
    chosen: Candidate


_STEPS: Mapping[str, str] = {
    "latency": "a larger one makes running answers pause and the first token come hardly sooner",
    "throughput": "of the sizes tried it is among those with the most tokens a second",
}


def explain(profile: str, search: Search, chosen: Candidate) -> dict[str, str]:
    """A sentence for each flag of the candidate."""
    picked = _Picked(profile, search, chosen)
    return {name: _reason(name, picked) for name in chosen.flags}


def _reason(name: str, picked: _Picked) -> str:
    if name in picked.search.overrides:
        return GIVEN
    if name not in _SENTENCES:
        return _RECIPE
    return _SENTENCES[name](picked)


def _share(picked: _Picked) -> str:
    _, search, chosen = picked
    memory, machine = chosen.memory, search.case.machine
    budget = f"{_gib(memory.budget)} of the {_gib(memory.total)} that the engine sees"
    if not fits(memory):
        return f"{budget}; it does not fit, see the plan's problems."
    if chosen.settings.kv_cache_memory_bytes is not None:
        return f"{budget}: the start-up check wants a share that covers the KV cache's bytes."
    if not machine.unified:
        return f"{budget}; {_gib(memory.headroom)} stay free at the engine's peak."
    if memory.headroom is None:
        return f"{budget}; what the system itself holds is unknown."
    floor = f"the guard's floor of {_gib(machine.floor_bytes)}"
    return f"{budget}; {_gib(memory.headroom)} stay above {floor}, {_bound(picked)}."


def _bound(picked: _Picked) -> str:
    """What keeps the share from being larger."""
    search, chosen = picked.search, picked.chosen
    limit = utilization_ceiling(search.case.machine, search.case.rules)
    beside = search.case.beside_bytes
    if chosen.memory.kv_cache + chosen.memory.total // 100 > chosen.usable_bytes:
        return "and no request could use more"
    if chosen.settings.utilization >= limit:
        return "and more is not advised on this machine"
    return (
        f"with {_gib(beside)} for what runs beside it" if beside else "one percent more would not"
    )


def _context(picked: _Picked) -> str:
    profile, search, chosen = picked
    shape = search.case.described.shape
    context, room = chosen.settings.max_model_len, chosen.memory.max_concurrency
    fit = f"The KV cache holds {room:.1f} sequences of it"
    if context > shape.native_context:
        return f"{fit}; the model's own window is {shape.native_context:,} tokens, see the scaling."
    if context == shape.native_context:
        return f"The model's own window. {fit}."
    longer = (
        f"of the model's own {shape.native_context:,} it holds {_of(chosen, shape.native_context)}"
    )
    if profile == "long-context":
        return f"The longest of which one sequence fits with 5 % to spare; {longer}."
    wanted = SEVERAL if context > COMMON_CONTEXT else FEW
    return (
        f"{fit}; {longer}. At least {wanted} should fit, so that one long request does not take "
        "the cache of all others."
    )


def _of(chosen: Candidate, context: int) -> str:
    return f"{chosen.memory.kv_tokens / context:.1f}"


def _step(picked: _Picked) -> str:
    profile, search, chosen = picked
    tokens, memory = chosen.settings.max_num_batched_tokens, chosen.memory
    cost = f"The engine then loses {_gib(memory.overhead)} beside the weights"
    more = next((each for each in BATCHED_TOKENS if each > tokens), None)
    if more is not None:
        flags = {**chosen.flags, "max_num_batched_tokens": more}
        _, other = search.case.plan(flags)
        saved = other.overhead - memory.overhead
        cost += f", {_gib(saved)} less than with {more:,}" if saved > GIB // 20 else ""
    return f"{cost}; {_STEPS.get(profile, _step_size(tokens))}."


def _step_size(tokens: int) -> str:
    if tokens < LONGEST_STEP:
        return "larger steps would leave too little for the context"
    return "larger steps make running answers pause longer while a prompt is read"


def _sequences(picked: _Picked) -> str:
    profile, _, chosen = picked
    settings, memory = chosen.settings, chosen.memory
    typical = SHORT_TOKENS if profile == "concurrency" else TYPICAL_TOKENS
    length = min(typical, settings.max_model_len)
    held = memory.kv_tokens // length
    aim = f"; {_AIMS[profile]}" if profile in _AIMS else ""
    if not aim and settings.max_num_seqs == BALANCED_MOST < held:
        aim = "; more at once would make each answer slow"
    full = ""
    if memory.max_concurrency < settings.max_num_seqs:
        full = (
            f" Where requests grow to {settings.max_model_len:,} tokens only "
            f"{memory.max_concurrency:.1f} fit; the youngest are then set back and computed again."
        )
    return f"The KV cache holds {held:,} sequences of {length:,} tokens{aim}.{full}"


def _cache(picked: _Picked) -> str:
    profile, search, chosen = picked
    described, memory = search.case.described, chosen.memory
    size = f"{memory.kv_per_token / 1024:.0f} KiB a token"
    if chosen.wide_cache:
        why = "as the profile wants" if profile == "quality" else "which loses no quality"
        return f"16 bits, {size}, {why}."
    if described.quantization.kv_cache_dtype == "fp8":
        return f"The checkpoint has scales for an FP8 KV cache: {size}, half of 16 bits."
    gain = {
        "balanced": "in 16 bits not one sequence of the model's own window would fit",
        "latency": "in 16 bits not one sequence of the model's own window would fit",
        "long-context": "in 16 bits this context would not fit",
        "concurrency": "it doubles the sequences that fit",
        "throughput": "each step reads half of the keys and values",
    }[profile]
    return f"{size}, half of 16 bits: {gain}. What that loses in quality is not measured here."


def _prefixes(_: _Picked) -> str:
    return "A beginning that was read before (system prompt, document) is not read again."


def _parallel(picked: _Picked) -> str:
    settings, memory = picked.chosen.settings, picked.chosen.memory
    each = _gib(memory.weights)
    return f"One GPU does not hold the model; each of {settings.gpus} holds {each} of its weights."


def _rope(picked: _Picked) -> str:
    _, search, chosen = picked
    shape, context = search.case.described.shape, chosen.settings.max_model_len
    scaling = scaling_for(shape, search.case.rules, context)
    factor = f" x {scaling.factor}" if scaling else ""
    one = chosen.memory.kv_per_token * context
    return (
        f"YaRN: {shape.native_context:,} tokens{factor}; one sequence of {context:,} takes "
        f"{_gib(one)} of KV cache. {PRICE}"
    )


def _gib(count: int | None) -> str:
    return "an unknown rest" if count is None else f"{count / GIB:.1f} GiB"


_Sentence = Callable[[_Picked], str]
_SENTENCES: Mapping[str, _Sentence] = {
    UTILIZATION: _share,
    "max_model_len": _context,
    "max_num_batched_tokens": _step,
    "max_num_seqs": _sequences,
    "kv_cache_dtype": _cache,
    "enable_prefix_caching": _prefixes,
    "tensor_parallel_size": _parallel,
    "rope_scaling": _rope,
    "hf_overrides": _rope,
}
