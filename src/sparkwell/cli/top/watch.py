"""Following a daemon for `sparkwell top`: its status and its events, also past its end."""

import asyncio
import time
from contextlib import aclosing, suppress

from sparkwell.cli.client import AdminClient, BrokenOffError, Json, NoDaemonError
from sparkwell.cli.top.scene import EVENTS, Scene

AGAIN_S = 0.25
"""How long to wait before a daemon that has gone is asked again, at least."""
EVENTS_WAIT_S = 2.0
GONE = (NoDaemonError, BrokenOffError)


class Watch:
    """Keeps ``scene`` up to date with a daemon; ``poll`` and ``listen`` run until cancelled."""

    def __init__(self, client: AdminClient, scene: Scene) -> None:
        self._client = client
        self._pid = scene.status.get("pid")
        self._cursor = _cursor(scene.status)
        self.scene = scene

    @classmethod
    async def begin(cls, client: AdminClient) -> "Watch":
        """A watch over the daemon that answers now; raises NoDaemonError."""
        return cls(client, Scene(await client.get("status"), time.time()))

    async def poll(self, interval_s: float) -> None:
        """Ask for the status again and again. Raises what no waiting mends: another version."""
        while True:
            try:
                status = await self._client.get("status")
            except GONE:
                self.scene = self.scene.without_daemon(time.time())
            else:
                self.scene = self.scene.with_status(status, time.time())
            await asyncio.sleep(max(interval_s, AGAIN_S if self.scene.gone_since else 0))

    async def listen(self) -> None:
        """Take events as they come, from a later daemon too."""
        while True:
            with suppress(*GONE):
                self._begin_anew(await self._client.get("status"))
                await self._take(None)
            await asyncio.sleep(AGAIN_S)

    async def catch_up(self) -> None:
        """Take the events that have happened; returns when the newest is there, or in a while."""
        newest = int(self.scene.status.get("event") or 0)
        if newest <= self._cursor:
            return
        try:
            async with asyncio.timeout(EVENTS_WAIT_S):
                await self._take(newest)
        except (*GONE, TimeoutError):
            return

    async def _take(self, until: int | None) -> None:
        async with aclosing(self._client.events(self._cursor)) as stream:
            async for event in stream:
                self._cursor = max(self._cursor, event["seq"])
                self.scene = self.scene.with_event(event)
                if until is not None and event["seq"] >= until:
                    return

    def _begin_anew(self, status: Json) -> None:
        """Another daemon may number its events anew."""
        if status.get("pid") != self._pid:
            self._pid, self._cursor = status.get("pid"), _cursor(status)


def _cursor(status: Json) -> int:
    """Where to begin so that the newest events are heard, and no more than are kept."""
    return max(0, int(status.get("event") or 0) - EVENTS)
