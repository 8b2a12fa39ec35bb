"""What the guard's tests share: a guard over a made-up machine, and real processes to end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

import sparkwell.guard
from sparkwell.app.lock import is_held
from sparkwell.guard import ending, files

from .kinds import PROGRAMS

GIB = 1024**3
PROGRAM = Path(sparkwell.guard.__file__).parent
TREE = PROGRAMS / "tree.py"
PATIENCE_S = 20.0
QUICK = {"sample_s": 0.05, "debounce_s": 0.3, "grace_s": 0.5, "recover_s": 0.2, "settle_s": 1.0}


def until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


class Memory:
    """A file like /proc/meminfo, rewritten in place: the guard keeps it open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self.set(100.0)

    def set(self, available_gib: float) -> None:
        """Say how much is available; always as many bytes, in one write."""
        kib = int(available_gib * GIB / 1024)
        text = f"MemTotal:       127601452 kB\nMemAvailable: {kib:>12} kB\n"
        file = os.open(self.path, os.O_WRONLY)
        os.pwrite(file, text.encode(), 0)
        os.close(file)


class Box:
    """A folder with a guard, a daemon's lock that nobody holds, and engines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = Memory(folder / "meminfo")
        self.lock = folder / "daemon.lock"
        self.engines: list[subprocess.Popen[bytes]] = []
        self.limits: dict[str, float] = dict(QUICK)

    def argv(self, *, linger_s: float = 0.5, meminfo: bool = True) -> list[str]:
        """Give the command of a guard for this folder."""
        made_up = ("--meminfo", str(self.memory.path), "--pressure", "") if meminfo else ()
        program = [sys.executable, "-I", "-S", "-X", "utf8", str(PROGRAM), str(self.folder)]
        return [*program, "--daemon-lock", str(self.lock), "--linger-s", str(linger_s), *made_up]

    def start(
        self,
        *,
        linger_s: float = 0.5,
        meminfo: bool = True,
        first: Callable[[], object] = lambda: None,
    ) -> None:
        """Start the guard, after ``first`` in its process; returns when it has its targets."""
        files.remove(str(self.folder / files.GUARD))
        argv = self.argv(linger_s=linger_s, meminfo=meminfo)
        with (self.folder / files.ERRORS).open("wb") as errors:
            subprocess.run(
                argv, check=True, stdin=subprocess.DEVNULL, stderr=errors, preexec_fn=first
            )
        until((self.folder / files.GUARD).exists)

    def engine(self, *flags: str) -> subprocess.Popen[bytes]:
        """Start a process tree; returns when all of it exists."""
        argv = [sys.executable, "-S", str(TREE), "--tag", self.tag, *flags]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)
        self.engines.append(process)
        if process.stdout:
            while process.stdout.readline() != b"ready\n":
                pass
        return process

    def tell(self, *targets: dict[str, object]) -> None:
        """Write targets.json; the last one is the newest."""
        listed = [{"model": "m", "started_at": i} | each for i, each in enumerate(targets)]
        document = {"boot_id": files.boot_id(), "limits": self.limits, "targets": listed}
        files.write_json(str(self.folder / files.TARGETS), document)

    @property
    def tag(self) -> str:
        return f"guard{os.getpid()}-{self.folder.name}"

    @property
    def lives(self) -> bool:
        return is_held(self.folder / files.LOCK)

    def guard(self) -> dict[str, Any]:
        """Read guard.json."""
        found: dict[str, Any] = json.loads((self.folder / files.GUARD).read_text())
        return found

    def wait_for_samples(self, count: int) -> None:
        """Return when so many were taken from now on: the guard sleeps once after each."""
        guard = psutil.Process(self.guard()["pid"])
        enough = guard.num_ctx_switches().voluntary + count + 1
        until(lambda: guard.num_ctx_switches().voluntary >= enough)

    def trips(self) -> list[dict[str, Any]]:
        """Read all trips."""
        with contextlib.suppress(FileNotFoundError):
            return [
                json.loads(line) for line in (self.folder / files.TRIPS).read_text().splitlines()
            ]
        return []

    def did(self) -> list[tuple[str, str]]:
        """Give (action, instance) of all trips."""
        return [(each["action"], each["instance"]) for each in self.trips()]

    def close(self) -> None:
        """End everything that was started."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            guard = self.guard()
            ending.send(guard["pid"], guard["start_ticks"], signal.SIGKILL)
        for process in self.engines:
            for pid in ending.descendants([process.pid]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()


def target(instance: str, process: subprocess.Popen[bytes], **more: object) -> dict[str, object]:
    """Name a process as the daemon would."""
    ticks = ending.start_ticks(process.pid)
    return {"instance": instance, "pid": process.pid, "start_ticks": ticks, **more}


@contextlib.contextmanager
def box_in(folder: Path) -> Iterator[Box]:
    """A box of which nothing is left afterwards."""
    box = Box(folder)
    try:
        yield box
    finally:
        box.close()
