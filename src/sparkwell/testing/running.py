"""Runs a fake engine as a process of its own, for a test, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sparkwell.testing.fake_engine import ENVIRONMENT_VARIABLE, command

_PATIENCE_S = 15.0
_LOOK_S = 0.01
_ORPHAN_LIFE_S = 60  # should even the test's own tidying fail


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """A fake engine on a Unix socket, with its output in a file."""

    process: subprocess.Popen[bytes]
    uds: Path
    output: Path

    @property
    def log(self) -> str:
        """What it has said so far, on stdout and stderr."""
        return self.output.read_text(encoding="utf-8")

    @property
    def core_pid(self) -> int | None:
        """The process id of its EngineCore, when that has said something."""
        found = re.search(r"\(EngineCore\w* pid=(\d+)\)", self.log)
        return int(found[1]) if found else None

    def answers(self) -> bool:
        """Whether it accepts connections."""
        with socket.socket(socket.AF_UNIX) as sock:
            return sock.connect_ex(str(self.uds)) == 0

    def wait_ready(self) -> "RunningEngine":
        """Wait until it accepts connections."""
        wait_until(self.answers)
        return self

    def exit_code(self) -> int:
        """Wait for its end."""
        return self.process.wait(_PATIENCE_S)

    def session(self) -> aiohttp.ClientSession:
        """Open a client: ``session.get("/health")``."""
        return aiohttp.ClientSession(
            "http://engine", connector=aiohttp.UnixConnector(str(self.uds))
        )


@contextmanager
def running_engine(folder: Path, *flags: str, **script: object) -> Iterator[RunningEngine]:
    """Start a fake engine in an existing folder; kill it and its EngineCore at the end."""
    engine = _start(folder, flags, {"child_life_s": _ORPHAN_LIFE_S, **script})
    try:
        yield engine
    finally:
        engine.process.kill()
        engine.process.wait()
        if engine.core_pid and "EngineCore" in command_line(engine.core_pid):
            os.kill(engine.core_pid, signal.SIGKILL)


def command_line(pid: int) -> str:
    """Read what a process is called; empty when there is none, or only a zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    return ""


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another process; TimeoutError when it does not."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} is still not so after {_PATIENCE_S} s")
        time.sleep(_LOOK_S)


def _start(folder: Path, flags: tuple[str, ...], script: dict[str, object]) -> RunningEngine:
    uds, output = folder / "engine.sock", folder / "engine.log"
    argv = [*command(), "--model", "org/model", "--uds", str(uds), *flags]
    environment = {**os.environ, ENVIRONMENT_VARIABLE: json.dumps(script)}
    with output.open("wb") as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    return RunningEngine(process, uds, output)
