"""The models of the catalog on the machine: what fits, how many requests, how fast."""

from collections.abc import Iterator

from pages import memory, speed
from pages.data import words
from pages.figures import Figures, Model, utilization
from pages.markdown import NONE, gib, number, rate, seconds, table, text
from sparkwell.core.units import GB
from sparkwell.planner.plan import CONTEXT_IN_USE

FITTING = (
    "model",
    "weights",
    "utilization",
    "context",
    "sequences",
    "KV tokens",
    "headroom",
    "first start",
    "fits",
)
SPEEDS = (
    "model",
    "one stream, tokens/s",
    "limit",
    "share",
    "together",
    "first token",
    "prefill, tokens/s",
)


def fitting(figures: Figures) -> Iterator[str]:
    """All recipes with the balanced profile."""
    yield table(FITTING, map(_model, figures.on_spark))
    yield text(words("host", "largest"))


def _model(model: Model) -> tuple[str, ...]:
    name, plan = model.recipe.name, model.balanced
    shown = f"[{name}](models/{name}.md)"
    if "error" in plan:
        return (shown, *(NONE,) * (len(FITTING) - 2), plan["error"])
    flags, found = plan["flags"], plan["memory"]
    return (
        shown,
        gib(found["weights_bytes"]),
        utilization(plan),
        number(flags.get("max_model_len")),
        number(flags.get("max_num_seqs")),
        number(found["kv_cache_tokens"]),
        gib(found["headroom_bytes"]),
        seconds(plan["startup"]["cold_s"]),
        memory.fits(plan),
    )


def _planned(figures: Figures) -> list[Model]:
    return [model for model in figures.on_spark if "error" not in model.balanced]


def contexts(figures: Figures) -> Iterator[str]:
    """Full requests of a length that the balanced plans hold."""
    head = ("model", *(f"{length // 1024}k" for length in memory.CONTEXTS))
    yield table(head, map(_contexts, _planned(figures)))
    yield text(words("host", "contexts", none=NONE))


def _contexts(model: Model) -> tuple[str, ...]:
    counts = (memory.at_once(model.balanced, model, length) for length in memory.CONTEXTS)
    return (model.recipe.name, *(count or NONE for count in counts))


def speeds(figures: Figures) -> Iterator[str]:
    """One stream and many beside the limit, and what was measured."""
    bandwidth = f"{(figures.spark.bandwidth_bytes_per_s or 0) / GB:.0f}"
    yield text(words("host", "speed", bandwidth=bandwidth, context=number(CONTEXT_IN_USE)))
    yield table(SPEEDS, map(_speed, _planned(figures)))
    yield text(words("host", "measured"))
    yield table(("model", "measured", "planned", "by whom"), _measured(figures))


def _speed(model: Model) -> tuple[str, ...]:
    found = model.balanced["speed"]
    return (
        model.recipe.name,
        rate(found["single_tokens_per_s"]),
        rate(found["roofline_tokens_per_s"]),
        f"{found['fraction_of_limit']:.0%}",
        speed.short(found),
        f"{seconds(found['ttft_s'])} after {number(found['prompt_tokens'])} tokens",
        number(found["prefill_tokens_per_s"]),
    )


def _measured(figures: Figures) -> Iterator[tuple[str, ...]]:
    """One row for each model that somebody has measured."""
    for model in figures.on_spark:
        rows = speed.streams(model)
        if rows:
            planned = rows[0].estimate(model.target.described, model.machine)
            said = ", ".join(f"{row.measured:g}" for row in rows)
            sources = "; ".join(dict.fromkeys(map(speed.source_of, rows)))
            yield model.recipe.name, said, f"{planned:.3g}", sources
