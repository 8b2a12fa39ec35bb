"""One driver over several: each instance belongs to the one that its spec asks for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Container, Mapping

from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.core.protocols import Driver

PROCESS, COMPOSE = "process", "compose"

log = logging.getLogger(__name__)


def route(spec: LaunchSpec, names: Container[str]) -> str:
    """Choose which of the drivers ``names`` runs a spec. Pure.

    A spec with a container runs in one. An engine that has a driver of its own name (ollama
    loads into a server) goes to that, everything else is a process.
    """
    if spec.container is not None:
        return COMPOSE
    return spec.engine if spec.engine in names else PROCESS


class RoutingDriver:
    """The Driver protocol over drivers by name; ``process`` and ``compose`` are among them.

    An id names one run in all of them together, as long as nobody makes an id twice.
    """

    name = "auto"

    def __init__(self, drivers: Mapping[str, Driver]) -> None:
        self._drivers = dict(drivers)

    def driver_of(self, instance: str) -> str:
        """The name of the driver that has the instance; raises UsageError for none."""
        for name, driver in self._drivers.items():
            if driver.knows(instance):
                return name
        raise UsageError(f"There is no instance {instance}.")

    def knows(self, instance: str) -> bool:
        """Whether any driver knows the instance."""
        return any(driver.knows(instance) for driver in self._drivers.values())

    def endpoint(self, instance: str) -> Endpoint:
        """Where a process of that id will answer; for a container ask ``endpoint_for``."""
        return self.endpoint_for(instance, container=False)

    def endpoint_for(self, instance: str, *, container: bool) -> Endpoint:
        """Where an instance of that id will answer, as a process or in a container."""
        return self._drivers[COMPOSE if container else PROCESS].endpoint(instance)

    async def start(self, spec: LaunchSpec) -> Running:
        """Start the engine where its spec says; raises what that driver raises."""
        return await self._drivers[route(spec, self._drivers)].start(spec)

    async def wait(self, instance: str) -> ExitRecord:
        """Return when the instance has ended."""
        return await self._of(instance).wait(instance)

    async def stop(self, instance: str, grace_s: float | None = None) -> ExitRecord:
        """End the instance and be sure of it."""
        return await self._of(instance).stop(instance, grace_s)

    async def running(self) -> list[Running]:
        """All live instances that can be found, the oldest first.

        A driver that cannot tell is logged: the others' instances are served all the same.
        """
        found, faults = await self.look()
        for fault in faults:
            log.warning("%s", fault)
        return found

    async def look(self) -> tuple[list[Running], list[SparkwellError]]:
        """The live instances, the oldest first, and why some drivers cannot tell theirs."""
        every = await asyncio.gather(*map(_ask, self._drivers.values()))
        found = [one for answer in every if isinstance(answer, list) for one in answer]
        faults = [answer for answer in every if isinstance(answer, SparkwellError)]
        return sorted(found, key=lambda one: one.started_at), faults

    def log_path(self, instance: str) -> str:
        """The file with the newest part of the output; a container's is there after its end."""
        return self._of(instance).log_path(instance)

    def follow(self, instance: str, *, from_start: bool = True) -> AsyncIterator[str]:
        """Lines of output until the instance has ended; raises UsageError at once."""
        return self._of(instance).follow(instance, from_start=from_start)

    async def written(self, instance: str) -> tuple[list[str], list[str]]:
        """The output so far, and a last line without an end."""
        return await self._of(instance).written(instance)

    def ended(self) -> list[tuple[LaunchSpec, ExitRecord]]:
        """Ended instances of all drivers, the latest end first."""
        every = [pair for driver in self._drivers.values() for pair in driver.ended()]
        return sorted(every, key=lambda pair: pair[1].ended_at, reverse=True)

    def prune(self, keep_per_model: int) -> list[str]:
        """Forget ended instances but the latest few that each driver has of each model."""
        return [gone for driver in self._drivers.values() for gone in driver.prune(keep_per_model)]

    def _of(self, instance: str) -> Driver:
        return self._drivers[self.driver_of(instance)]


async def _ask(driver: Driver) -> list[Running] | SparkwellError:
    try:
        return await driver.running()
    except SparkwellError as error:
        return error
