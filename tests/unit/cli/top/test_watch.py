"""`top` follows a daemon over its socket: its status, its events, its end and its return."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from tests.unit.cli.top.documents import NOW, status

from sparkwell.admin.api import admin_application
from sparkwell.app.paths import Paths, find_paths
from sparkwell.cli.client import AdminClient, NoDaemonError
from sparkwell.cli.top.watch import EVENTS_WAIT_S, Watch
from sparkwell.core.errors import ConflictError
from sparkwell.core.events import Event

Json = dict[str, Any]


class FakeDaemon:
    """Says what it is told, over the real routes."""

    def __init__(self, pid: int, messages: list[str]) -> None:
        self.events_ = [
            Event(number, NOW + pid, "a.b", words) for number, words in enumerate(messages, 1)
        ]
        self.document = status(pid=pid, event=len(messages))
        self.refusal: Exception | None = None
        self.asked_after: list[int] = []

    def status(self) -> Mapping[str, Any]:
        if self.refusal:
            raise self.refusal
        return self.document

    async def events(self, cursor: int) -> AsyncIterator[Event]:
        self.asked_after.append(cursor)
        for event in self.events_:
            if event.seq > cursor:
                yield event
        await asyncio.sleep(3600)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    made.make()
    return made


@asynccontextmanager
async def listening(daemon: FakeDaemon, paths: Paths) -> AsyncIterator[None]:
    control = SimpleNamespace(status=daemon.status, events=daemon.events)
    for name in ("version", "up", "down", "restart", "shut_down"):
        setattr(control, name, None)
    runner = web.AppRunner(admin_application(control), shutdown_timeout=0.01, access_log=None)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(paths.socket)).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def following(watch: Watch) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(watch.poll(0.01)), asyncio.create_task(watch.listen())]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def said(watch: Watch) -> list[str]:
    return [event["message"] for event in watch.scene.events]


async def test_without_a_daemon_there_is_nothing_to_watch(paths: Paths) -> None:
    async with AdminClient(paths) as client:
        with pytest.raises(NoDaemonError):
            await Watch.begin(client)


async def test_one_frame_has_the_events_so_far(paths: Paths) -> None:
    async with listening(FakeDaemon(1, ["one", "two"]), paths), AdminClient(paths) as client:
        watch = await Watch.begin(client)
        async with asyncio.timeout(EVENTS_WAIT_S / 2):
            await watch.catch_up()
        assert said(watch) == ["one", "two"]


async def test_where_nothing_has_happened_nothing_is_waited_for(paths: Paths) -> None:
    daemon = FakeDaemon(1, [])
    async with listening(daemon, paths), AdminClient(paths) as client:
        await (await Watch.begin(client)).catch_up()
    assert daemon.asked_after == []


async def test_a_long_line_of_events_is_read(paths: Paths) -> None:
    async with listening(FakeDaemon(1, ["x" * 400_000]), paths), AdminClient(paths) as client:
        watch = await Watch.begin(client)
        await watch.catch_up()
        assert [len(words) for words in said(watch)] == [400_000]


async def test_only_the_newest_events_are_asked_for(paths: Paths) -> None:
    daemon = FakeDaemon(1, ["x"] * 1000)
    async with listening(daemon, paths), AdminClient(paths) as client:
        await (await Watch.begin(client)).catch_up()
    assert daemon.asked_after == [600]


async def test_a_daemon_that_ends_is_followed_by_the_next(paths: Paths) -> None:
    async with AdminClient(paths) as client:
        async with listening(FakeDaemon(1, ["one", "two"]), paths):
            watch = await Watch.begin(client)
            async with following(watch):
                await until(lambda: said(watch) == ["one", "two"])
        async with following(watch):
            await until(lambda: watch.scene.gone_since is not None)
            async with listening(FakeDaemon(2, ["three"]), paths):
                await until(lambda: watch.scene.gone_since is None)
                await until(lambda: said(watch) == ["one", "two", "three"])


async def test_what_waiting_does_not_mend_ends_it(paths: Paths) -> None:
    daemon = FakeDaemon(1, [])
    async with listening(daemon, paths), AdminClient(paths) as client:
        watch = await Watch.begin(client)
        async with following(watch) as tasks:
            daemon.refusal = ConflictError("This daemon speaks another version.")
            await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            error = tasks[0].exception()
        assert "another version" in str(error)
