"""Overlays as files: those of the package and the user's own, read and written."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from sparkwell.catalog.tuned import WITHOUT_GPU, GoalName, Tuned
from sparkwell.core.documents import parse_document
from sparkwell.core.errors import DocumentError, EnvironmentFault
from sparkwell.core.units import GIB
from sparkwell.core.whole_files import draft

SHIPPED_TUNED = Path(__file__).parent / "tuned"


@dataclass(frozen=True, slots=True)
class TunedFlags:
    """Overlays, the one that wins last. ``problems`` are files left out, a message each."""

    overlays: tuple[Tuned, ...] = ()
    problems: tuple[str, ...] = ()

    def find(
        self,
        recipe: str,
        goal: GoalName,
        machine: str,
        version: str,
        *,
        gpus: int | None = None,
        total_bytes: int | None = None,
    ) -> Tuned | None:
        """The overlay for just these, or None; ``gpus`` and ``total_bytes`` None are not compared.

        No other machine's is taken, and no other version's.
        """
        found = (
            each
            for each in reversed(self.of(recipe))
            if (each.goal, each.version) == (goal, version)
            and each.is_of(machine, gpus, total_bytes)
        )
        return next(found, None)

    def of(self, recipe: str) -> tuple[Tuned, ...]:
        """All that there is for a recipe."""
        return tuple(each for each in self.overlays if each.recipe == recipe)


def load_tuned(folders: Iterable[Path] = ()) -> TunedFlags:
    """Read the shipped overlays, then those of ``folders``; a later one wins over an earlier.

    A file that is not right becomes one of the ``problems``; the others still load.
    """
    overlays: list[Tuned] = []
    problems: list[str] = []
    for folder in [SHIPPED_TUNED, *folders]:
        for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
            try:
                overlays.append(_load(file))
            except DocumentError as error:
                problems.append(error.message)
    return TunedFlags(tuple(overlays), tuple(problems))


def file_name(tuned: Tuned) -> str:
    """RECIPE.MACHINE.VERSION.GOAL.yaml; several GPUs are in MACHINE, or a CPU's memory."""
    machine = tuned.machine if tuned.gpus == 1 else f"{tuned.machine}-x{tuned.gpus}"
    if tuned.machine == WITHOUT_GPU and tuned.total_bytes is not None:
        machine = f"{machine}-{round(tuned.total_bytes / GIB)}gib"
    return f"{tuned.recipe}.{machine}.{tuned.version}.{tuned.goal}.yaml"


def write_tuned(folder: Path, tuned: Tuned) -> Path:
    """Write an overlay, whole or not at all; one of that name is kept beside it as ``.old``.

    Raises EnvironmentFault where it cannot be written.
    """
    target = folder / file_name(tuned)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with draft(target, as_yaml(tuned).encode()) as made:
            _keep(target)
            made.replace(target)
    except OSError as error:
        raise EnvironmentFault(
            f"{target} cannot be written: {error.strerror or error}.",
            hint="Make room there, or see to it that this user may write there.",
        ) from None
    return target


def as_yaml(tuned: Tuned) -> str:
    """The overlay as its file has it; fields that say nothing are left out."""
    fields = tuned.model_dump(exclude_none=True)
    text = yaml.safe_dump(_as_lists(fields), sort_keys=False, width=100, allow_unicode=True)
    return str(text)


def _load(file: Path) -> Tuned:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{file}: this file cannot be read: {error}") from None
    return parse_document(text, Tuned, str(file))


def _as_lists(value: object) -> object:
    """YAML has lists, no tuples."""
    if isinstance(value, dict):
        return {key: _as_lists(each) for key, each in value.items()}
    return [_as_lists(each) for each in value] if isinstance(value, tuple | list) else value


def _keep(target: Path) -> None:
    """A copy of what is there: at no moment there is none under its own name."""
    if target.exists():
        shutil.copy2(target, target.with_name(f"{target.name}.old"))
