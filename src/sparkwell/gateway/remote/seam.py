"""What the daemon's end asks of the daemon, beside its Backend and its Turnstile."""

from collections.abc import Callable
from typing import Protocol

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.seam import Standing
from sparkwell.gateway.remote.messages import Models


class KnownKeys(Protocol):
    """The keys, all of them, and when they change."""

    @property
    def standing(self) -> Standing:
        """As in the KeyBook."""
        ...

    def every(self) -> tuple[Key, ...]:
        """All keys, the daemon's own too."""
        ...

    def tell(self, changed: Callable[[], object]) -> Callable[[], None]:
        """Have ``changed`` called after each change, before whoever made it hears that it is done.

        What comes back ends that.
        """
        ...


class KnownModels(Protocol):
    """The models that may be named."""

    def mark(self) -> object:
        """Something that is equal as long as ``all`` would say the same. Asked often: cheap."""
        ...

    def all(self) -> Models:
        """The models as they are now."""
        ...

    async def changed(self) -> None:
        """Return when something may be otherwise than at the call."""
        ...
