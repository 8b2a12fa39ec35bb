"""`sparkwell tune`: find flags that are faster here, by measuring."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from sparkwell.catalog.tuned import GoalName
from sparkwell.cli.alone import alone
from sparkwell.cli.client import Json, run
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.options import SloOption, WithModel
from sparkwell.cli.times import Span
from sparkwell.cli.tune.runs import apply, list_, show
from sparkwell.cli.tune.start import have_optuna
from sparkwell.planner.profile_names import PROFILES

if TYPE_CHECKING:
    from sparkwell.app.tuning.document import Tuning
    from sparkwell.bench.figures import Slo

UNMET = 1


@click.group(cls=WithModel, short_help="Find flags that are faster here, by measuring.")
def tune() -> None:
    """Find flags of the engine that are faster on this machine, by measuring.

    \b
      sparkwell tune qwen3-8b-fp8 --goal throughput
      sparkwell tune qwen3-8b-fp8 --goal goodput --slo ttft=2s --budget 1h
      sparkwell tune list                    the tunings that were kept
      sparkwell up qwen3-8b-fp8 --profile tuned-goodput
    """  # noqa: D301 - \b is click's mark for "leave these lines alone"


@tune.command("run")
@click.argument("model")
@click.option(
    "--goal",
    type=click.Choice(get_args(GoalName)),
    required=True,
    help="What counts: tokens a second, an answer's time with few clients, the most clients at "
    "once that keep the SLO, or requests a second that keep it.",
)
@click.option(
    "--slo",
    type=SloOption(),
    metavar="TIMES",
    help="What a request has to keep, e.g. ttft=2s,tpot=50ms.  "
    "[default: ttft=2s for goodput; ttft=2s,tpot=100ms for concurrency]",
)
@click.option(
    "--budget",
    "budget_s",
    type=Span(),
    default="1h",
    show_default=True,
    metavar="TIME",
    help="Time for all of it, the check at the end too.",
)
@click.option("--trials", type=click.IntRange(1), help="At most so many starts in the search.")
@click.option(
    "--clients",
    type=click.IntRange(1, 10_000),
    help="Clients at once.  [default: 256 on a GPU, 64 where its memory is the system's own, 16 on "
    "a CPU; for latency 8, and 2 on a CPU]",
)
@click.option("--prompt-tokens", type=click.IntRange(1), help="Of a prompt.  [default: 512]")
@click.option("--output-tokens", type=click.IntRange(1), help="Of an answer.  [default: 256]")
@click.option(
    "--repeats", type=click.IntRange(1, 10), default=2, show_default=True, help="Of each trial."
)
@click.option(
    "--check-repeats",
    type=click.IntRange(2, 10),
    help="Of each workload in the check.  [default: 3, and 2 where it would take more than half of "
    "the budget]",
)
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="What the flags from before are chosen for: all are compared with those.",
)
@click.option(
    "--set", "sets", multiple=True, metavar="FLAG=VALUE", help="A flag that stays as it is."
)
@click.option(
    "--speculative",
    is_flag=True,
    help="Try speculative decoding too; prompts here are random, so it tells little.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the newest that was not finished; with other --check-repeats also with one "
    "whose gain did not hold.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep it in that file, and go on with what is in it.",
)
@json_option
@pass_context
def run_(
    context: Context,
    /,
    model: str,
    goal: GoalName,
    slo: "Slo | None",
    budget_s: float,
    trials: int | None,
    clients: int | None,
    prompt_tokens: int | None,
    output_tokens: int | None,
    repeats: int,
    check_repeats: int | None,
    profile: str | None,
    sets: tuple[str, ...],
    speculative: bool,
    resume: bool,
    state: Path | None,
    as_json: bool,
) -> int:
    """Start MODEL with other flags again and again, measure each, and check the best.

    Nothing that the plan refuses is started. Every trial is kept, and a search that was ended goes
    on with --resume. The best flags are measured against those from before on two workloads that
    they were not tuned on; where the gain holds they become the profile tuned-GOAL. The model
    is left as it was.
    """
    have_optuna()
    from sparkwell.app.planning.planning import parse_flags
    from sparkwell.app.tuning.beginning import TuneWish
    from sparkwell.app.tuning.resuming import longest, opened

    wish = TuneWish(
        model=context.catalog.get(model).name, goal=goal, slo=slo, clients=clients,
        prompt_tokens=prompt_tokens, output_tokens=output_tokens, repeats=repeats,
        budget_s=budget_s, most_trials=trials, check_repeats=check_repeats, profile=profile,
        given=parse_flags(sets), guessing=speculative,
        command=shlex.join(["sparkwell", *sys.argv[1:]]),
    )  # fmt: skip
    file, tuning = opened(
        context.paths.tunings, wish, context.planning.here, longest(context.models, wish),
        resume=resume, state=state,
    )  # fmt: skip
    run(alone(context, wish.model))
    return _tuned(context, file, tuning, as_json=as_json)


def _tuned(context: Context, file: Path, tuning: "Tuning", *, as_json: bool) -> int:
    """Run it, show what came of it, and leave the machine as it was."""
    from sparkwell.cli.tune.course import Course
    from sparkwell.cli.tune.text import text

    try:
        course = Course(context, file, tuning, quiet=as_json)
        course.run() if tuning.outcome is None else course.make_good()
    except KeyboardInterrupt:
        click.echo(f"Kept as {file}; the same command with --resume goes on.", err=True)
        raise
    click.echo(_json(tuning) if as_json else text(tuning))
    return 0 if tuning.outcome is not None and tuning.outcome.winner is not None else UNMET


def _json(tuning: "Tuning") -> str:
    """As in its file: a figure without limit, as of answers that never came, is null."""
    import msgspec

    told: Json = msgspec.json.decode(msgspec.json.encode(tuning))
    return json.dumps(told)


for each in (list_, show, apply):
    tune.add_command(each)
