"""Who helps the supervisor with what is not its own: memory, intents, starts that nobody named."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.findings import Finding
from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.core.phases import PhaseMark
from sparkwell.supervisor.instance import Instance
from sparkwell.supervisor.terms import Terms

OnMark = Callable[[PhaseMark], None]

Prepare = Callable[[str], LaunchSpec]
"""Makes the launch spec for an instance id; raises SparkwellError when it cannot be launched."""

Provide = Callable[[OnMark], Awaitable[LaunchSpec]]
"""Fetches what a start lacks, telling how far it is, and makes the spec that is launched."""

Measured = Callable[[LaunchSpec, Mapping[str, float]], Awaitable[None]]
"""Takes what a start that became ready said of itself: figures by name, e.g. weights_gib."""

Diagnose = Callable[[LaunchSpec, Instance, ExitRecord], Awaitable[tuple[Finding, ...]]]
"""Says why a run failed, the worst first; soon, and never raises. Asked twice, it says the same."""


class OnDemand(Protocol):
    """Makes the starts that nobody gave a spec for: for a request, after a crash, to go back."""

    async def start(
        self, model: str, before: Mapping[str, str] | None, beside: Mapping[str, int]
    ) -> tuple[Prepare, Provide]:
        """The start of a model; ``beside`` is what others hold, in bytes by model.

        ``before`` are the labels of its last run, None where it had none: a person's flags stay.
        Raises SparkwellError.
        """
        ...

    def terms(self, spec: LaunchSpec, *, kept: bool) -> Terms:
        """The terms of a running instance, by its spec. Never raises.

        One that a person wants is ``kept``: it does not end for being idle.
        """
        ...


class Memory(Protocol):
    """Watches the machine's memory around starts and ends."""

    async def before_launch(self, spec: LaunchSpec) -> None:
        """Make the machine fit for a start; raises ConflictError when it would not bear it."""
        ...

    async def after_end(self, instance: str, model: str) -> None:
        """Return when the memory of an ended instance is back, or waiting has no sense."""
        ...


class Intents(Protocol):
    """What is about to be done, written down before it is: a new daemon reads it."""

    def begin(
        self,
        kind: str,
        model: str | None = None,
        instance: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> int:
        """Write down that this is about to be done."""
        ...

    def finish(self, intent: int, outcome: str) -> None:
        """It has been done, or has failed."""
        ...


async def no_findings(
    _spec: LaunchSpec, _instance: Instance, _record: ExitRecord
) -> tuple[Finding, ...]:
    """Nobody looks why something failed."""
    return ()


class NoStarts:
    """Nothing starts unless a person names it."""

    async def start(
        self,
        model: str,
        before: Mapping[str, str] | None,  # noqa: ARG002 - nothing is started
        beside: Mapping[str, int],  # noqa: ARG002
    ) -> tuple[Prepare, Provide]:
        """Nobody here knows how."""
        raise EnvironmentFault(f"Nobody here can start {model} by itself.")

    def terms(self, spec: LaunchSpec, *, kept: bool) -> Terms:  # noqa: ARG002 - nothing is known
        """Unknown ones."""
        return Terms()


class CalmMemory:
    """A machine whose memory nobody watches."""

    async def before_launch(self, spec: LaunchSpec) -> None:
        """Nothing to do."""

    async def after_end(self, instance: str, model: str) -> None:
        """It is there at once."""


class NoIntents:
    """Nothing is written down: for a supervisor without a store."""

    def begin(
        self,
        kind: str,  # noqa: ARG002
        model: str | None = None,  # noqa: ARG002
        instance: str | None = None,  # noqa: ARG002
        data: Mapping[str, object] | None = None,  # noqa: ARG002
    ) -> int:
        """Nothing to write."""
        return 0

    def finish(self, intent: int, outcome: str) -> None:
        """Nothing to write."""
