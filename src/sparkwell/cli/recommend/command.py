"""`sparkwell recommend`."""

import json
import re
from functools import partial
from typing import Any

import click

from sparkwell.app.planning.planning import Planning
from sparkwell.app.planning.recommending import Asked, Supposed, enough_for, offer_of
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.recommend.text import page
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.hardware.quantities import size
from sparkwell.planner.needs import Wanted, figures, find_need
from sparkwell.planner.recommend import Ranked, Recommendation
from sparkwell.planner.recommend import recommend as rank
from sparkwell.planner.report import contract

_TOKENS = re.compile(r"([0-9]{1,9})(k?)", re.IGNORECASE)
_MOST_BYTES = 2**60
_IN_FULL = 3
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
    asked = Asked(
        context.catalog, context.planning, partial(_supposed, context), find_need(need), wanted,
        hardware, sized,
    )  # fmt: skip
    found = rank([offer_of(asked, recipe) for recipe in asked.recipes], asked.need, wanted)
    enough = None if found.ranked else enough_for(asked)
    if as_json:
        click.echo(json.dumps(document(asked, found, enough)))
    else:
        count = len(found.ranked) if in_full else _IN_FULL
        click.echo("\n\n".join(page(asked, found, enough, count)))


def _supposed(context: Context, machine: Machine) -> Planning:
    return Supposed(machine, context.paths, context.catalog, context.environ)


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
