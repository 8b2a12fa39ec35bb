"""Tunings as files: one each, small enough to be carried to another machine of its kind."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from sparkwell.app.tuning.document import FORMAT, Tuning
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.core.kept_names import named
from sparkwell.core.whole_files import write_whole
from sparkwell.tune.trial import Trial

_HINT = "`sparkwell tune list` names those that were kept."
MOST_BYTES = 16 * 1024**2


def save(file: Path, tuning: Tuning) -> None:
    """Write it whole or not at all; EnvironmentFault as where a disk is full."""
    text = _text(tuning)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text)
    except OSError as error:
        raise EnvironmentFault(
            f"The tuning could not be written to {file}: {error.strerror}.",
            hint="Make room there, and run the same command with --resume: it goes on.",
        ) from error


def _text(tuning: Tuning) -> bytes:
    """The oldest trials' logs are left out where it would be more than is read again."""
    text = _json(tuning)
    too_much = len(text) - MOST_BYTES
    return text if too_much <= 0 else _json(replace(tuning, trials=_lighter(tuning, too_much)))


def _lighter(tuning: Tuning, too_much: int) -> list[Trial]:
    """So many bytes at least: a log takes more in the file than as it is counted here."""
    trials = list(tuning.trials)
    for at, each in enumerate(tuning.trials):
        if too_much <= 0:
            break
        too_much -= len(msgspec.json.encode(each.lines))
        trials[at] = replace(each, lines=[])
    return trials


def _json(tuning: Tuning) -> bytes:
    return msgspec.json.format(msgspec.json.encode(tuning), indent=1)


def load(file: Path) -> Tuning:
    """Read one; UsageError for what is none."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file} is larger than any tuning.", hint=_HINT)
        tuning = msgspec.json.decode(file.read_bytes(), type=Tuning)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", hint=_HINT) from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{file} is no tuning: {error}.", hint=_HINT) from None
    if tuning.format != FORMAT:
        raise UsageError(
            f"{file} has format {tuning.format}; this Sparkwell knows {FORMAT}.",
            hint="A newer Sparkwell wrote it: update this one.",
        )
    return tuning


def kept(folder: Path) -> list[Path]:
    """The files of a folder, newest first: their names begin with their time."""
    return sorted(folder.glob("*.json"), key=lambda file: file.stem, reverse=True)


def find(folder: Path, name: str) -> Path:
    """By file, by name or how that begins, or by number from the newest (1)."""
    if name.endswith(".json"):
        return Path(name)
    names = [file.stem for file in kept(folder)]
    return folder / f"{named(names, name, 'tuning', _HINT)}.json"


def newest(folder: Path, model: str, goal: str, wanted: Callable[[Tuning], bool]) -> Path | None:
    """The newest of that model and goal that is ``wanted``; those that cannot be read are not."""
    for file in kept(folder):
        if f"-{model}-{goal}" in file.stem:
            try:
                tuning = load(file)
            except UsageError:
                continue
            if (tuning.model, tuning.goal) == (model, goal) and wanted(tuning):
                return file
    return None
