"""`sparkwell plan`."""

import json
from typing import TYPE_CHECKING

import click

from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.core.errors import UsageError
from sparkwell.planner.profile_names import DEFAULT, PROFILES

if TYPE_CHECKING:
    from sparkwell.app.planning.planning import Planning, Target, Wish


@click.command(short_help="Show what fits, how fast, and why, before anything starts.")
@click.argument("model")
@click.option("--hardware", metavar="NAME|FILE", help="Plan for a described machine.")
@click.option("--engine-version", metavar="V", help="Plan for this version of vLLM.")
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="What the flags are chosen for; guide: the guide's own; tuned-…: those that `sparkwell "
    "tune` measured here. Without it what the settings say of the model, else balanced.",
)
@click.option(
    "--set",
    "flags",
    multiple=True,
    metavar="FLAG=VALUE",
    help="A flag of the engine; the others are chosen around it. May be given several times.",
)
@click.option("--contexts", metavar="LIST", help="Compare contexts, e.g. 8k,16k,32k,128k.")
@click.option(
    "--beside",
    multiple=True,
    metavar="MODEL",
    help="Plan for several at once; ollama/NAME=SIZE for one of Ollama's.",
)
@click.option("--explain", is_flag=True, help="Give the reason of each flag.")
@json_option
@pass_context
def plan(
    context: Context,
    model: str,
    hardware: str | None,
    engine_version: str | None,
    profile: str | None,
    flags: tuple[str, ...],
    contexts: str | None,
    beside: tuple[str, ...],
    explain: bool,
    as_json: bool,
) -> None:
    """Plan MODEL: memory, speed and start-up, term by term.

    MODEL is a recipe (`sparkwell models`), a folder with a checkpoint (./my-model), a GGUF file, or
    hf:ORG/NAME, of which only config.json and the headers of the weights are fetched. Without
    --hardware the plan is for this machine, and for the start that `sparkwell up` would make of
    it, with what sparkwell.yaml says of the model. The exit status is 0 also when it does not fit:
    that is an answer.
    """
    from sparkwell.app.planning.planning import Wish, parse_flags

    if sum(map(bool, (beside, contexts is not None, explain))) > 1:
        raise UsageError(
            "--beside, --contexts and --explain are three different pages.",
            hint="Ask for one of them at a time.",
        )
    wish = Wish(hardware, engine_version, profile, parse_flags(flags))
    if beside:
        _several(context, (model, *beside), wish, as_json)
    elif contexts is not None:
        _contexts(context, model, contexts, wish, as_json)
    else:
        _one(context, model, wish, as_json, explain)


def _one(context: Context, model: str, wish: "Wish", as_json: bool, explain: bool) -> None:
    from sparkwell.app.guides.check import claims_of
    from sparkwell.cli.plan import text as plan_text
    from sparkwell.cli.plan.evidence import evidence_of
    from sparkwell.planner.plan import make_plan
    from sparkwell.planner.report import contract

    planning, target, wish = _asked(context, model, wish)
    made = make_plan(planning.question(target, wish))
    if as_json:
        click.echo(json.dumps(contract(made, claims_of(planning, made))))
    else:
        click.echo(plan_text.page(made, wish.profile or DEFAULT, explain=explain))
        if evidence := evidence_of(made.question):
            click.echo(f"\n{evidence}")


def _contexts(context: Context, model: str, contexts: str, wish: "Wish", as_json: bool) -> None:
    from sparkwell.cli.plan import tables as plan_tables
    from sparkwell.planner.contexts import context_table, parse_contexts

    asked = parse_contexts(contexts)
    planning, target, wish = _asked(context, model, wish)
    question = planning.question(target, wish)
    rows = context_table(question.case, question.flags, asked)
    if as_json:
        click.echo(json.dumps(plan_tables.contexts_json(question, rows)))
    else:
        click.echo(plan_tables.contexts_page(question, rows))


def _several(context: Context, names: tuple[str, ...], wish: "Wish", as_json: bool) -> None:
    from sparkwell.app.planning.placing import place_models
    from sparkwell.cli.plan import tables as plan_tables

    models, settings = context.models, context.settings
    placement = place_models(models.planning, names, wish, settings, context.environ, models)
    machine = models.planning.machine(wish.hardware)
    if as_json:
        click.echo(json.dumps(plan_tables.placement_json(placement, machine)))
    else:
        click.echo(plan_tables.placement_page(placement, machine))


def _asked(context: Context, model: str, wish: "Wish") -> "tuple[Planning, Target, Wish]":
    """What is planned: on this machine what a start would be, on a described one the wish."""
    from sparkwell.app.planning.own_plans import as_started

    planning = context.models.planning
    target = planning.target(model)
    return planning, target, as_started(context.models, target, wish)
