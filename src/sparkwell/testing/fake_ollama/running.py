"""Runs the fake server as a process of its own, for a test, and leaves nothing behind."""

import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkwell.testing.fake_ollama import command
from sparkwell.testing.running import wait_until


@dataclass(slots=True)
class RunningOllama:
    """A fake server on a loopback port, with its output in a file."""

    port: int
    output: Path
    env: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, *flags: str) -> None:
        """Start it; returns when it listens."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
        argv = [*command(), "--port", str(self.port), *flags]
        with self.output.open("ab") as log:
            self.process = subprocess.Popen(argv, env={**own, **self.env}, stdout=log, stderr=log)
        wait_until(self.answers)

    def answers(self) -> bool:
        """Whether it takes connections; raises when it has ended."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(self.output.read_text(encoding="utf-8"))
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, path: str, body: object = None) -> Any:
        """GET, or POST a body, as curl would; the answer as JSON."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, data=data, timeout=10) as answer:
            return json.loads(answer.read())

    def loaded(self) -> dict[str, Any]:
        """What /api/ps lists, by name."""
        return {each["name"]: each for each in self.ask("/api/ps")["models"]}

    def kill(self) -> None:
        """End it at once, as the kernel would."""
        if self.process:
            self.process.kill()
            self.process.wait()


@contextmanager
def running_ollama(
    folder: Path, *flags: str, env: Mapping[str, str] | None = None
) -> Iterator[RunningOllama]:
    """Start a fake server; kill it at the end."""
    server = RunningOllama(free_port(), folder / "ollama.log", env or {})
    try:
        server.start(*flags)
        yield server
    finally:
        with suppress(OSError):
            server.kill()


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
