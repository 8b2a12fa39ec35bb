"""What a verification has found so far: its steps, and what each of them brought."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from sparkwell.core.findings import Finding
from sparkwell.hardware.machine import Machine
from sparkwell.planner.plan import Plan

Json = dict[str, Any]
State = Literal["done", "failed", "skipped", "stopped"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how it ended, in how many seconds, and why where it is not done."""

    name: str
    state: State
    seconds: float = 0.0
    why: str | None = None
    hint: str | None = None
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> Json:
        """The step as a JSON object; its keys are stable."""
        return {
            "name": self.name,
            "state": self.state,
            "seconds": round(self.seconds, 3),
            "why": self.why,
            "hint": self.hint,
            "findings": [each.to_json() for each in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Started:
    """What a start took, as engine, daemon and machine said it; None where nobody did.

    Sizes are bytes of one device, as the engine's log has them; ``held_bytes`` is by how much the
    memory in use grew from before the start to after the load, all devices together. ``phases``
    are seconds by phase, without what was fetched or waited for; ``seconds`` is their sum.
    ``warm`` says that compiled code of an earlier start was used.
    """

    weights_bytes: int | None = None
    kv_cache_tokens: int | None = None
    kv_cache_bytes: int | None = None
    graphs_bytes: int | None = None
    total_bytes: int | None = None
    held_bytes: int | None = None
    warm: bool | None = None
    seconds: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)

    def holding(self, held_bytes: int | None) -> "Started":
        """The same with what it holds."""
        return replace(self, held_bytes=held_bytes)

    def to_json(self) -> Json:
        """The figures as a JSON object, which ``Started(**it)`` reads again."""
        return asdict(self)


@dataclass(slots=True)
class Gathered:
    """All of it. What is None was not reached, or is not known.

    ``plan`` is the model's own word: nothing that was measured on this machine before has
    corrected it. ``instance`` is the run in the words of the daemon's status, ``bench`` the
    document of the measurement. ``ran_before`` is a model that was there already.
    """

    model: str
    suite: str
    repeats: int
    at: float
    machine: Machine
    system: Mapping[str, str | None] = field(default_factory=dict)
    ran_before: bool = False
    plan: Plan | None = None
    instance: Mapping[str, Any] | None = None
    started: Started = field(default_factory=Started)
    preflight: Json | None = None
    doctor: Json | None = None
    bench: Json | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def failed(self) -> Step | None:
        """The first step that is neither done nor left out for a reason; None where all went."""
        return next((each for each in self.steps if each.state in ("failed", "stopped")), None)

    @property
    def stopped(self) -> bool:
        """Whether somebody ended it by hand."""
        return any(each.state == "stopped" for each in self.steps)
