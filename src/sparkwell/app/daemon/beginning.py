"""The control of a daemon that is still taking over what an earlier one left."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sparkwell.admin.api import Control, UpBody
from sparkwell.core.events import Event


class Beginning:
    """Tells at once how things stand; what would change them waits until all is taken over.

    An `up` in between would start a second engine beside the first.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._begun = asyncio.Event()

    def over(self) -> None:
        """All that was left has been seen to."""
        self._begun.set()

    def version(self) -> Mapping[str, Any]:
        """Version and process of the daemon."""
        return self._control.version()

    def status(self) -> Mapping[str, Any]:
        """What runs, as far as it is known by now: ``recovering`` says that it is not all."""
        return {**self._control.status(), "recovering": not self._begun.is_set()}

    def snapshot(self) -> Mapping[str, Any]:
        """What only the daemon knows of this host, as far as it is known by now."""
        return self._control.snapshot()

    async def up(self, body: UpBody) -> Mapping[str, Any]:
        """Begin to serve models."""
        await self._begun.wait()
        return await self._control.up(body)

    async def down(self, model: str | None) -> Mapping[str, Any]:
        """End the model, or whatever runs."""
        await self._begun.wait()
        return await self._control.down(model)

    async def restart(self, model: str | None) -> Mapping[str, Any]:
        """End what runs and serve it again."""
        await self._begun.wait()
        return await self._control.restart(model)

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        return self._control.events(cursor)

    def ui_link(self) -> Mapping[str, Any]:
        """A link that opens the dashboard."""
        return self._control.ui_link()

    def shut_down(self, *, stop_engines: bool) -> None:
        """End the daemon soon."""
        self._control.shut_down(stop_engines=stop_engines)
