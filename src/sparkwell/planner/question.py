"""What a plan is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned import Tuned
from sparkwell.core.phases import Phase
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.fit import Case
from sparkwell.planner.memory import Calibration
from sparkwell.planner.pace import AS_MODELLED, Pace

Basis = Literal["measured here", "modelled, corrected by starts with other flags", "modelled"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a plan is asked for.

    ``flags`` are all flags of the start, ``reasons`` a sentence for each that was computed.
    ``calibration`` and ``history`` (seconds by phase) are what this machine has seen;
    ``basis`` says how far. ``beside_bytes`` is held by other engines on the same device,
    ``present_bytes`` of the weights are on the disk already.
    ``siblings`` are repositories of the same model in other formats, by format. ``sleep_level`` is
    the level at which an engine with sleep mode will sleep, None where nobody has said. ``pace`` is
    how fast the model was when it was measured here. ``tuned`` is the overlay that the flags are
    of, None where they are of none.
    """

    described: Described
    machine: Machine
    rules: EngineRules
    flags: Mapping[str, FlagValue]
    reasons: Mapping[str, str] = field(default_factory=dict)
    corrections: tuple[str, ...] = ()
    calibration: Calibration | None = None
    basis: Basis = "modelled"
    history: Mapping[Phase, float] | None = None
    beside_bytes: int = 0
    present_bytes: int = 0
    siblings: Mapping[str, str] = field(default_factory=dict)
    others: tuple[Machine, ...] = ()
    sleep_level: int | None = None
    pace: Pace = AS_MODELLED
    tuned: Tuned | None = None

    @property
    def case(self) -> Case:
        """What of it stays the same while flags are tried."""
        return Case(
            self.described,
            self.machine,
            self.rules,
            self.beside_bytes,
            self.calibration,
            self.flags,
            self.sleep_level,
        )
