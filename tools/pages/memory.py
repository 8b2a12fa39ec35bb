"""What a model takes of the memory: the plan's terms, contexts, versions of the engine."""

from collections.abc import Iterator, Mapping

from pages.data import words
from pages.figures import Json, Model, utilization
from pages.markdown import gib, number, section, table, text
from sparkwell.core.units import GIB

CONTEXTS = (8192, 16384, 32768, 65536, 98304, 131072, 262144)
CAUSES = {
    "activations": "the largest step's activations",
    "kernels": "kernels and libraries on the GPU",
    "graphs": "CUDA graphs",
    "state": "the sampler's state",
    "host": "the engine's own processes",
    "page_cache": "page cache, counted as used by this version and given back later",
    "sleep": "hidden by sleep mode",
}


def parts(model: Model) -> Iterator[str]:
    """The terms of the balanced plan, then contexts and engine versions."""
    plan, floor = model.balanced, f"{model.machine.floor_bytes / GIB:.0f}"
    length = number(plan["flags"].get("max_model_len"))
    yield table(("term", "GiB", "what it is"), _terms(model, plan))
    yield text(words("memory", "headroom", floor=floor))
    paged = text(words("memory", "contexts", length=length))
    yield section("Contexts", _contexts(plan, model), paged, level=3)
    which = text(words("memory", "versions"))
    yield section("By version of vLLM", _versions(model), which, level=3)


def verdict(plan: Json) -> str:
    """Whether it fits, and what is left over or why not."""
    if "error" in plan:
        return f"no: {plan['error']}"
    headroom = plan["memory"]["headroom_bytes"]
    if plan["fits"]:
        return "yes" if headroom is None else f"yes, with {gib(headroom)} of headroom"
    return f"no: {problems(plan)}"


def problems(plan: Json) -> str:
    """Why a plan does not fit, and the first thing that would make it."""
    if "error" in plan:
        return str(plan["error"])
    messages = dict.fromkeys(each["message"] for each in plan["problems"])
    remedy = next((each["remedy"] for each in plan["problems"] if each["remedy"]), "")
    return " ".join([*messages, remedy]).strip()


def fits(plan: Json) -> str:
    """The cell of a table."""
    return "yes" if plan["fits"] else "**no**"


def cache(plan: Json) -> str:
    """Tokens, and how many full contexts they are."""
    memory, length = plan["memory"], plan["flags"].get("max_model_len")
    said = f"{gib(memory['kv_cache_bytes'])}, {number(memory['kv_cache_tokens'])} tokens"
    return f"{said}, {memory['max_concurrency']:.1f} full contexts of {number(length)}"


def at_once(plan: Json, model: Model, length: int) -> str | None:
    """How many requests of a length the KV cache holds; None beyond what the model takes."""
    shape = model.recipe.architecture
    if length > (shape.extended_context or shape.native_context):
        return None
    return f"{plan['memory']['kv_cache_tokens'] / length:.1f}"


def _terms(model: Model, plan: Json) -> Iterator[tuple[str, str, str]]:
    """Total, what leaves it, what stays."""
    memory, system = plan["memory"], model.machine.system_bytes
    seen = f"what vLLM {plan['engine']['version']} sees of the machine"
    share = f"the engine's share, `gpu_memory_utilization` {utilization(plan)}"
    per_token = f"{memory['kv_bytes_per_token'] / 1024:g} KiB each"
    left = f"what is left: {number(memory['kv_cache_tokens'])} tokens, {per_token}"
    yield "total", _gib(memory["total_bytes"]), seen
    yield "budget", _gib(memory["budget_bytes"]), share
    yield "weights", _gib(memory["weights_bytes"]), "as the engine holds them"
    yield "overhead", _gib(memory["overhead_bytes"]), _causes(memory["overhead"])
    yield "KV cache", _gib(memory["kv_cache_bytes"]), left
    outside = "beside the budget: CUDA's context, and what this version does not count"
    yield "outside", _gib(memory["outside_bytes"]), outside
    if system is not None:
        yield "system", _gib(system), "held before the engine starts"
    yield "headroom", _gib(memory["headroom_bytes"]), "what stays above the floor"


def _gib(count: int | None) -> str:
    return "unknown" if count is None else f"{count / GIB:.2f}"


def _causes(overhead: Mapping[str, int] | None) -> str:
    if not overhead:
        return "measured as a whole"
    sizes = {said: overhead.get(name, 0) for name, said in CAUSES.items()}
    shown = sorted(sizes.items(), key=lambda item: -abs(item[1]))
    return ", ".join(f"{said} {_gib(size)}" for said, size in shown if abs(size) > 0.05 * GIB)


def _contexts(plan: Json, model: Model) -> str:
    """How many requests of a length fit into the balanced plan's KV cache."""
    native, each = model.recipe.architecture.native_context, plan["memory"]["kv_bytes_per_token"]
    rows = (
        (f"{number(length)}{'' if length <= native else ', with YaRN'}", gib(length * each), count)
        for length in CONTEXTS
        if (count := at_once(plan, model, length))
    )
    return table(("tokens a request", "its KV cache", "at once"), rows)


def _versions(model: Model) -> str:
    """The same profile with the versions that are at hand."""
    plans = {model.version: ("the image", model.balanced)}
    plans.setdefault(model.native_version, ("Sparkwell's environment `vllm`", model.native))
    rows = (
        (
            f"{version}: {where}",
            gib(plan["memory"]["total_bytes"]),
            utilization(plan),
            str(plan["flags"].get("kv_cache_dtype", "auto")),
            number(plan["memory"]["kv_cache_tokens"]),
            fits(plan),
        )
        for version, (where, plan) in plans.items()
        if "error" not in plan
    )
    return table(("vLLM", "sees", "utilization", "KV dtype", "KV tokens", "fits"), rows)
