"""What a tuning needs of the world: an engine that is started with flags, asked, and stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sparkwell.bench.figures import Slo
from sparkwell.bench.results import Repeat
from sparkwell.bench.suites import Case
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import SparkwellError


class TrialError(SparkwellError):
    """An engine did not start, or ended while it was measured."""

    code = "trial_failed"


@dataclass(frozen=True, slots=True)
class Started:
    """All flags of an engine that is ready, and what it is."""

    flags: Mapping[str, Any]
    engine: str
    version: str


class Rig(Protocol):
    """One engine at a time."""

    @property
    def started(self) -> Started:
        """What was started last; only after a start."""
        ...

    async def start(self, flags: Mapping[str, FlagValue], profile: str | None) -> Started:
        """Start the model with these flags over a profile's, in the place of what runs of it.

        Raises ConflictError where it does not fit, TrialError where the engine fails.
        """
        ...

    async def measure(self, case: Case, repeats: int, seed: str, slo: Slo | None) -> list[Repeat]:
        """Measure what runs; raises TrialError where it ends meanwhile."""
        ...

    def log(self) -> Sequence[str]:
        """The last lines of the log of the engine that was started last, or was to be."""
        ...
