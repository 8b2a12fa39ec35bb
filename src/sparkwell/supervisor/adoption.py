"""Taking over what an earlier daemon left running."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sparkwell.core.errors import SparkwellError
from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.core.phases import Phase
from sparkwell.core.protocols import Driver
from sparkwell.supervisor.aides import OnDemand
from sparkwell.supervisor.box import Leaving
from sparkwell.supervisor.deeds import Deeds
from sparkwell.supervisor.messages import Adopted
from sparkwell.supervisor.runs import Runs

logger = logging.getLogger(__name__)


def _nobody_knows(_instance: str) -> bool | None:
    return None


def _nobody_left(_model: str) -> tuple[Leaving, ...] | None:
    return None


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier daemon wrote down of what may still run.

    ``kept`` says of an instance whether a person wants it, None where nobody wrote that down.
    ``made_room`` names those that left for a model in a switch that was not over, None where there
    was none; ``labels`` are those of their last runs.
    """

    kept: Callable[[str], bool | None] = _nobody_knows
    made_room: Callable[[str], tuple[Leaving, ...] | None] = _nobody_left
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NOTHING_KNOWN = Earlier()


class Adoption:
    """Takes over one after the other.

    ``lives`` says whether an instance of a model is there; ``tell`` takes the event of one that
    is taken over.
    """

    def __init__(
        self,
        driver: Driver,
        deeds: Deeds,
        runs: Runs,
        on_demand: OnDemand,
        *,
        lives: Callable[[str], bool],
        tell: Callable[[Adopted], None],
    ) -> None:
        self._driver = driver
        self._deeds = deeds
        self._runs = runs
        self._on_demand = on_demand
        self._lives = lives
        self._tell = tell

    async def all(self, earlier: Earlier = NOTHING_KNOWN) -> None:
        """Whatever the driver finds. Raises SparkwellError when it cannot look."""
        for running in await self._driver.running():
            await self._take_over(running, earlier)

    async def _take_over(self, running: Running, earlier: Earlier) -> None:
        spec = running.spec
        if spec.instance in self._runs.specs:
            return  # our own: it was started while the driver was looking
        asleep = await self._deeds.is_asleep(spec)
        if self._lives(spec.model):
            await self._end_the_second(spec)
            return
        self._runs.specs[spec.instance] = spec
        self._runs.processes[spec.instance] = running
        self._runs.last[spec.model] = spec.labels
        adopted = self._adopted(spec, earlier, asleep=asleep)
        for each in adopted.made_room or ():
            self._runs.last.setdefault(each.model, earlier.labels.get(each.model, {}))
        self._tell(adopted)
        self._runs.timelines[spec.instance].entered[Phase.LAUNCH] = running.started_at

    def _adopted(self, spec: LaunchSpec, earlier: Earlier, *, asleep: bool) -> Adopted:
        kept = earlier.kept(spec.instance) is not False  # unknown: more is lost where it ends
        return Adopted(
            spec.model,
            spec.instance,
            self._on_demand.terms(spec, kept=kept),
            spec.held_bytes,
            kept=kept,
            asleep=asleep,
            made_room=None if asleep else earlier.made_room(spec.model),
        )

    async def _end_the_second(self, spec: LaunchSpec) -> None:
        """A model has one instance; another one is left over from a crash."""
        try:
            await self._driver.stop(spec.instance)
        except SparkwellError as error:
            logger.error("The second engine of %s cannot be ended: %s", spec.model, error)
