"""What the gateway asks of the rest of Sparkwell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sparkwell.checks.serving_repeats import Ends
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.keys.seam import Passage


class Lease(Protocol):
    """The right to use a ready engine until it is given back."""

    @property
    def instance(self) -> str:
        """The id of the engine's run."""
        ...

    @property
    def model(self) -> str:
        """The model that it serves, by its recipe's name."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine answers."""
        ...

    @property
    def queued_s(self) -> float:
        """Seconds from asking to the lease; 0.0 when the model was loaded."""
        ...

    @property
    def load_s(self) -> float:
        """The part of ``queued_s`` in which the model was being started or woken."""
        ...

    @property
    def release(self) -> Callable[[], None]:
        """Give the lease back; to be called once."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a request stands that waits for its model.

    ``phase`` is in words: "waiting for its turn", "loading weights". ``percent`` is how far the
    start is, 0 to 100; ``left_s`` are seconds until the lease, as estimated; None where nobody
    knows. ``ahead`` counts the requests for other models that are served first.
    """

    model: str
    phase: str
    percent: float | None = None
    left_s: float | None = None
    ahead: int = 0


class Ticket(Protocol):
    """One request's place: its lease, or the wait for it."""

    @property
    def lease(self) -> Lease | None:
        """The lease; there at once when the model is loaded."""
        ...

    async def wait(self) -> Lease:
        """The lease, when it is there; to be called once, and not when ``lease`` is there.

        Raises SparkwellError that says why there will be none. Cancelling it withdraws the
        request; a lease that comes at that moment is given back.
        """
        ...

    def waiting(self) -> Waiting:
        """How far it is. Asked twice a second for each stream that waits: it has to be cheap."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a client may name.

    ``aliases`` are the names that clients may use, the usual one first; ``engine_name`` is the
    one that the engine answers to, None where it answers to all of them. ``state`` is "stopped"
    or what its instance is doing: "ready", "starting", "draining", "stopping", "sleeping",
    "asleep", "waking", "failed".
    """

    name: str
    aliases: tuple[str, ...]
    state: str
    context: int | None
    engine_name: str | None = None


class Backend(Protocol):
    """The models behind the gateway."""

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError.

        A client is told so by ``naming.meant``, which names the models that it may know of.
        """
        ...

    def listed(self) -> list[Model]:
        """The models that can be started here without a download."""
        ...

    def ensure_ready(
        self, model: str, *, priority: int = 0, passage: Passage | None = None
    ) -> Ticket:
        """A place for one request, which has its lease at once when the model is loaded.

        ``priority`` is the key's, added to the model's own; ``passage`` is the request's.

        Raises SparkwellError when it is known now that the model cannot be served: TooBusyError
        when too many wait, NotReadyError with what to do.
        """
        ...

    def loaded(self) -> list[tuple[str, Endpoint]]:
        """The models that are ready, and where their engines answer."""
        ...

    def health(self) -> tuple[bool, Mapping[str, object]]:
        """Whether requests can be served, and the state in a few words."""
        ...

    def heard(self, model: str, ends: Ends | None) -> None:
        """A request for a model has come; ``ends`` are its prompt's, where it is long."""
        ...

    async def metrics(self) -> bytes:
        """Everything for Prometheus, in its text format 0.0.4, UTF-8.

        Takes no longer than an engine may take to answer, two seconds; one that does not is left
        out, and said to be.
        """
        ...
