"""A Sparkwell of its own in a temporary folder: the real daemon as a process, and who asks it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import processes

from sparkwell.admin import API_VERSION, VERSION_HEADER
from sparkwell.app.paths import find_paths

Json = dict[str, Any]
BEGIN_S, END_S = 60.0, 120.0


class Home:
    """Folders, a free port, and the daemon's process."""

    def __init__(self, root: Path, settings: Mapping[str, Any]) -> None:
        self.root = root
        self.paths = find_paths({"SPARKWELL_HOME": str(root)})
        self.paths.config.mkdir(parents=True)
        self.paths.engines.mkdir(parents=True)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        gateway = {"port": self.port, **settings.get("gateway", {})}
        self.paths.config_file.write_text(json.dumps({**settings, "gateway": gateway}))
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The daemon's process."""
        if self._daemon is None:
            raise RuntimeError("the daemon does not run")
        return self._daemon.pid

    async def serve(self, *interpreter: str) -> None:
        """Start the daemon and wait until it answers; ``interpreter`` are options of Python."""
        environ = {**os.environ, "SPARKWELL_HOME": str(self.root)}
        with (self.root / "serve.log").open("ab") as log:
            self._daemon = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                [sys.executable, *interpreter, "-m", "sparkwell", "serve"],
                env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + BEGIN_S
        while time.monotonic() < deadline and self._daemon.poll() is None:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with self.admin() as admin:
                    await admin.get("version")
                    return
            await asyncio.sleep(0.05)
        raise RuntimeError((self.root / "serve.log").read_text()[-2000:])

    def admin(self) -> "Admin":
        """The control API."""
        return Admin(str(self.paths.socket))

    def end(self) -> None:
        """End the daemon and its engines."""
        if self._daemon and self._daemon.poll() is None:
            self._daemon.send_signal(signal.SIGINT)
            try:
                self._daemon.wait(END_S)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait()

    def left(self, *marks: str) -> list[int]:
        """Processes of this home that are still there; ``marks`` are others' words for it."""
        return processes.marked([str(self.root), *marks])

    def kill_left(self, *marks: str) -> None:
        """For the end of a benchmark that went wrong."""
        for pid in self.left(*marks):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Admin:
    """The control API over the daemon's socket; an ``async with`` block is one connection."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def __aenter__(self) -> "Admin":
        """Nothing is sent yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._path),
            headers={VERSION_HEADER: str(API_VERSION)},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            read_bufsize=2**20,
        )
        return self

    async def __aexit__(self, *_of: object) -> None:
        """Close the connection."""
        await self._session.close()

    async def get(self, path: str) -> Json:
        """GET a route."""
        async with self._session.get(f"http://daemon/admin/{path}") as response:
            answer: Json = await response.json()
            return answer

    async def post(self, path: str, body: Json) -> Json:
        """POST to a route."""
        async with self._session.post(f"http://daemon/admin/{path}", json=body) as response:
            answer: Json = await response.json()
            return answer

    async def events(self) -> AsyncIterator[Json]:
        """All events, as they come."""
        async with self._session.get("http://daemon/admin/events?after=0") as response:
            async for line in response.content:
                yield json.loads(line)


@asynccontextmanager
async def collected(home: Home) -> AsyncIterator[list[Json]]:
    """A list that grows by the daemon's events as long as the block runs."""
    events: list[Json] = []

    async def collect() -> None:
        async with home.admin() as admin:
            async for event in admin.events():
                events.append(event)  # noqa: PERF401 - one by one, as they come

    task = asyncio.create_task(collect())
    try:
        yield events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
