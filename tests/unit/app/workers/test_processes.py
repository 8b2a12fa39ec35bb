"""Workers are started, started again, and ended; and the port that they share is theirs."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.workers import processes
from sparkwell.app.workers.port import SharedPort
from sparkwell.app.workers.processes import Workers
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.keys import Key
from sparkwell.gateway.access import Rules
from sparkwell.gateway.comments import Pace
from sparkwell.gateway.keys.tally import Tally
from sparkwell.gateway.keys.turnstile import LimitingTurnstile
from sparkwell.gateway.remote.hub import Hub
from sparkwell.gateway.remote.messages import Models, Opening
from sparkwell.gateway.wire.limits import Limits


class NoModels:
    def mark(self) -> object:
        return 1

    def all(self) -> Models:
        return Models((), (), None, None, ())

    async def changed(self) -> None:
        await asyncio.sleep(60)


class NoKeys:
    standing: Any = "none"

    def every(self) -> tuple[Key, ...]:
        return ()

    def tell(self, changed: Callable[[], object]) -> Callable[[], None]:
        return lambda: None


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sw") as folder:
        yield Path(folder)


def hub_of(tls: tuple[str, str] | None = None) -> Hub:
    backend: Any = None
    opening = Opening("127.0.0.1", 0, tls, "/none", Rules(), Limits(), Pace(), "off", 1.0)
    return Hub(backend, LimitingTurnstile(Tally()), NoKeys(), NoModels(), opening)


@pytest.fixture
async def workers(short: Path) -> AsyncIterator[Workers]:
    made = Workers(hub_of(), short / "g.sock", 2)
    await made.start()
    yield made
    await made.close(1.0)
    assert made.pids == []


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def test_one_that_dies_is_started_again(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    before = workers.pids
    os.kill(before[0], signal.SIGKILL)
    await soon(lambda: before[0] not in workers.pids and len(workers.pids) == 2)
    assert f"({before[0]}) ended: killed by signal 9" in caplog.text
    assert before[1] in workers.pids


async def test_ctrl_c_is_not_for_them_and_sigterm_ends_them(workers: Workers) -> None:
    first, second = workers.pids
    for pid in (first, second):
        os.kill(pid, signal.SIGINT)
    await asyncio.sleep(0.3)
    assert workers.pids == [first, second]
    os.kill(first, signal.SIGTERM)
    await soon(lambda: first not in workers.pids)


async def test_the_pause_grows_while_they_go_on_dying(
    short: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processes, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(processes, "LONGEST_PAUSE_S", 0.03)
    made = Workers(hub_of(), short / "g.sock", 1)
    await made.start()
    made._argv = lambda _path: [sys.executable, "-c", "raise SystemExit(7)"]
    os.kill(made.pids[0], signal.SIGKILL)
    await soon(lambda: caplog.text.count("exit code 7") >= 3)
    await made.close(0.0)
    pauses = [line.rpartition("in ")[2] for line in caplog.messages if "Another one" in line]
    assert pauses[:4] == ["0.01 s", "0.02 s", "0.03 s", "0.03 s"]


async def test_one_for_which_there_is_no_room_is_tried_again(
    short: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processes, "FIRST_PAUSE_S", 0.01)
    made = Workers(hub_of(), short / "g.sock", 1)
    await made.start()
    argv, made._argv = made._argv, lambda _path: ["/no/program"]
    os.kill(made.pids[0], signal.SIGKILL)
    await soon(lambda: caplog.text.count("cannot be started") >= 2)
    made._argv = argv
    await soon(lambda: len(made.pids) == 1)
    await made.close(0.0)
    assert made.pids == []


async def test_one_that_cannot_serve_says_why_and_none_is_left(short: Path) -> None:
    made = Workers(hub_of(tls=("/no/cert.pem", "/no/key.pem")), short / "g.sock", 2)
    with pytest.raises(Exception, match=r"/no/cert\.pem cannot be read") as caught:
        await made.start()
    assert getattr(caught.value, "code", None) == EnvironmentFault.code
    assert made.pids == []


async def test_one_that_does_not_even_begin(short: Path) -> None:
    made = Workers(hub_of(), short / "g.sock", 2, lambda _path: [sys.executable, "-c", "1"])
    with pytest.raises(EnvironmentFault, match="did not start"):
        await made.start()
    assert made.pids == []


async def test_one_that_does_not_end_is_killed(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "END_S", 0.1)
    made = Workers(hub_of(), short / "g.sock", 1)
    await made.start()
    (pid,) = made.pids
    os.kill(pid, signal.SIGSTOP)
    await asyncio.wait_for(made.close(0.0), 10)
    assert not lives(pid)


async def test_the_port_is_refused_where_somebody_listens_and_shared_where_nobody_does() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        other.listen()
        with pytest.raises(OSError, match="in use"):
            await SharedPort().take("127.0.0.1", port)
    ours = SharedPort()
    await ours.take("127.0.0.1", port)
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    with socket.socket() as worker:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(("127.0.0.1", port))
        worker.listen()
        with socket.create_connection(("127.0.0.1", port), 5):
            worker.accept()[0].close()  # it comes here, and not to the one that is only kept
    ours.give_back()
