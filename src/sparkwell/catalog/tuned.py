"""An overlay: flags that were measured to be better for a recipe on one machine, with evidence."""

import datetime
from typing import Annotated, Literal, get_args

from pydantic import (
    Field,
    FiniteFloat,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from sparkwell.catalog.recipe import FlagValue, Name, Part, Sentence

GoalName = Literal["throughput", "latency", "concurrency", "goodput"]
GOALS: tuple[GoalName, ...] = get_args(GoalName)
Limit = Annotated[PositiveFloat, Field(allow_inf_nan=False)]
# It becomes a part of a file's name.
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][\w.+-]*$", max_length=64)]
WITHOUT_GPU = "cpu"
"""What every host without a GPU is called."""
_PREFIX = "tuned-"
# MemTotal and what a driver keeps differ a little from one kernel or driver to the next.
_SAME_MEMORY = 0.05


def profile_of(goal: GoalName) -> str:
    """The profile that starts with an overlay for that goal."""
    return f"{_PREFIX}{goal}"


def goal_of(profile: str | None) -> GoalName | None:
    """The goal of such a profile; None for any other."""
    return next((goal for goal in GOALS if profile == profile_of(goal)), None)


class Slo(Part):
    """The limits that answers had to keep to, in seconds; None where there was none."""

    ttft_s: Limit | None = None
    tpot_s: Limit | None = None
    e2e_s: Limit | None = None


class Row(Part):
    """One figure of one workload, with the flags before and with those that were found.

    ``tuned_on`` says that the flags were chosen by this workload; the others were held back.
    A figure that nobody could take is None, and so is a ratio of it. ``low`` and ``high`` are the
    interval of ``ratio``.
    """

    workload: Sentence
    tuned_on: bool
    figure: Name
    before: FiniteFloat | None = None
    after: FiniteFloat | None = None
    ratio: FiniteFloat | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class Evidence(Part):
    """How the flags were found, and what they were measured to do."""

    date: datetime.date
    command: Sentence
    trials: PositiveInt
    sparkwell: Version
    rows: tuple[Row, ...] = Field(min_length=1)
    notes: tuple[Sentence, ...] = ()


class Tuned(Part):
    """Flags for one recipe, goal, machine and engine version; for no other.

    ``flags`` are all flags of the start. ``before`` are those that they were compared with, the
    ones of ``before_profile``: the way back. ``machine`` and ``title`` are the planner's, and so is
    ``total_bytes``, what an engine sees on one device; None where nobody wrote it down.
    """

    recipe: Name
    goal: GoalName
    slo: Slo | None = None
    machine: Name
    title: Sentence
    gpus: PositiveInt = 1
    total_bytes: PositiveInt | None = None
    engine: Literal["vllm"] = "vllm"
    version: Version
    flags: dict[Name, FlagValue]
    before: dict[Name, FlagValue]
    before_profile: Name = "balanced"
    evidence: Evidence

    @property
    def profile(self) -> str:
        """The profile that starts with these flags."""
        return profile_of(self.goal)

    @property
    def way_back(self) -> str:
        """The profile to start with instead; that of this name is another overlay by now."""
        return "balanced" if self.before_profile == self.profile else self.before_profile

    def is_of(self, machine: str, gpus: int | None, total_bytes: int | None) -> bool:
        """Whether it was measured on such a machine.

        Every host without a GPU is called "cpu", so the memory is compared where both are known.
        """
        alike = self.machine == machine and gpus in (None, self.gpus)
        return alike and is_same_memory(self.total_bytes, total_bytes)

    @model_validator(mode="after")
    def _cpus_are_told_apart(self) -> "Tuned":
        if self.machine == WITHOUT_GPU and self.total_bytes is None:
            raise ValueError(f"machine {WITHOUT_GPU} needs total_bytes: many have that name")
        return self


def is_same_memory(one: int | None, other: int | None) -> bool:
    """Whether two machines of one name may be the same by their bytes; None is not known."""
    return one is None or other is None or abs(other - one) <= _SAME_MEMORY * one
