"""`sparkwell recommend`."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import click

from sparkwell.app.planning import Planning, Wish
from sparkwell.catalog import Recipe
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.hardware.quantities import size
from sparkwell.planner.plan import Plan
from sparkwell.planner.recommend import (
    LONG_CONTEXT,
    Need,
    Offer,
    Ranked,
    Recommendation,
    Unfit,
    Wanted,
    figures,
    find_need,
    least_memory,
    shortcoming,
)
from sparkwell.planner.recommend import recommend as rank
from sparkwell.planner.report import contract

_TOKENS = re.compile(r"([0-9]{1,9})(k?)", re.IGNORECASE)
_MOST_BYTES = 2**60
_IN_FULL = 3
_WIDTH = 100
_DEMO = "a demo model, for trying Sparkwell out"


@click.command(short_help="Say which model suits a need on this machine.")
@click.option(
    "--need",
    required=True,
    metavar="NEED",
    help="latency, throughput, concurrency, long-context or quality.",
)
@click.option("--memory", metavar="SIZE", help="Plan as if an engine saw this much, e.g. 64GiB.")
@click.option("--concurrency", type=click.IntRange(1, 100_000), help="Requests at once.")
@click.option("--context", "tokens", metavar="TOKENS", help="Tokens of each request, e.g. 32k.")
@click.option("--hardware", metavar="NAME|FILE", help="Choose for a described machine.")
@click.option("--all", "in_full", is_flag=True, help="Show every model in full, not three.")
@json_option
@pass_context
def recommend(
    context: Context,
    need: str,
    memory: str | None,
    concurrency: int | None,
    tokens: str | None,
    hardware: str | None,
    in_full: bool,
    as_json: bool,
) -> None:
    """Rank the catalog's models for what is needed most, with figures, reasons and commands.

    Models that do not fit, or not with the wished context and requests, are listed with the
    reason. Without --hardware the answer is for this machine.
    """
    wanted = Wanted(concurrency, None if tokens is None else parse_tokens(tokens))
    sized = None if memory is None else parse_memory(memory)
    asked = Asked(context, find_need(need), wanted, hardware, sized)
    found = rank([_offer(asked, recipe) for recipe in asked.recipes], asked.need, wanted)
    enough = None if found.ranked else _enough(asked)
    if as_json:
        click.echo(json.dumps(document(asked, found, enough)))
    else:
        count = len(found.ranked) if in_full else _IN_FULL
        click.echo("\n\n".join(_page(asked, found, enough, count)))


def parse_tokens(text: str) -> int:
    """The count of "32768" or "32k", where k is 1,024; raises UsageError."""
    found = _TOKENS.fullmatch(text.strip())
    count = int(found[1]) * (1024 if found[2] else 1) if found else 0
    if count < 1:
        raise UsageError(
            f"--context takes a number of tokens, not {text!r}.", hint="For example: --context 32k"
        )
    return count


def parse_memory(text: str) -> int:
    """The bytes of "64GiB"; raises UsageError for what is no size, or no machine's."""
    try:
        found = size(text)
    except ValueError:
        found = None
    if not isinstance(found, int) or not GIB <= found <= _MOST_BYTES:
        raise UsageError(
            f"--memory takes a size with its unit, from 1 GiB up, not {text!r}.",
            hint="For example: --memory 64GiB",
        )
    return found


class _Supposed(Planning):
    """This host's planning, as if it were for another machine."""

    def __init__(self, context: Context, machine: Machine) -> None:
        super().__init__(context.paths, context.catalog, context.environ)
        self._machine = machine

    def machine(self, _hardware: str | None) -> Machine:
        """That machine, whatever is asked for."""
        return self._machine


@dataclass(frozen=True)
class Asked:
    """What is needed, how much of it, and of which machine; ``memory_bytes`` replaces its own."""

    context: Context
    need: Need
    wanted: Wanted
    hardware: str | None = None
    memory_bytes: int | None = None

    @cached_property
    def machine(self) -> Machine:
        """The machine, with the memory that is supposed."""
        own = self.context.planning.machine(self.hardware)
        if self.memory_bytes is None:
            return own
        return replace(own, total_bytes=self.memory_bytes, seen_totals=())

    @property
    def recipes(self) -> list[Recipe]:
        """The catalog without the models that are there for trying Sparkwell out."""
        return [recipe for recipe in self.context.catalog if recipe.repo]

    @property
    def demos(self) -> list[str]:
        """Names of those others."""
        return [recipe.name for recipe in self.context.catalog if not recipe.repo]

    def plan(self, model: str, profile: str, flags: Mapping[str, int]) -> Plan:
        """Plan a model of the catalog; raises SparkwellError."""
        if self.memory_bytes is None:
            wish = Wish(self.hardware, None, profile, flags)
            return self.context.planning.plan(model, wish)
        # Named, so that nothing that was seen on this machine counts for it.
        wish = Wish(self.machine.name, None, profile, flags)
        return _Supposed(self.context, self.machine).plan(model, wish)


def _offer(asked: Asked, recipe: Recipe) -> Offer:
    """The recipe's plan for the need's profile, with more sequences where they are wished."""
    context, wished = asked.wanted.context, asked.wanted.concurrency
    flags = {"max_model_len": context} if context else {}
    profile = _profile(asked, recipe)
    offer = Offer(recipe.name, profile, recipe.use_for, recipe.not_for, flags)
    try:
        plan = asked.plan(recipe.name, profile, flags)
        if wished and plan.settings.max_num_seqs < wished:
            flags = {**flags, "max_num_seqs": wished}
            plan = asked.plan(recipe.name, profile, flags)
    except SparkwellError as error:
        return replace(offer, error=error)
    return replace(offer, flags=flags, plan=plan)


def _profile(asked: Asked, recipe: Recipe) -> str:
    """The need's; the only one that scales positions where the wished context asks for it."""
    shape, context = recipe.architecture, asked.wanted.context or 0
    scaled = shape.max_position_embeddings < context <= (shape.extended_context or 0)
    return LONG_CONTEXT.profile if scaled else asked.need.profile


def _enough(asked: Asked) -> tuple[str, int] | None:
    """The lightest model that more memory would be enough for, and how many bytes."""
    for recipe in sorted(asked.recipes, key=lambda each: each.weights_bytes):

        def does(total_bytes: int, recipe: Recipe = recipe) -> bool:
            plan = _offer(replace(asked, memory_bytes=total_bytes), recipe).plan
            return plan is not None and shortcoming(plan, asked.wanted) is None

        enough = least_memory(does, asked.machine.total_bytes)
        if enough is not None:
            return recipe.name, enough
    return None


def document(asked: Asked, found: Recommendation, enough: tuple[str, int] | None) -> dict[str, Any]:
    """The answer as JSON, best model first; ``enough`` only where none does."""
    return {
        "need": found.need.name,
        "profile": found.need.profile,
        "ranked_by": found.need.ranked_by,
        "hardware": asked.machine.name,
        "total_bytes": asked.machine.total_bytes,
        "concurrency": found.wanted.concurrency,
        "context": found.wanted.context,
        "ranked": [_entry(each, found.wanted) for each in found.ranked],
        "unfit": [
            {"model": each.model, "reason": each.reason, "remedy": each.remedy}
            for each in found.unfit
        ],
        "left_out": [{"model": name, "reason": _DEMO} for name in asked.demos],
        "enough": None if enough is None else {"model": enough[0], "total_bytes": enough[1]},
    }


def _entry(ranked: Ranked, wanted: Wanted) -> dict[str, Any]:
    return {
        "model": ranked.offer.model,
        "why": list(ranked.why),
        "figures": figures(ranked.plan, wanted),
        "use_for": list(ranked.offer.use_for),
        "not_for": list(ranked.offer.not_for),
        "command": ranked.command,
        "plan": contract(ranked.plan),
    }


def _page(
    asked: Asked, found: Recommendation, enough: tuple[str, int] | None, in_full: int
) -> Iterator[str]:
    yield _headline(asked, found)
    if not found.ranked:
        yield _nothing(enough)
    places = list(enumerate(found.ranked, start=1))
    for place, each in places[:in_full]:
        yield "\n".join(_lines(place, each))
    if places[in_full:]:
        lines = [_first_line(place, each) for place, each in places[in_full:]]
        yield "\n".join([*lines, "   (--all shows these in full)"])
    if found.unfit:
        unfit = [line for each in found.unfit for line in _unfit(each)]
        yield "\n".join([click.style("Not for this", bold=True), *unfit])


def _headline(asked: Asked, found: Recommendation) -> str:
    limits = [f"{asked.machine.total_bytes / GIB:.1f} GiB"]
    if found.wanted.concurrency:
        limits.append(f"{found.wanted.concurrency} requests at once")
    if found.wanted.context:
        limits.append(f"{found.wanted.context:,} tokens each")
    title = f"{found.need.name} on {asked.machine.name} ({', '.join(limits)})"
    return f"{click.style(title, bold=True)}\nRanked by {found.need.ranked_by}."


def _nothing(enough: tuple[str, int] | None) -> str:
    said = click.style("No model of the catalog does.", fg="red", bold=True)
    if enough is None:
        return f"{said}\nMore memory would not change that."
    return f"{said}\nWith {enough[1] / GIB:.0f} GiB {enough[0]} would."


def _first_line(place: int, ranked: Ranked) -> str:
    return f"{place}. {ranked.offer.model}: {ranked.why[0]}"


def _lines(place: int, ranked: Ranked) -> Iterator[str]:
    yield click.style(_first_line(place, ranked), bold=True)
    if ranked.why[1:]:
        yield textwrap.fill(
            "; ".join(ranked.why[1:]), _WIDTH, initial_indent="   ", subsequent_indent="   "
        )
    yield from _bullets("for", ranked.offer.use_for)
    yield from _bullets("not for", ranked.offer.not_for)
    yield f"   {click.style(ranked.command, fg='cyan')}"


def _bullets(title: str, texts: Sequence[str]) -> Iterator[str]:
    for place, text in enumerate(texts):
        first = f"   {title if place == 0 else '':<9}- "
        yield textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _unfit(unfit: Unfit) -> Iterator[str]:
    yield click.style(_filled(f"{unfit.model}: {unfit.reason}", 2), fg="red")
    if unfit.remedy:
        yield _filled(unfit.remedy, 6)


def _filled(text: str, indent: int) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * 6)
