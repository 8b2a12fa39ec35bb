"""A plan as the warnings look at it."""

from collections.abc import Mapping
from typing import NamedTuple

from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.fit import Case, Flags
from sparkwell.planner.memory import Memory
from sparkwell.planner.settings import Settings


class Planned(NamedTuple):
    """A plan with what it was made of."""

    case: Case
    flags: Flags
    siblings: Mapping[str, str]
    settings: Settings
    memory: Memory

    @property
    def machine(self) -> Machine:
        """The machine that it is for."""
        return self.case.machine

    @property
    def rules(self) -> EngineRules:
        """The rules of the engine version."""
        return self.case.rules


def gib(count: float) -> str:
    """Bytes in words, "31.9 GiB"."""
    return f"{count / GIB:.1f} GiB"
