"""A tuning as it is kept: what was asked for, every trial, what came of it."""

from typing import Any

import msgspec

from sparkwell.bench.figures import Slo
from sparkwell.bench.workload import Workload
from sparkwell.catalog.tuned import GoalName
from sparkwell.tune.goal import Goal
from sparkwell.tune.knobs import Knob
from sparkwell.tune.trial import Trial

FORMAT = 1


class KnobPart(msgspec.Struct, frozen=True):
    """A knob as it is kept."""

    name: str
    values: list[Any]
    ordered: bool


class Place(msgspec.Struct, frozen=True):
    """The machine and the engine that the figures are of."""

    machine: str
    title: str
    gpus: int
    total_bytes: int
    engine: str
    version: str


class Outcome(msgspec.Struct, frozen=True):
    """What came of it. ``holds`` is None where there was nothing to check, or no time.

    ``gains`` are gain.Gain as JSON; ``overlay`` is the file that was written. ``outweighed`` are
    flags of this host's settings, which win over a profile's. ``notes`` speak against figures.
    ``repeats`` are those of each workload in the check.
    """

    said: str
    winner: int | None = None
    holds: bool | None = None
    gains: list[dict[str, Any]] = []
    overlay: str | None = None
    outweighed: dict[str, Any] = {}
    notes: list[str] = []
    repeats: int | None = None

    def briefly(self, when: str) -> str:
        """A check in a sentence: ``Trial 3 was checked first, 2 repeats: the gain …``."""
        figures = [
            f"{each['verdict']} on {each['workload']}"
            for each in self.gains
            if each["figure"] == self.gains[0]["figure"]
        ]
        repeats = "" if self.repeats is None else f", {self.repeats} repeats"
        said = self.said[:1].lower() + self.said[1:].removesuffix(".")
        return f"Trial {self.winner} {when}{repeats}: {said} ({'; '.join(figures)})."


class Tuning(msgspec.Struct, kw_only=True):
    """``workloads`` begin with the one that is tuned on. Times are seconds.

    While it runs, its ledger alone changes it.

    ``given`` are the flags that somebody fixed; ``profile`` is that of the flags from before.
    ``earlier`` are the checks that were made beside and before the one of the outcome.
    """

    format: int = FORMAT
    id: str
    model: str
    goal: GoalName
    slo: dict[str, Any] | None
    clients: list[int]
    workloads: list[dict[str, Any]]
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    repeats: int
    budget_s: float
    most_trials: int | None = None
    check_repeats: int | None = None
    seed: str
    command: str
    sparkwell: str
    began: float
    profile: str | None = None
    given: dict[str, Any] = {}
    guessing: bool = False
    spent_s: float = 0.0
    place: Place | None = None
    knobs: list[KnobPart] = []
    trials: list[Trial] = []
    earlier: list[Outcome] = []
    outcome: Outcome | None = None

    @property
    def aim(self) -> Goal:
        """The goal with its SLO and clients."""
        slo = None if self.slo is None else Slo(**self.slo)
        return Goal(self.goal, slo, tuple(self.clients))

    @property
    def space(self) -> tuple[Knob, ...]:
        """The knobs; empty before the first start."""
        return tuple(Knob(each.name, tuple(each.values), each.ordered) for each in self.knobs)

    @property
    def loads(self) -> tuple[Workload, ...]:
        """The workloads, that which is tuned on first."""
        return tuple(Workload(**each) for each in self.workloads)

    @property
    def before(self) -> Trial | None:
        """The trial with the flags from before; None where they have not served yet."""
        first = (each for each in self.trials if each.number == 0 and each.end == "measured")
        return next(first, None)
