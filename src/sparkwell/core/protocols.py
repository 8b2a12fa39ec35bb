"""The seams: what rooms ask of each other without knowing who answers."""

from collections.abc import AsyncIterator
from typing import Protocol

from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running


class Driver(Protocol):
    """Runs engines: as processes, in containers. One instance id names one run, for ever.

    Every method may be called from one event loop only. A driver keeps no state that it could
    not find again after a restart: what runs is what the operating system says.
    """

    @property
    def name(self) -> str:
        """The driver's name in status output, e.g. ``process``."""
        ...

    def endpoint(self, instance: str) -> Endpoint:
        """Where an instance of that id will answer. Pure: nothing is created."""
        ...

    async def start(self, spec: LaunchSpec) -> Running:
        """Start the engine and return as soon as it runs (not: is ready).

        Raises EnvironmentFault when it cannot be started at all.
        """
        ...

    async def wait(self, instance: str) -> ExitRecord:
        """Return when the instance, every descendant included, has ended."""
        ...

    async def stop(self, instance: str, grace_s: float | None = None) -> ExitRecord:
        """End the instance: gently, after ``grace_s`` seconds by force; then be sure.

        Returns when no process of it is left. Stopping what has ended returns its record.
        """
        ...

    async def running(self) -> list[Running]:
        """All live instances, also those that an earlier daemon started."""
        ...

    def knows(self, instance: str) -> bool:
        """Whether an instance of that id was started and is not forgotten."""
        ...

    def log_path(self, instance: str) -> str:
        """The file with the newest part of the instance's output."""
        ...

    def follow(self, instance: str, *, from_start: bool = True) -> AsyncIterator[str]:
        """Lines of the instance's output as they come; ends when the instance has ended."""
        ...

    async def written(self, instance: str) -> tuple[list[str], list[str]]:
        """The output so far: its lines as following cuts them, and a last one without an end."""
        ...

    def ended(self) -> list[tuple[LaunchSpec, ExitRecord]]:
        """Ended instances that are still remembered, the latest end first."""
        ...

    def prune(self, keep_per_model: int) -> list[str]:
        """Forget ended instances, logs included, but the latest few of each model.

        Returns the ids that are gone.
        """
        ...
