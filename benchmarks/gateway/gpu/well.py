"""The Sparkwell that is measured: its commands, its processes, its engine's socket."""

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sparkwell.app.paths import find_paths

Json = dict[str, Any]
CPU_CLOCK = 2  # of another process, as clock_getcpuclockid(3) numbers it
SECRET = re.compile(r"sk-sw-[\w-]{43}")


class Well:
    """A Sparkwell with a home of its own; ``program`` are the words after ``python -m``."""

    def __init__(self, home: Path, port: int, program: str) -> None:
        self.port, self._home, self._program = port, home, shlex.split(program)
        self.paths = find_paths({"SPARKWELL_HOME": str(home)})

    def argv(self, *words: str) -> list[str]:
        """Of a command."""
        return [sys.executable, "-m", *self._program, *words]

    @property
    def environ(self) -> dict[str, str]:
        """For the daemon and for commands."""
        return {**os.environ, "SPARKWELL_HOME": str(self._home), "COLUMNS": "150"}

    def command(self, *words: str, timeout_s: float = 60.0) -> str:
        """Run a command; what it printed, its errors where it failed."""
        try:
            done = subprocess.run(
                self.argv(*words), env=self.environ, capture_output=True, text=True,
                timeout=timeout_s, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"no end within {timeout_s:g} s"
        return done.stdout if done.returncode == 0 else f"{done.returncode}: {done.stderr}"

    def document(self, *words: str) -> Any:
        """What a command says with --json; its text where that is none."""
        text = self.command(*words, "--json")
        with suppress(ValueError):
            return json.loads(text)
        return text[-2000:]

    def new_key(self, limits: str) -> str:
        """A key with these options of `sparkwell keys add`."""
        said = self.command("keys", "add", f"gpu-{int(time.time())}", *shlex.split(limits))
        found = SECRET.search(said)
        if not found:
            raise SystemExit(f"no key: {said}")
        return found[0]

    def daemon(self) -> int:
        """The daemon's process, which its lock names; SystemExit when none runs."""
        with suppress(OSError, ValueError):
            return int(self.paths.lock.read_text())
        raise SystemExit(f"no daemon has run in {self._home}")

    def gateway(self) -> dict[int, str]:
        """The daemon and its gateway processes, without engines, their shims and the guard."""
        root = self.daemon()
        aside = {pid for pid in every() if _is_aside(command_line(pid))}
        return {pid: _words(pid) for pid in (root, *below(root, aside))}

    def engine(self) -> dict[int, str]:
        """All processes of all engines."""
        shims = [pid for pid in every() if str(self.paths.instances).encode() in _shim_of(pid)]
        return {pid: _words(pid) for shim in shims for pid in below(shim, set())}

    def engine_address(self, model: str) -> tuple[str, str]:
        """The Unix socket of the engine that runs, and its own name of the model."""
        for pid in every():
            launch = Path(os.fsdecode(_shim_of(pid))) / "launch.json"
            if not launch.is_relative_to(self.paths.instances):
                continue
            document = json.loads(launch.read_text(encoding="utf-8"))
            if document["spec"]["model"] == model:
                argv = document["argv"]
                return argv[argv.index("--uds") + 1], argv[argv.index("--served-model-name") + 1]
        raise SystemExit(f"no engine of {model} with a Unix socket runs")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float = 30.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def counters(engine_socket: str) -> dict[str, float]:
    """Sums of the engine's counters of tokens and of the prefix cache, by name."""
    connection = UnixConnection(engine_socket)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        name = name.partition("{")[0]
        if re.fullmatch(r"vllm:(generation_tokens|prompt_tokens|prefix_cache_hits)_total", name):
            found[name] = found.get(name, 0.0) + float(value)
    return found


def clock_s(pid: int) -> float | None:
    """Processor time of a process, all threads, to the nanosecond; None for one that is gone."""
    try:
        return time.clock_gettime((~pid << 3) | CPU_CLOCK)
    except OSError:
        return None


def every() -> list[int]:
    """All processes."""
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def parents() -> dict[int, int]:
    """Of every process."""
    found = {}
    for pid in every():
        with suppress(OSError):
            found[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def below(root: int, aside: set[int]) -> list[int]:
    """All that descend from a process; of ``aside`` none, and nothing below them."""
    known, found, level = parents(), [], [root]
    while level:
        level = [pid for pid, parent in known.items() if parent in level and pid not in aside]
        found += level
    return found


def command_line(pid: int) -> bytes:
    """The words of a process, each with a NUL after it; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_aside(words: bytes) -> bool:
    return b"/shim\0" in words or b"guard" in words


def _shim_of(pid: int) -> bytes:
    """The instance's folder, where the process is a shim."""
    words = command_line(pid).split(b"\0")
    return words[-2] if len(words) > 2 and words[-3].endswith(b"/process/shim") else b""


def _words(pid: int) -> str:
    return command_line(pid).replace(b"\0", b" ").decode(errors="replace")[:160].strip()
