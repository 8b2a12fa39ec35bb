"""What happens to the box (events) and what has to be done for it (effects), as values."""

from dataclasses import dataclass

from sparkwell.core.launch import ExitRecord
from sparkwell.core.phases import PhaseMark
from sparkwell.supervisor.box import Instance

# ── events ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Up:
    """Somebody wants this model to be served; ``instance`` is the id that a new run would get."""

    model: str
    instance: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A driver found this instance running at start-up."""

    model: str
    instance: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """The log told of a phase."""

    instance: str
    mark: PhaseMark


@dataclass(frozen=True, slots=True)
class Answered:
    """The engine is healthy and has generated a token."""

    instance: str


@dataclass(frozen=True, slots=True)
class NotLaunched:
    """The driver could not even start the engine; no process of it exists."""

    instance: str
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The driver can neither see nor end the instance any more: somebody has to look."""

    instance: str
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The start cannot succeed any more: time ran out, or the engine answers wrongly."""

    instance: str
    reason: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Down:
    """Somebody wants a model's part of the machine back; None means all of it."""

    model: str | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A start was taken back before the driver was asked: there never was a process."""

    instance: str


@dataclass(frozen=True, slots=True)
class Ended:
    """No process of the instance is left. ``cause`` is the engine's own word, if it had one."""

    instance: str
    record: ExitRecord
    cause: str | None = None


OfInstance = Progressed | Answered | Withdrawn | NotLaunched | Lost | Failed | Ended
Event = Up | Adopted | Down | OfInstance

# ── effects ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the engine of a new instance, and follow it until it answers."""

    instance: str
    model: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Follow an adopted instance until it answers."""

    instance: str
    model: str


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the instance, every process of it."""

    instance: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Let everybody know: ``kind`` is an event's dotted name."""

    kind: str
    message: str
    instance: Instance


Effect = Launch | Follow | Terminate | Tell
