"""The speed rows of docs/accuracy.md: estimated beside measured."""

from accuracy.rows import largest, percent, table, typical
from sparkwell.bench.tables import seconds
from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.hardware.description import find_machine
from sparkwell.planner.measured_speeds import MeasuredSpeed, measured_speeds

NAMES = {
    "decode": "decode, tokens/s",
    "output": "output with prompts, tokens/s",
    "prefill": "prefill, tokens/s",
    "first": "first token, s",
}


def error(row: MeasuredSpeed) -> float:
    """(estimated - measured) / measured."""
    recipe = describe_recipe(load_catalog().get(row.model))
    return row.estimate(recipe, find_machine(row.machine)) / row.measured - 1


def summary() -> str:
    """By quantity and source: how many rows, and how far off."""
    groups: dict[tuple[str, str], list[MeasuredSpeed]] = {}
    for row in measured_speeds().rows:
        groups.setdefault((row.quantity, "check" if row.check else "fitted on"), []).append(row)
    body = []
    for (quantity, kind), rows in groups.items():
        errors = [error(row) for row in rows]
        body.append((NAMES[quantity], kind, str(len(rows)), typical(errors), largest(errors)))
    return table(("quantity", "rows are", "rows", "median error", "largest"), body)


def every() -> str:
    """Row by row."""
    head = (
        "machine",
        "model",
        "quantity",
        "at once",
        "prompt, answer",
        "measured",
        "error",
        "first token",
        "source",
    )
    return table(head, [_row(row) for row in measured_speeds().rows])


def _row(row: MeasuredSpeed) -> tuple[str, ...]:
    form = row.weights or ("GGUF" if row.file_gib else "")
    together = str(row.concurrency) + (f", {row.running} run" if row.running else "")
    return (
        row.machine, f"{row.model} {form}".strip(), NAMES[row.quantity], together,
        f"{row.prompt:,}, {row.output:,}", f"{row.measured:,g}", percent(error(row), 1),
        "-" if row.ttft_s is None else seconds(row.ttft_s),
        f"{row.source}{', check' if row.check else ''}",
    )  # fmt: skip


def sources() -> str:
    """What each source is."""
    return table(("source", "what it is"), list(measured_speeds().sources.items()))
