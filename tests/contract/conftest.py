"""What the contract tests share: a driver, engines that misbehave, and a look at /proc."""

import asyncio
import contextlib
import functools
import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.core.protocols import Driver

from .kinds import COMPOSE, KINDS, PROCESS, PROGRAMS, PROJECT, Kind, need_docker

TREE = PROGRAMS / "tree.py"
DOCKER_INIT = b"/sbin/docker-init\0"
DEADLINE_S = 20.0
_numbers = itertools.count(1)


async def eventually(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition; a test fails when it does not come true in time."""
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, "the condition did not come true in time"
        await asyncio.sleep(0.01)


def live_processes() -> Iterator[int]:
    """All pids of the machine that are no zombies."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            yield int(path.name)


def processes_with(marker: bytes) -> list[int]:
    """The live processes whose command line contains ``marker``.

    Not docker-init: it carries the engine's command line, but is Docker's.
    """
    found = []
    for pid in live_processes():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if marker in command and pid != os.getpid() and not command.startswith(DOCKER_INIT):
            found.append(pid)
    return found


class Box:
    """A driver of one kind over one root, and everything that a test started through it."""

    def __init__(self, make: Callable[[], Driver], kind: Kind = PROCESS) -> None:
        self.make = make
        self.kind = kind
        self.driver = make()
        self.instances: list[str] = []

    def spec(self, *flags: str, model: str = "m", stop_grace_s: float = 20.0) -> LaunchSpec:
        """Describe a tree that is unique in its --tag."""
        instance = f"t{os.getpid()}-{next(_numbers)}"
        self.instances.append(instance)
        return LaunchSpec(
            instance=instance,
            model=model,
            engine="tree",
            engine_version="1",
            argv=(self.kind.python, "-S", str(TREE), "--tag", instance, *flags),
            endpoint=self.driver.endpoint(instance),
            stop_grace_s=stop_grace_s,
            container=self.kind.container(instance),
        )

    async def start(
        self, *flags: str, model: str = "m", stop_grace_s: float = 20.0, ready: bool = True
    ) -> Running:
        """Start a tree; returns when all its processes exist."""
        running = await self.driver.start(self.spec(*flags, model=model, stop_grace_s=stop_grace_s))
        if ready:
            await self.line(running.spec.instance, "ready")
        return running

    async def line(self, instance: str, wanted: str) -> None:
        """Wait for a line of output."""
        async with asyncio.timeout(DEADLINE_S):
            lines = self.driver.follow(instance)
            async for line in lines:
                if line == wanted:
                    break
            await lines.aclose()  # type: ignore[attr-defined]

    async def lines(self, instance: str) -> list[str]:
        """All the output, to the end."""
        async with asyncio.timeout(DEADLINE_S):
            return [line async for line in self.driver.follow(instance)]

    def tree(self, instance: str) -> list[int]:
        """The live processes of an instance, wherever in the process tree they hide."""
        return processes_with(f"--tag\0{instance}\0".encode())


def pid_of(running: Running) -> int:
    """The engine's pid, which every driver sees here."""
    assert running.pid is not None
    return running.pid


@pytest.fixture
def short_root() -> Iterator[Path]:
    """A folder with a path so short that sockets can lie in it; pytest's own is too long."""
    with tempfile.TemporaryDirectory(prefix="sw") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def docker() -> Iterator[None]:
    """A Docker that answers, and has no network of the tests' afterwards."""
    need_docker()
    yield
    command = ["docker", "network", "rm", f"{PROJECT}_default"]
    subprocess.run(command, capture_output=True, check=False)


@contextlib.asynccontextmanager
async def box_of(kind: Kind, root: Path, short_root: Path) -> AsyncIterator[Box]:
    """A box whose instances do not outlive it."""
    box = Box(kind.make(root, short_root), kind)
    yield box
    for instance in box.instances:
        if kind is COMPOSE:
            remove_container(f"{PROJECT}-{instance}")
        await eventually(functools.partial(kill_all, box, instance))


@pytest.fixture(params=[PROCESS.name, pytest.param(COMPOSE.name, marks=pytest.mark.docker)])
async def box(
    request: pytest.FixtureRequest, tmp_path: Path, short_root: Path
) -> AsyncIterator[Box]:
    """A box for every kind of driver; nothing of it outlives the test."""
    kind = KINDS[request.param]
    if kind is COMPOSE:
        request.getfixturevalue("docker")
    async with box_of(kind, tmp_path / "i", short_root) as box:
        yield box


def remove_container(name: str) -> None:
    """Remove a container, whatever its state; no matter if there is none."""
    subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)


def kill_all(box: Box, instance: str) -> bool:
    """Kill what there is of an instance, its shim too; true when there was nothing any more."""
    found = [*processes_with(f"/{instance}\0".encode()), *box.tree(instance)]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not found
