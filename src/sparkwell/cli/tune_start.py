"""What a tuning starts from: what it needs, its document, a machine that has nothing else to do."""

from pathlib import Path
from typing import TYPE_CHECKING

from sparkwell.cli.client import AdminClient, is_running
from sparkwell.cli.context import Context
from sparkwell.cli.extras import install_command
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError

ASKED = (
    "model", "goal", "slo", "clients", "prompt_tokens", "output_tokens", "repeats", "profile",
    "given", "guessing",
)  # fmt: skip
"""What makes a tuning another one."""

if TYPE_CHECKING:
    from sparkwell.app.tuning.beginning import TuneWish
    from sparkwell.app.tuning.document import Tuning


def have_optuna() -> None:
    """Raise EnvironmentFault where the library that searches is not installed."""
    from importlib.util import find_spec

    if find_spec("optuna") is None:
        raise EnvironmentFault(
            "`sparkwell tune` searches with Optuna, which is not installed.",
            hint=install_command("tune"),
        )


def document(
    context: Context, wish: "TuneWish", *, resume: bool, state: Path | None
) -> "tuple[Path, Tuning]":
    """The file, and what is in it: of an earlier part where there is one that is asked for."""
    from sparkwell.app.tuning import keeping
    from sparkwell.app.tuning.beginning import begun, must_be_here

    folder, here = context.paths.tunings, context.planning.here
    file = state
    if resume and file is None:
        file = keeping.unfinished(folder, wish.model, wish.goal)
        if file is None:
            raise UsageError(
                f"No tuning of {wish.model} for {wish.goal} waits to be gone on with.",
                hint="Leave --resume out, and one begins.",
            )
    new = begun(wish, here, _longest(context, wish))
    if resume and not (file and file.exists()):
        raise UsageError(f"There is no {file} to go on with.", hint="Leave --resume out.")
    if file is not None and file.exists():
        tuning = keeping.load(file)
        must_be_here(tuning, here)
        return file, _gone_on_with(tuning, new, file)
    return file or folder / f"{new.id}.json", new


def _gone_on_with(tuning: "Tuning", new: "Tuning", file: Path) -> "Tuning":
    """The same question with another budget is the same tuning; another question is not."""
    others = [name for name in ASKED if getattr(tuning, name) != getattr(new, name)]
    if others:
        raise UsageError(
            f"{file} was begun with another {', '.join(others)}.",
            hint=f"Repeat its command, {tuning.command!r}, or begin anew without that file.",
        )
    more = (new.budget_s, new.most_trials) != (tuning.budget_s, tuning.most_trials)
    if more:
        tuning.outcome = None  # what came of less: the search goes on
        tuning.command = new.command
    tuning.budget_s, tuning.most_trials = new.budget_s, new.most_trials
    return tuning


def _longest(context: Context, wish: "TuneWish") -> int | None:
    """The longest sequence that the model will take with the flags from before."""
    from sparkwell.app.planning import Wish
    from sparkwell.core.errors import SparkwellError

    try:
        own = context.models.changes_of(wish.model)
        asked = Wish(profile=wish.profile or own.profile, flags={**own.flags, **wish.given})
        plan = context.planning.plan(wish.model, asked)
    except SparkwellError:
        return None
    return plan.settings.max_model_len


async def alone(context: Context, model: str) -> None:
    """Raise ConflictError where other models run: they would be measured too."""
    async with AdminClient(context.paths) as client:
        if not await is_running(client):
            return
        status = await client.get("status")
    others = [
        each["model"]
        for each in status["instances"]
        if each["state"] != "failed" and each["model"] != model
    ]
    if others:
        raise ConflictError(
            f"{', '.join(others)} runs here, and would be measured with {model}.",
            hint=f"Stop it first: `sparkwell down {others[0]}`.",
        )
