"""The real command line and the real daemon, in a home of their own, over a fake or real engine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sparkwell.app.paths import find_paths
from sparkwell.testing.environment import install_fake_environment

Json = dict[str, Any]


class Home:
    """One user's Sparkwell: folders, a free port, and the command."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = find_paths({"SPARKWELL_HOME": str(root)})
        self.port = free_port()
        self.environ = {**os.environ, "SPARKWELL_HOME": str(root), "COLUMNS": "100"}
        self.spawned: list[subprocess.Popen[bytes]] = []
        self.paths.config.mkdir(parents=True)
        self.configure({})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def configure(self, settings: Json) -> None:
        """Write sparkwell.yaml (JSON is YAML), the port always ours."""
        gateway = {"port": self.port, **settings.pop("gateway", {})}
        self.paths.config_file.write_text(json.dumps({"gateway": gateway, **settings}))

    def run(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words),
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *words: str, timeout: float = 60) -> str:
        """Run a command that has to succeed, and return what it printed."""
        done = self.run(*words, timeout=timeout)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Json:
        answer: Json = json.loads(self.ok(*words, "--json"))
        return answer

    def spawn(self, *words: str, output: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, as a terminal would."""
        return self.spawn_command(command(*words), output)

    def spawn_command(
        self, argv: list[str], output: Path | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start any program so; ``clean_up`` waits for its end."""
        with (output or Path(os.devnull)).open("ab") as sink:
            spawned = subprocess.Popen(
                argv,
                env=self.environ,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self.spawned.append(spawned)
        return spawned

    def serve(self, *words: str) -> subprocess.Popen[bytes]:
        """Run the daemon in the foreground, and return when it answers."""
        daemon = self.spawn("serve", *words, output=self.root / "serve.log")
        wait_for(lambda: daemon.poll() is not None or self.has_begun())
        assert daemon.poll() is None, (self.root / "serve.log").read_text()
        return daemon

    def has_begun(self) -> bool:
        """Whether a daemon answers, and has taken over what an earlier one left."""
        asked = self.run("status", "--json")
        return asked.returncode == 0 and not json.loads(asked.stdout)["recovering"]

    def daemon_pid(self) -> int:
        return int(self.json("status")["pid"])

    def failure(self, timeout: float = 60) -> Any:
        """The event of the first failure, once there is one.

        Asked of the events: a model that a person started comes back two seconds after a crash,
        and on a busy machine `ps` may never say "failed".
        """
        found: list[Any] = []

        def is_there() -> bool:
            found[:] = self.json("events", "-n", "500", "--kind", "instance.failed")["events"]
            return bool(found)

        wait_for(is_there, timeout)
        return found[0]

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this home: the daemon, shims, and all engines below."""
        return [p for p in psutil.process_iter() if self._is_ours(p)]

    def engine_processes(self) -> list[psutil.Process]:
        """Shims and everything below them."""
        shims = [p for p in self.processes() if "shim" in " ".join(_cmdline(p))]
        return [*shims, *(child for shim in shims for child in _below(shim))]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            named = str(self.root) in " ".join(process.cmdline())
            return named or process.environ().get("SPARKWELL_HOME") == str(self.root)
        except psutil.Error:
            return False

    def clean_up(self) -> None:
        """End everything; engines through `down`, and whatever is left by force."""
        try:
            self.run("down", timeout=90)
        finally:
            self._kill_all()

    def _kill_all(self) -> None:
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        for spawned in self.spawned:
            spawned.wait(10)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "sparkwell", *words]


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:  # it has ended in this very moment
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes], number: int = signal.SIGINT, timeout: float = 60) -> int:
    process.send_signal(number)
    return process.wait(timeout)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home with the fake engine installed in place of the real one."""
    place = Home(tmp_path)
    install_fake_environment(place.paths.engines)
    yield place
    place.clean_up()


@pytest.fixture
def script(home: Home) -> Callable[..., None]:
    """Tell the fake engines of the home that start from now on what to do."""

    def write(**keys: object) -> None:
        install_fake_environment(home.paths.engines, "vllm-cpu", **keys)

    return write
