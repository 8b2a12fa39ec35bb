"""Two DGX Sparks: what only they hold, and what that costs in speed."""

from collections.abc import Iterator

from pages.data import load, words
from pages.figures import SPARK, TWO_SPARKS, Figures, Json
from pages.markdown import NONE, bullets, gib, number, rate, table, text
from pages.memory import fits
from sparkwell.app.planning.planning import Wish
from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import Quantization
from sparkwell.catalog.shape import ModelShape
from sparkwell.catalog.weights import checkpoint_bytes, resident_parts

MODELS = ("llama33-70b-fp8", "qwen3-32b-fp8", "qwen3-30b-a3b-fp8")
BOTH = Wish(hardware=TWO_SPARKS, flags={"tensor_parallel_size": 2})
FORCED = 0.90
HEAD = (
    "tensor parallelism 2",
    "weights, each",
    "KV tokens",
    "headroom, each",
    "one stream",
    "limit",
    "on one machine",
    "fits",
)
Pair = tuple[str, Json, Json]
"""A name, the plan for both machines, and the plan for one."""


def parts(figures: Figures) -> Iterator[str]:
    """Capacity, and what it costs in speed."""
    pairs = list(_pairs(figures))
    source = load("host")["largest"]["source"]
    yield text(words("host", "two"))
    yield table(HEAD, (_row(*pair) for pair in pairs))
    yield text(words("host", "pairs", source=source))
    notes = figures.planning.machine(TWO_SPARKS).notes
    yield bullets([_tight(figures), *notes, *load("host")["two"]])


def _tight(figures: Figures) -> str:
    """What the largest model would need that the machines should not give."""
    flags = {**(BOTH.flags or {}), "gpu_memory_utilization": FORCED}
    described = largest()
    plan = figures.plan_described(described, Wish(hardware=TWO_SPARKS, flags=flags))
    if plan["fits"]:
        raise ValueError(f"{described.name} fits now: say so in texts.yaml")
    memory = plan["memory"]
    return words(
        "host",
        "tight",
        name=described.name,
        weights=gib(memory["weights_bytes"]),
        share=f"{FORCED:.2f}",
        tokens=number(memory["kv_cache_tokens"]),
        dtype=str(plan["flags"].get("kv_cache_dtype", "auto")).upper(),
        missing=gib(-memory["headroom_bytes"]),
    )


def _pairs(figures: Figures) -> Iterator[Pair]:
    seventy = figures.models["llama33-70b-fp8"].recipe.architecture
    sixteen = Quantization(method="none", weight_bits=16)
    for described in (largest(), _counted("Llama 3.3 70B, BF16", seventy, sixteen)):
        alone = figures.plan_described(described, Wish(hardware=SPARK))
        yield described.name, figures.plan_described(described, BOTH), alone
    for name in MODELS:
        model = figures.models[name]
        yield name, model.plan(hardware=TWO_SPARKS, flags=BOTH.flags), model.balanced


def largest() -> Described:
    """The 405B in 4 bits."""
    given = load("host")["largest"]
    shape, how = ModelShape(**given["shape"]), Quantization(**given["quantization"])
    return _counted(given["name"], shape, how)


def _counted(name: str, shape: ModelShape, how: Quantization) -> Described:
    """A model that is not in the catalog, its bytes counted from its shape."""
    size, parts_held = checkpoint_bytes(shape, how), resident_parts(shape, how)
    return Described(name, None, shape, how, size, parts_held, "catalog")


def _row(name: str, plan: Json, alone: Json) -> tuple[str, ...]:
    if "error" in plan:
        return (name, *(NONE,) * (len(HEAD) - 2), plan["error"])
    memory, found = plan["memory"], plan["speed"]
    return (
        name,
        gib(memory["weights_bytes"]),
        number(memory["kv_cache_tokens"]),
        gib(memory["headroom_bytes"]),
        rate(found["single_tokens_per_s"]),
        rate(found["roofline_tokens_per_s"]),
        rate(alone["speed"]["single_tokens_per_s"]) if alone["fits"] else "does not fit",
        fits(plan),
    )
