"""docs/nvidia-spark.md: the machine, what fits on it, and what goes wrong on it."""

from collections.abc import Iterable, Iterator, Mapping

from pages import host_engines, host_models, two
from pages.data import load, metrics, troubles, words
from pages.figures import Figures
from pages.markdown import bullets, gib, section, table, text
from pages.model import NOTE
from sparkwell.catalog.guide_claims import Claim, claims_for
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine

GUIDES_VERSION = "0.10.1.1"
UTILIZATIONS = (0.55, 0.70, 0.75, 0.80, 0.85, 0.90, 0.92)
SHARES = ("utilization", "the engine's share", "left for all else", "less the system")


def page(figures: Figures) -> str:
    """The whole page."""
    return "\n\n".join(part for part in _parts(figures) if part) + "\n"


def _parts(figures: Figures) -> Iterator[str]:
    spark = figures.spark
    yield f"# {spark.title}"
    yield NOTE
    yield text(words("host", "intro"))
    yield text(words("host", "basis"))
    yield section("The machine", _hardware(spark))
    yield section("Memory", *_memory(spark))
    yield section("Which models fit", *host_models.fitting(figures))
    yield section("Context against requests", *host_models.contexts(figures))
    yield section("Speed", *host_models.speeds(figures))
    yield section("Images", *host_engines.images(figures))
    yield section("Ollama beside vLLM", *host_engines.ollama(figures))
    yield section("Two Sparks", *two.parts(figures))
    yield section("Metrics", *_metrics())
    yield section("Traps", _traps())
    yield section("Commands", _commands())
    yield section("References", *_references(spark))


def _hardware(spark: Machine) -> str:
    """What the guide's table says, as far as it was found right, and what a plan adds."""
    known = {claim.id: claim for claim in claims_for(None)}
    rows = [
        (label, _figures(known, shown), _sources(known, shown))
        for label, shown in load("host")["hardware"].items()
    ]
    dense = spark.dense_flops.items()
    rates = ", ".join(f"{name.upper()} {flops / 1e12:.0f} TFLOP/s" for name, flops in dense)
    rows.append(("dense arithmetic", rates, "half of NVIDIA's figure, see References"))
    return table(("what", "figure", "from"), rows)


def _figures(known: Mapping[str, Claim], shown: Mapping[str, str]) -> str:
    return "; ".join(_figure(known[name], said) for name, said in shown.items())


def _figure(claim: Claim, said: str) -> str:
    """The claim's words, of one who says it; only claims that hold may stand on the page."""
    if claim.verdict != "right":
        raise ValueError(f"{claim.id} is {claim.verdict}: it cannot stand among the facts")
    return str(getattr(claim, said))


def _sources(known: Mapping[str, Claim], names: Iterable[str]) -> str:
    every = "; ".join(known[name].source or "" for name in names)
    return "; ".join(dict.fromkeys(every.split("; ")))


def _memory(spark: Machine) -> Iterator[str]:
    """What an engine sees, and what is left of it."""
    floor, most = f"{spark.floor_bytes / GIB:.0f}", f"{spark.max_utilization:.2f}"
    yield table(("what", "size", "what it means"), _sizes(spark))
    yield text(words("host", "share"))
    yield table(SHARES, _shares(spark))
    yield text(words("host", "floor", floor=floor, most=most))


def _sizes(spark: Machine) -> Iterator[tuple[str, str, str]]:
    for seen in spark.seen_totals:
        said = f"what vLLM before {seen.before} (images 25.09 and 25.10) saw of it"
        yield "total", gib(seen.total_bytes), said
    yield "total", gib(spark.total_bytes), "MemTotal, and what later versions see"
    yield "system", gib(spark.system_bytes), "held before an engine starts"
    yield "floor", gib(spark.floor_bytes), "MemAvailable below which the machine is in danger"


def _shares(spark: Machine) -> Iterator[tuple[str, ...]]:
    total = spark.total_for(GUIDES_VERSION)
    for share in UTILIZATIONS:
        left = total * (1 - share)
        rest = left - (spark.system_bytes or 0)
        below = "" if rest >= spark.floor_bytes else ", **below the floor**"
        yield f"{share:.2f}", gib(total * share), gib(left), f"{gib(rest)}{below}"


def _metrics() -> Iterator[str]:
    """The names, and since when they are so where that differs."""
    rows = ((each.tells, "; ".join(_names(each.names))) for each in metrics())
    yield table(("tells", "name"), rows)
    yield text(words("host", "metrics"))


def _names(names: Mapping[str, str]) -> Iterator[str]:
    for since, name in names.items():
        yield f"`{name}` from {since}" if len(names) > 1 else f"`{name}`"


def _traps() -> str:
    """What goes wrong on this machine, and what to do."""
    every = troubles(frozenset({"host"}))
    rows = ((each.symptom, each.cause, each.remedy, each.source) for each in every)
    return table(("what one sees", "why", "what to do", "from"), rows)


def _commands() -> str:
    """What to type."""
    rows = ((f"`{command}`", what) for command, what in load("host")["commands"].items())
    return table(("command", "shows or does"), rows)


def _references(spark: Machine) -> Iterator[str]:
    """The sources of the description, its notes, and where to read on."""
    more = "[vLLM's flags](flags.md), [commands](commands.md), [settings](settings.md)"
    yield bullets([*(f"{source.what}: {source.where}" for source in spark.sources), more])
    yield section("Notes", bullets(spark.notes), level=3)
