"""How fast a model is: one stream beside its limit, batches, first tokens, what was measured."""

from collections.abc import Iterator

from pages.data import words
from pages.figures import Json, Model
from pages.markdown import NONE, bullets, number, rate, seconds, table, text
from sparkwell.planner.measured_speeds import MeasuredSpeed, measured_speeds

QUANTITIES = {
    "decode": "one stream, tokens/s",
    "output": "answers and prompts, tokens/s",
    "prefill": "prompts of {prompt} tokens, tokens/s",
    "first": "first token after {prompt} tokens, s",
}
SAME = "the same reports"
BATCHES = ("requests at once", "tokens/s together", "each", "limit", "bound by")
MEASURED = ("measured on this machine", "figure", "planned", "by whom")


def parts(model: Model) -> Iterator[str]:
    """One stream beside its limit, batches, the first token, and what others measured."""
    found = model.balanced["speed"]
    yield text(_single(found), f"The share rests on: {found['efficiency']['source']}.")
    yield table(BATCHES, map(_batch, found["batched"]))
    yield text(
        words(
            "speed",
            "first",
            ttft=seconds(found["ttft_s"]),
            prompt=number(found["prompt_tokens"]),
            prefill=number(found["prefill_tokens_per_s"]),
        )
    )
    rows = list(measured_rows(model))
    yield table(MEASURED, rows)
    yield text(words("speed", "measured" if rows else "unmeasured"))
    yield bullets(words("speed", name) for name in ("at_once", "prefix"))


def together(found: Json | None) -> str:
    """The rate of the largest batch, with its size."""
    if not found or not found["batched"]:
        return NONE
    last = found["batched"][-1]
    return f"{rate(last['tokens_per_s'])} tokens/s together, {last['concurrency']} requests"


def short(found: Json | None) -> str:
    """The same for a cell of a table."""
    if not found or not found["batched"]:
        return NONE
    last = found["batched"][-1]
    return f"{rate(last['tokens_per_s'])} at {last['concurrency']}"


def measured_rows(model: Model) -> Iterator[tuple[str, str, str, str]]:
    """What was measured, its figure, the planner's, and the source."""
    for row in measured_speeds().rows:
        if row.machine == model.hardware and row.model == model.recipe.name:
            planned = row.estimate(model.target.described, model.machine)
            yield _run(row), f"{row.measured:.3g}", f"{planned:.3g}", source_of(row)


def source_of(row: MeasuredSpeed) -> str:
    """Who measured it, and with what."""
    every = measured_speeds().sources
    said = every[row.source]
    if said.startswith(SAME):
        said = every[row.source.partition("-")[0]] + said.removeprefix(SAME)
    return said.removeprefix("DGX Spark, ")


def streams(model: Model) -> list[MeasuredSpeed]:
    """Single streams of the model as it is in the catalog, measured on this machine."""
    return [
        row
        for row in measured_speeds().rows
        if (row.machine, row.model) == (model.hardware, model.recipe.name)
        and (row.quantity, row.concurrency) == ("decode", 1)
        and row.weights is None
        and row.file_gib is None
    ]


def _run(row: MeasuredSpeed) -> str:
    """What was measured, in words."""
    form = "GGUF, Q4_K_M" if row.file_gib else (row.weights or "").upper()
    several = f", {row.concurrency} at once" if row.concurrency > 1 else ""
    said = QUANTITIES[row.quantity].format(prompt=number(row.prompt))
    return f"{said}{several}{f', as {form}' if form else ''}"


def _single(found: Json) -> str:
    return words(
        "speed",
        "single",
        context=number(found["context"]),
        single=rate(found["single_tokens_per_s"]),
        share=f"{found['fraction_of_limit']:.0%}",
        limit=rate(found["roofline_tokens_per_s"]),
        bound=found["bound"],
    )


def _batch(each: Json) -> tuple[str, ...]:
    count = each["concurrency"]
    return (
        str(count),
        rate(each["tokens_per_s"]),
        rate(each["tokens_per_s"] / count),
        rate(each["limit_tokens_per_s"]),
        each["bound"],
    )
