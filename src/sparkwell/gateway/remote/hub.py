"""The daemon's end: takes workers in on a Unix socket, and does for them what only it can do."""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sparkwell.core.keys import Key
from sparkwell.gateway.backend import Backend
from sparkwell.gateway.keys.seam import Turnstile
from sparkwell.gateway.remote.holdings import Holdings
from sparkwell.gateway.remote.link import Link, daemon_side
from sparkwell.gateway.remote.messages import (
    Ask,
    Drain,
    Drop,
    Enter,
    Failed,
    Fault,
    FromWorker,
    Heard,
    Hello,
    Keys,
    Leave,
    Listening,
    Look,
    Message,
    Models,
    Opening,
    WrongKey,
)
from sparkwell.gateway.remote.seam import KnownKeys, KnownModels

logger = logging.getLogger(__name__)
PAUSE_S = 0.02
"""Between two looks at what has changed: a switch changes much at once."""


class Hub:
    """All workers of a daemon.

    Each is told how to serve, which keys and models there are, and what changes of that; what it
    asks is done by ``backend`` and ``turnstile``, and undone when its connection ends.
    ``wrong_key`` is told the address of each request whose key is not valid.
    """

    def __init__(
        self,
        backend: Backend,
        turnstile: Turnstile,
        keys: KnownKeys,
        models: KnownModels,
        opening: Opening,
        *,
        wrong_key: Callable[[str | None], object] = lambda _address: None,
    ) -> None:
        self.wrong_key = wrong_key
        self.backend, self.turnstile = backend, turnstile
        self._keys, self._models = keys, models
        self.opening = opening
        self._by_id: dict[str, Key] = {}
        self._mark: object = None
        self._known: Models | None = None
        self._workers: set[Worker] = set()
        self._expected: dict[int, asyncio.Future[Fault | None]] = {}
        self._server: asyncio.Server | None = None
        self._following: asyncio.Task[None] | None = None
        self._forget: Callable[[], None] = lambda: None
        self._drain_s: float | None = None

    async def listen(self, path: Path) -> None:
        """Take workers in on a socket for this user alone; raises OSError."""
        self._use_keys()
        self._forget = self._keys.tell(self._keys_changed)
        self._following = asyncio.create_task(self._follow())
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108
        mask = os.umask(0o177)
        try:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(lambda: Worker(self).link, str(path))
        finally:
            os.umask(mask)

    async def close(self) -> None:
        """End all connections, and give back what workers had."""
        self._forget()
        self._forget = lambda: None
        if self._server is not None:
            self._server.close()
        for worker in list(self._workers):
            worker.link.close()
            worker.went()
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    @property
    def workers(self) -> "tuple[Worker, ...]":
        """Those that are connected."""
        return tuple(self._workers)

    def expect(self, pid: int) -> "asyncio.Future[Fault | None]":
        """Done when that process takes clients: with None, or with why it does not."""
        return self._expected.setdefault(pid, asyncio.get_running_loop().create_future())

    def said(self, pid: int, fault: Fault | None) -> None:
        """That process takes clients, or does not."""
        coming = self.expect(pid)
        if not coming.done():
            coming.set_result(fault)

    def forget(self, pid: int) -> None:
        """That process has ended."""
        coming = self._expected.pop(pid, None)
        if coming is not None:
            coming.cancel()

    def drain(self, drain_s: float) -> None:
        """Have all workers end, when their requests have; those too that come only now."""
        self._drain_s = drain_s
        for worker in self._workers:
            worker.link.say(Drain(drain_s))

    # ── what workers ask ────────────────────────────────────────────────────────────────────

    def came(self, worker: "Worker") -> None:
        """A worker said who it is: tell it all there is to know."""
        self._workers.add(worker)
        self.look()
        worker.link.say(self.opening)
        worker.link.say(self._said_of_keys())
        worker.link.say(self._all_models())
        if self._drain_s is not None:
            worker.link.say(Drain(self._drain_s))

    def went(self, worker: "Worker") -> None:
        """A worker has gone."""
        self._workers.discard(worker)

    def key_of(self, key_id: str) -> Key | None:
        """The key of that id."""
        return self._by_id.get(key_id)

    # ── what has changed ────────────────────────────────────────────────────────────────────

    def look(self) -> None:
        """Tell all workers of the models, if anything is otherwise."""
        mark = self._models.mark()
        if mark == self._mark and self._known is not None:
            return
        self._mark, before = mark, self._known
        self._known = self._models.all()
        if self._known != before:
            self._tell(self._known)

    def _all_models(self) -> Models:
        assert self._known is not None  # noqa: S101 - looked at just before
        return self._known

    async def _follow(self) -> None:
        while True:
            await self._models.changed()
            try:
                self.look()
            except Exception:
                logger.exception("The gateway's processes were not told which models there are")
            await asyncio.sleep(PAUSE_S)

    def _keys_changed(self) -> None:
        """Said at once: who revoked a key must not find it good afterwards."""
        self._use_keys()
        self._tell(self._said_of_keys())
        for worker in self._workers:
            worker.link.flush()

    def _use_keys(self) -> None:
        self._by_id = {key.id: key for key in self._keys.every() if key.revoked_at is None}

    def _said_of_keys(self) -> Keys:
        return Keys(self._keys.standing, self._keys.every())

    def _tell(self, message: Message) -> None:
        for worker in self._workers:
            worker.link.say(message)


class Worker:
    """One worker's connection; ``pid`` is None until it has said who it is."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.link: Link[FromWorker] = daemon_side(self._take, self.went)
        self._holdings = Holdings(hub.backend, hub.turnstile, hub.key_of, self.link.say, hub.look)
        self.pid: int | None = None
        self.listening: asyncio.Future[Fault | None] = asyncio.get_running_loop().create_future()

    @property
    def holds(self) -> int:
        """What it has not given back."""
        return self._holdings.count

    def went(self) -> None:
        """Its connection has ended."""
        self._hub.went(self)
        self._holdings.end()

    def _take(self, message: FromWorker) -> None:
        match message:
            case Ask():
                self._holdings.ask(message)
            case Drop():
                self._holdings.drop(message.number)
            case Enter():
                self._holdings.enter(message)
            case Leave():
                self._holdings.leave(message)
            case Heard():
                self._hub.backend.heard(message.model, message.ends)
            case Look():
                self._holdings.look(message)
            case WrongKey():
                self._hub.wrong_key(message.address)
            case _:
                self._about_itself(message)

    def _about_itself(self, message: Hello | Listening | Failed) -> None:
        if isinstance(message, Hello):
            self.pid = message.pid
            self._hub.came(self)
        elif self.pid is not None:
            self._hub.said(self.pid, message.fault if isinstance(message, Failed) else None)
