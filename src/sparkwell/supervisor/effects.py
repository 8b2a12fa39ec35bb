"""What has to be done for the box, as values; and a step: what an event makes of the box."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.core.errors import SparkwellError
from sparkwell.supervisor.box import Box, Instance
from sparkwell.supervisor.terms import BackEnd


@dataclass(frozen=True, slots=True)
class Prepare:
    """Fetch what a start lacks, and make its spec; ``Prepared`` or ``NotLaunched`` answers.

    ``on_demand`` tells a start for which nobody has given a spec.
    """

    instance: str
    model: str
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the engine of a new instance, and follow it until it answers."""

    instance: str
    model: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Follow an adopted instance until it answers; one that sleeps is only watched."""

    instance: str
    model: str
    asleep: bool = False


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the instance, every process of it; or let go of what is fetched for it."""

    instance: str


@dataclass(frozen=True, slots=True)
class PutToSleep:
    """Make the engine sleep."""

    instance: str
    back_end: BackEnd


@dataclass(frozen=True, slots=True)
class Wake:
    """Wake the engine, and ask it for a token."""

    instance: str
    back_end: BackEnd


@dataclass(frozen=True, slots=True)
class Settle:
    """See that the memory of an ended instance comes back; ``Settled`` answers."""

    instance: str
    model: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Let a request use an instance."""

    request: int
    instance: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Let a request fail; ``kind`` is the error that says so."""

    request: int
    kind: type[SparkwellError]
    message: str
    hint: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Let everybody know: ``kind`` is an event's dotted name; ``data`` are facts beside it."""

    kind: str
    message: str
    instance: Instance | None = None
    model: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)


Effect = Prepare | Launch | Follow | Terminate | PutToSleep | Wake | Settle | Grant | Refuse | Tell

Step = tuple[Box, tuple[Effect, ...]]
"""The next state, and what has to be done for it."""
