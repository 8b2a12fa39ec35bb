"""What to watch, what goes wrong, what no setting changes, and where the facts are from."""

from collections.abc import Iterator

from pages.data import Metric, metrics, troubles, words
from pages.figures import CPU, Model, tags_of
from pages.markdown import NONE, code, number, rate, table, text
from pages.running import BASE
from sparkwell.core.units import file_size


def monitoring(model: Model) -> Iterator[str]:
    """Names of the metrics in the two versions at hand."""
    versions = list(dict.fromkeys([model.version, model.native_version]))
    head = ("tells", *(f"vLLM {version}" for version in versions))
    yield code("bash", f"curl {BASE}/metrics")
    yield table(head, (_metric(metric, versions) for metric in metrics()))
    yield text(words("watching", "memory"))


def _metric(metric: Metric, versions: list[str]) -> tuple[str, ...]:
    names = (metric.name(version) for version in versions)
    return (metric.tells, *(f"`{name}`" if name else NONE for name in names))


def troubleshooting(model: Model) -> str:
    """Symptom, cause, cure, for this kind of model."""
    recipe, found = model.recipe, model.balanced["speed"]
    own = {
        "name": recipe.name,
        "repo": recipe.repo or "",
        "files": file_size(recipe.weights_bytes),
        "roofline": rate(found["roofline_tokens_per_s"]),
    }
    rows = (
        (each.symptom, each.cause.format(**own), each.remedy.format(**own))
        for each in troubles(tags_of(recipe))
    )
    return table(("what one sees", "why", "what to do"), rows)


def limits(model: Model) -> Iterator[str]:
    """What no setting changes."""
    found = model.balanced.get("speed")
    if found and model.hardware != CPU:
        limit, context = rate(found["roofline_tokens_per_s"]), number(found["context"])
        yield words("watching", "roofline", limit=limit, context=context, bound=found["bound"])
    yield _window(model)
    if model.hardware == CPU:
        yield words("watching", "demo")
        return
    sixteen = model.recipe.quantization.weight_bits == 16
    for name in ("shared", "alone", "quality_16" if sixteen else "quality"):
        yield words("watching", name)


def _window(model: Model) -> str:
    shape = model.recipe.architecture
    extended = shape.extended_context
    yarn = words("watching", "yarn", extended=number(extended)) if extended else ""
    return words("watching", "window", native=number(shape.native_context), yarn=yarn)


def references(model: Model) -> Iterator[str]:
    """Where the figures of the recipe come from, and where to read on."""
    recipe = model.recipe
    for source in recipe.sources:
        yield f"{source.what}: {source.where}"
    if recipe.licence.url:
        yield f"[licence]({recipe.licence.url})"
    more = ["[recipes](../recipes.md)", "[commands](../commands.md)"]
    if recipe.guide:
        yield f"the guide `{recipe.guide.document}`, [checked](../guide-check.md)"
    if model.hardware == CPU:
        yield ", ".join(["[demo models](../demo-models.md)", *more])
    else:
        yield ", ".join(["[DGX Spark](../nvidia-spark.md)", "[vLLM's flags](../flags.md)", *more])
