"""What happens to the box, as values: requests, wishes, and what comes of effects."""

from dataclasses import dataclass

from sparkwell.core.findings import Finding
from sparkwell.core.launch import ExitRecord
from sparkwell.core.phases import PhaseMark
from sparkwell.supervisor.box import Leaving, Request
from sparkwell.supervisor.terms import NO_TERMS, Terms


@dataclass(frozen=True, slots=True)
class Up:
    """A person wants this model to be served; ``instance`` is the id that a new run would get.

    ``held_bytes`` is what it will hold by its plan; ``forced`` starts it also where it does not
    fit.
    """

    model: str
    instance: str
    terms: Terms = NO_TERMS
    held_bytes: int | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Forgiven:
    """A person wants this model: what is held against it does not count any more."""

    model: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A client's request needs a model; it waits unless the model is ready."""

    request: Request


@dataclass(frozen=True, slots=True)
class Left:
    """Whoever sent a request that waits has gone away."""

    request: int


@dataclass(frozen=True, slots=True)
class Released:
    """A request has been served, or broken off: its lease is back."""

    instance: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The daemon ends: nothing starts any more, and nobody waits for a start."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """These models are to be started as soon as there is room: they ran before."""

    models: tuple[Leaving, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A start has all that it needs; it holds ``held_bytes`` by its plan."""

    instance: str
    held_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """A driver found this instance running at start-up; ``asleep`` where its engine sleeps.

    ``made_room`` are those that left for it in a switch that is not over, None where there is none;
    for one that sleeps nobody has to make room any more.
    """

    model: str
    instance: str
    terms: Terms = NO_TERMS
    held_bytes: int | None = None
    kept: bool = True
    asleep: bool = False
    made_room: tuple[Leaving, ...] | None = None


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
    """The driver could not even start the engine; no process of it exists.

    ``findings`` say why, where somebody has looked.
    """

    instance: str
    reason: str
    hint: str | None = None
    findings: tuple[Finding, ...] = ()


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
    """No process of the instance is left. ``cause`` is the engine's own word, if it had one.

    ``findings`` are what its log, and what else is known of it, say of a failure.
    """

    instance: str
    record: ExitRecord
    cause: str | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Lingers:
    """It was asked to end ``seconds`` ago and is there still; ``pid`` where one is known."""

    instance: str
    seconds: float
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Slept:
    """The engine sleeps."""

    instance: str


@dataclass(frozen=True, slots=True)
class Hung:
    """The engine lives and generates nothing any more."""

    instance: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tripped:
    """The memory guard has ended the instance, or is about to. ``findings`` say so."""

    instance: str
    reason: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Settling:
    """It is not known yet what holds memory: nothing starts until ``Settled`` says so."""

    instance: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The memory of an ended instance has come back, or there is no sense in waiting for it."""

    instance: str


OfInstance = (
    Progressed
    | Answered
    | Withdrawn
    | NotLaunched
    | Lost
    | Failed
    | Ended
    | Lingers
    | Slept
    | Hung
    | Tripped
)
Event = (
    Up
    | Forgiven
    | Asked
    | Left
    | Released
    | Closed
    | Tick
    | Wanted
    | Prepared
    | Adopted
    | Down
    | Settling
    | Settled
    | OfInstance
)
