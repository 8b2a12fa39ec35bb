"""Profiles of one model, and the models of the catalog, side by side."""

from collections.abc import Iterator

from pages import memory, speed
from pages.data import words
from pages.figures import GUIDE, Json, Model, utilization
from pages.markdown import NONE, gib, number, rate, table, text

PROFILES = (
    "profile",
    "utilization",
    "context",
    "batched tokens",
    "sequences",
    "KV dtype",
    "KV tokens",
    "tokens/s: one",
    "together",
    "fits",
)
MODELS = (
    "model",
    "parameters (a token)",
    "weights",
    "KV tokens",
    "native context",
    "tokens/s: one",
    "together",
    "fits",
)


def profiles(model: Model) -> Iterator[str]:
    """All profiles, and why the guide's flags do not fit where they do not."""
    yield table(PROFILES, (_profile(name, plan) for name, plan in model.profiles.items()))
    yield text(words("choices", "profiles", name=model.recipe.name))
    guide = model.profiles.get(GUIDE)
    if guide and not guide["fits"]:
        yield text(words("choices", "guide", why=memory.problems(guide)))


def _profile(name: str, plan: Json) -> tuple[str, ...]:
    if "error" in plan:
        return (f"`{name}`", *(NONE,) * (len(PROFILES) - 2), plan["error"])
    flags, found = plan["flags"], plan["speed"]
    return (
        f"`{name}`",
        utilization(plan),
        number(flags.get("max_model_len")),
        number(flags.get("max_num_batched_tokens")),
        number(flags.get("max_num_seqs")),
        str(flags.get("kv_cache_dtype", "auto")),
        number(plan["memory"]["kv_cache_tokens"]),
        rate(found and found["single_tokens_per_s"]),
        speed.short(found),
        memory.fits(plan),
    )


def comparison(model: Model) -> Iterator[str]:
    """This model among the others, each with its balanced plan."""
    others = [other for other in model.figures.on_spark if other is not model]
    size = model.recipe.weights_bytes
    near = min(others, key=lambda other: abs(other.recipe.weights_bytes - size)).recipe.name
    yield table(MODELS, (_compared(other, model) for other in model.figures.on_spark))
    yield text(
        words("choices", "compare", name=model.recipe.name, other=near, hardware=model.hardware)
    )


def _compared(other: Model, this: Model) -> tuple[str, ...]:
    plan, shape, name = other.balanced, other.recipe.architecture, other.recipe.name
    size = f"{shape.total_parameters / 1e9:.1f} B ({shape.active_parameters / 1e9:.1f} B)"
    shown = f"**{name}**" if other is this else f"[{name}]({name}.md)"
    if "error" in plan:
        return (shown, size, *(NONE,) * (len(MODELS) - 3), plan["error"])
    found = plan["speed"]
    return (
        shown,
        size,
        gib(plan["memory"]["weights_bytes"]),
        number(plan["memory"]["kv_cache_tokens"]),
        number(shape.native_context),
        rate(found and found["single_tokens_per_s"]),
        speed.short(found),
        memory.fits(plan),
    )
