"""Which tuning a command means: one that begins, or one that goes on from its file."""

from pathlib import Path

from msgspec.structs import replace

from sparkwell.app.planning.planning import Wish
from sparkwell.app.service import ModelService
from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.beginning import TuneWish, begun, must_be_here
from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.hardware.machine import Machine

ASKED = (
    "model", "goal", "slo", "clients", "prompt_tokens", "output_tokens", "repeats", "profile",
    "given", "guessing",
)  # fmt: skip
"""What makes a tuning another one."""


def opened(
    folder: Path,
    wish: TuneWish,
    here: Machine,
    most_tokens: int | None,
    *,
    resume: bool,
    state: Path | None,
) -> tuple[Path, Tuning]:
    """The file, and what is in it: of an earlier part where there is one that is asked for.

    Raises UsageError for one that is not there, or is of another question or machine.
    """
    file = _waiting(folder, wish) if resume and state is None else state
    if resume and not (file and file.exists()):
        raise UsageError(f"There is no {file} to go on with.", hint="Leave --resume out.")
    new = begun(wish, here, most_tokens)
    if file is not None and file.exists():
        tuning = keeping.load(file)
        must_be_here(tuning, here)
        return file, gone_on_with(tuning, new, file)
    return file or folder / f"{new.id}.json", new


def _waiting(folder: Path, wish: TuneWish) -> Path:
    """The newest that was not finished, or whose gain did not hold with other repeats."""
    file = keeping.newest(folder, wish.model, wish.goal, lambda each: waits(each, wish))
    if file is None:
        raise UsageError(
            f"No tuning of {wish.model} for {wish.goal} waits to be gone on with.",
            hint="Leave --resume out, and one begins.",
        )
    return file


def waits(tuning: Tuning, wish: TuneWish) -> bool:
    """Whether there is something to go on with: the search, or a check with other repeats."""
    if tuning.outcome is None:
        return True
    other = wish.check_repeats not in (None, tuning.check_repeats)
    return tuning.outcome.holds is False and other


def gone_on_with(tuning: Tuning, new: Tuning, file: Path) -> Tuning:
    """The same question with another budget is the same tuning; another question is not."""
    others = [name for name in ASKED if getattr(tuning, name) != getattr(new, name)]
    if others:
        raise UsageError(
            f"{file} was begun with another {', '.join(others)}.",
            hint=f"Repeat its command, {tuning.command!r}, or begin anew without that file.",
        )
    kept = new.check_repeats or tuning.check_repeats
    same = (new.budget_s, new.most_trials) == (tuning.budget_s, tuning.most_trials)
    held = tuning.outcome is not None and tuning.outcome.holds
    if same and (held or kept == tuning.check_repeats):
        return tuning
    return replace(
        tuning, budget_s=new.budget_s, most_trials=new.most_trials, check_repeats=kept,
        command=new.command, earlier=checks(tuning),
        outcome=None,  # what came of less: the search goes on
    )  # fmt: skip


def checks(tuning: Tuning) -> list[Outcome]:
    """All that were made."""
    last = tuning.outcome
    return [*tuning.earlier, *([last] if last is not None and last.gains else [])]


def longest(models: ModelService, wish: TuneWish) -> int | None:
    """The longest sequence that the model will take with the flags from before, if it is known."""
    try:
        own = models.changes_of(wish.model)
        asked = Wish(profile=wish.profile or own.profile, flags={**own.flags, **wish.given})
        plan = models.planning.plan(wish.model, asked)
    except SparkwellError:
        return None
    return plan.settings.max_model_len
