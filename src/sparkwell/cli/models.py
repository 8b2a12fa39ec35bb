"""`sparkwell models`."""

import json
from typing import Any

import click

from sparkwell.catalog import Recipe
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.table import table
from sparkwell.core.units import file_size


@click.command(short_help="List the models that can be served.")
@click.argument("model", required=False)
@json_option
@pass_context
def models(context: Context, model: str | None, as_json: bool) -> None:
    """List the catalog, or show one MODEL with all that is known of it."""
    if model is None:
        _list(context, as_json)
    else:
        _show(context, context.catalog.get(model), as_json)


def _list(context: Context, as_json: bool) -> None:
    if as_json:
        entries = [_entry(context, recipe) for recipe in context.catalog]
        problems = [*context.catalog.problems, *context.overlay_problems]
        click.echo(json.dumps({"models": entries, "problems": problems}))
        return
    rows = [_row(context, recipe) for recipe in context.catalog]
    click.echo(table(("MODEL", "SIZE", "WEIGHTS", "CONTEXT", "HERE", "REPOSITORY"), rows))


def _row(context: Context, recipe: Recipe) -> tuple[str, ...]:
    return (
        recipe.name,
        file_size(recipe.weights_bytes),
        precision(recipe),
        f"{recipe.architecture.native_context:,}",
        "yes" if context.models.availability(recipe).startable else "no",
        recipe.repo or "(comes with Sparkwell)",
    )


def precision(recipe: Recipe) -> str:
    """How the weights are stored, in the field's short form: FP8, AWQ 4-bit, BF16."""
    quantization = recipe.quantization
    if quantization.weight_bits == 16:
        return {"bfloat16": "BF16", "float16": "FP16"}[quantization.dtype]
    return "FP8" if quantization.weight_bits == 8 else f"{quantization.method.upper()} 4-bit"


def _entry(context: Context, recipe: Recipe) -> dict[str, Any]:
    found = context.models.availability(recipe)
    return {
        **recipe.model_dump(mode="json", exclude={"architecture"}),
        "parameters": recipe.architecture.total_parameters,
        "active_parameters": recipe.architecture.active_parameters,
        "native_context": recipe.architecture.native_context,
        "here": found.startable,
        "missing": found.missing,
        "remedy": found.remedy,
    }


def _show(context: Context, recipe: Recipe, as_json: bool) -> None:
    if as_json:
        shape = recipe.architecture.model_dump(mode="json")
        click.echo(json.dumps({**_entry(context, recipe), "architecture": shape}))
        return
    click.echo(f"{recipe.title}\n{recipe.summary}\n")
    for label, value in _facts(context, recipe):
        click.echo(f"{label:<13}{value}")
    _bullets("Use it for", recipe.use_for)
    _bullets("Not for", recipe.not_for)
    _bullets("Sources", [f"{source.what}: {source.where}" for source in recipe.sources])


def _facts(context: Context, recipe: Recipe) -> list[tuple[str, str]]:
    shape = recipe.architecture
    found = context.models.availability(recipe)
    gated = "; the Hub asks for an agreement first" if recipe.licence.gated else ""
    active = f", {shape.active_parameters / 1e9:.1f} B a token" if shape.moe else ""
    return [
        ("Name", recipe.name),
        ("Repository", recipe.repo or "comes with Sparkwell"),
        ("Licence", f"{recipe.licence.name}{gated}"),
        ("Parameters", f"{_count(shape.total_parameters)}{active}"),
        ("Weights", f"{file_size(recipe.weights_bytes)} ({precision(recipe)})"),
        ("Context", _context(recipe)),
        ("Flags", " ".join(f"{name}={value}" for name, value in recipe.serve.flags.items())),
        ("Here", "yes" if found.startable else f"no: {found.missing} {found.remedy}"),
    ]


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.1f} M"


def _context(recipe: Recipe) -> str:
    shape = recipe.architecture
    extended = f", {shape.extended_context:,} with YaRN" if shape.extended_context else ""
    return f"{shape.native_context:,} tokens{extended}"


def _bullets(title: str, lines: Any) -> None:
    click.echo(f"\n{title}")
    for line in lines:
        click.echo(f"  - {line}")
