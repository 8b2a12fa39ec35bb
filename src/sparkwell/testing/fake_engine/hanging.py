"""An engine that says it is well and generates nothing."""

import asyncio
from collections.abc import Callable


class Hang:
    """From ``begin`` on no request gets another token, while HTTP is answered as before.

    A core that hangs reports no statistics either: the metrics stand still, and do not even
    count the requests that came after.
    """

    def __init__(self, metrics: Callable[[], str]) -> None:
        self._metrics = metrics
        self._last: str | None = None

    def begin(self) -> None:
        """Hang from now on."""
        if self._last is None:
            self._last = self._metrics()

    def metrics(self) -> str:
        """What /metrics says: now, or as it was when this began."""
        return self._metrics() if self._last is None else self._last

    async def pass_by(self) -> None:
        """Return at once; never, when the engine hangs."""
        if self._last is not None:
            await asyncio.Event().wait()
