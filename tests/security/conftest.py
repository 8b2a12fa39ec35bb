"""One daemon with one loaded model for all these tests, and a tap before its engine."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sparkwell.testing.environment import install_fake_environment
from tests.acceptance.conftest import Home, Json, end
from tests.security.raw import MODEL, ask, completion, post
from tests.security.tap import Tap

MAX_BODY_MB = 8
SHORT = {"head_s": 1.0, "body_s": 1.0, "idle_s": 1.0, "send_s": 1.5}
TROUBLE = ("Traceback", "Sparkwell made a mistake", "Task exception was never retrieved")


@dataclass
class Target:
    """The daemon under test."""

    home: Home
    process: psutil.Process
    tap: Tap

    @property
    def port(self) -> int:
        return self.home.port

    def log(self) -> str:
        return (self.home.root / "serve.log").read_text()

    def resident_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """The most that was resident since the peak was forgotten."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@contextmanager
def running(root: Path, gateway: Json) -> Iterator[Target]:
    """A daemon with these settings of the gateway, its model loaded, and the tap in place."""
    home = Home(root)
    install_fake_environment(home.paths.engines)
    home.configure({"gateway": gateway, "switching": {"on_demand": False}})
    try:
        daemon = home.serve()
        home.ok("up", MODEL)
        tap = Tap(engine_socket(home))
        tap.start()
        yield Target(home, psutil.Process(daemon.pid), tap)
        tap.stop()
        end(daemon, signal.SIGINT)
    finally:
        home.clean_up()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """All limits as they are by default, but that of a body."""
    with running(tmp_path_factory.mktemp("security"), {"max_body_mb": MAX_BODY_MB}) as target:
        yield target


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One that waits for nobody: every time-out is short."""
    with running(tmp_path_factory.mktemp("hasty"), {"max_body_mb": MAX_BODY_MB, **SHORT}) as target:
        yield target


def engine_socket(home: Home) -> Path:
    """Where the one engine listens."""
    (instance,) = home.json("ps")["instances"]
    return Path(instance["endpoint"].removeprefix("unix:"))


@pytest.fixture
async def target(served: Target) -> AsyncIterator[Target]:
    """The daemon, which has to be as well after the test as before it."""
    async for target in unharmed(served):
        yield target


@pytest.fixture
async def quick(hasty: Target) -> AsyncIterator[Target]:
    """The one with short time-outs, which has to be as well after the test as before it."""
    async for target in unharmed(hasty):
        yield target


async def unharmed(target: Target, *headers: bytes) -> AsyncIterator[Target]:
    """The engine saw requests only, nothing went wrong, and the next request is served.

    ``headers`` are those that such a request needs.
    """
    target.tap.clear()
    before = len(target.log())
    yield target
    assert target.tap.strange == []
    news = target.log()[before:]
    assert not any(word in news for word in TROUBLE), news[-3000:]
    answer = await ask(target.port, post(completion("still there?"), *headers))
    assert answer.status == 200, answer
