"""The overlays of this host: flags that were measured, for one machine and engine version each."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sparkwell.catalog.tuned import GOALS, GoalName, Tuned, profile_of
from sparkwell.catalog.tuned_files import TunedFlags, load_tuned
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine


@dataclass(frozen=True, slots=True)
class Overlays:
    """Those of the package, and the user's own in ``folder``, which win."""

    folder: Path

    def read(self) -> TunedFlags:
        """All of them as the files are now: a daemon knows what was tuned since it began."""
        return load_tuned([self.folder])

    def get(self, recipe: str, goal: GoalName, machine: Machine, version: str) -> Tuned:
        """The overlay for just these; raises UsageError that says which there are."""
        every = self.read()
        found = _find(every, recipe, goal, machine, version)
        if found is None:
            where = _place(machine.name, machine.gpus, machine.total_bytes)
            raise UsageError(
                f"{recipe} was not tuned for {goal} on {where} with vLLM {version}, and so has no "
                f"profile {profile_of(goal)} there.",
                hint="\n".join(_ways(every, recipe, goal)),
            )
        return found

    def profiles(self, recipe: str, machine: Machine, version: str) -> tuple[str, ...]:
        """The profiles that there are for a recipe on a machine with a version."""
        every = self.read()
        goals = (goal for goal in GOALS if _find(every, recipe, goal, machine, version))
        return tuple(map(profile_of, goals))


def _find(
    every: TunedFlags, recipe: str, goal: GoalName, machine: Machine, version: str
) -> Tuned | None:
    return every.find(
        recipe, goal, machine.name, version, gpus=machine.gpus, total_bytes=machine.total_bytes
    )


def _ways(every: TunedFlags, recipe: str, goal: GoalName) -> Iterable[str]:
    there = dict.fromkeys(map(_described, every.of(recipe)))
    yield f"- There are: {'; '.join(there)}." if there else f"- {recipe} was tuned for nothing."
    yield f"- `sparkwell tune {recipe} --goal {goal}` finds flags for the machine that it runs on."
    yield from (f"- Overlay left out: {problem}" for problem in every.problems)


def _described(tuned: Tuned) -> str:
    where = _place(tuned.machine, tuned.gpus, tuned.total_bytes)
    return f"{tuned.profile} on {where} with vLLM {tuned.version}"


def _place(machine: str, gpus: int, total_bytes: int | None) -> str:
    count = f"{gpus} x " if gpus > 1 else ""
    size = f" ({total_bytes / GIB:.1f} GiB)" if total_bytes else ""
    return f"{count}{machine}{size}"
