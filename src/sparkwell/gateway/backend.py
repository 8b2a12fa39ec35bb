"""What the gateway asks of the rest of Sparkwell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sparkwell.core.launch import Endpoint


class Lease(Protocol):
    """The right to use a ready engine until it is given back."""

    @property
    def endpoint(self) -> Endpoint:
        """Where the engine answers."""
        ...

    @property
    def release(self) -> Callable[[], None]:
        """Give the lease back; to be called once."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a client may name.

    ``aliases`` are the names that clients may use, the usual one first; ``engine_name`` is the
    one that the engine answers to, None where it answers to all of them. ``state`` is "ready",
    "starting", "stopping", "failed" or "stopped". ``has_metrics`` tells whether its engine
    answers GET /metrics.
    """

    name: str
    aliases: tuple[str, ...]
    state: str
    context: int | None
    engine_name: str | None = None
    has_metrics: bool = True


class Backend(Protocol):
    """The models behind the gateway."""

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError with the names that exist."""
        ...

    def listed(self) -> list[Model]:
        """The models that can be started here without a download."""
        ...

    def ensure_ready(self, model: str) -> Lease:
        """A lease on an engine that serves the model; raises NotReadyError with what to do."""
        ...

    def health(self) -> tuple[bool, Mapping[str, object]]:
        """Whether requests can be served, and the state in a few words."""
        ...
