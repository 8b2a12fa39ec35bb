"""One engine process, as the measurement needs it: started, asked over HTTP, stopped."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from sparkwell.engines.vllm.log import read_error, read_line

NAME = "m"
PROMPT = " ".join(f"t{1000 + 7 * at}" for at in range(128))
STOP_S = 60.0
POLL_S = 0.02


class EngineFailedError(Exception):
    """The engine ended, or answered with an error."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed answer: seconds to its first token, and the text of it all."""

    first_token_s: float
    text: str


@dataclass(slots=True)
class Engine:
    """A running engine and what its log has told, by seconds after its start."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    began_s: float
    entered: dict[str, float] = field(default_factory=dict)
    facts: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def start(cls, argv: list[str], env: Mapping[str, str], port: int, log: Path) -> "Engine":
        """Start a process in a session of its own."""
        began_s = time.monotonic()
        process = subprocess.Popen(
            argv,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        engine = cls(process, port, log, began_s, entered={"launch": 0.0})
        threading.Thread(target=engine._read_log, daemon=True).start()
        return engine

    def _read_log(self) -> None:
        output, rest = self.process.stdout, ""
        with self.log.open("wb") as log:
            while output and (piece := os.read(output.fileno(), 65536)):
                log.write(piece)
                log.flush()
                text = rest + piece.decode(errors="replace").replace("\r", "\n")
                *lines, rest = text.split("\n")
                for line in lines:
                    self._hear(line, time.monotonic() - self.began_s)

    def _hear(self, line: str, after_s: float) -> None:
        mark = read_line(line)
        if mark is not None:
            self.entered.setdefault(mark.phase.value, after_s)
            self.facts.update(mark.facts)
        self.error = self.error or read_error(line)

    def until_healthy(self) -> None:
        """Wait for /health; EngineFailedError when it ends before."""
        while not self._is_healthy():
            if self.process.poll() is not None:
                raise EngineFailedError(self.error or f"exit code {self.process.returncode}")
            time.sleep(POLL_S)
        self.entered["ready"] = time.monotonic() - self.began_s

    def _is_healthy(self) -> bool:
        with suppress(OSError, HTTPException):
            return self._ask("GET", "/health", None, timeout_s=5)[0] == 200
        return False

    def post(self, path: str, body: Mapping[str, str] | None) -> float:
        """Send a request and return how long it took; EngineFailedError for any but 200."""
        began_s = time.monotonic()
        status, text = self._ask("POST", path, body, timeout_s=300)
        if status != 200:
            raise EngineFailedError(f"{path}: {status} {text[:500]}")
        return time.monotonic() - began_s

    def _ask(
        self, method: str, path: str, body: Mapping[str, str] | None, timeout_s: float
    ) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()

    def generate(self, tokens: int = 16) -> Answer:
        """Stream a greedy answer to a prompt of 128 tokens.

        The salt keeps it from the prefix cache: with a part of the prompt taken from there, other
        shapes are computed, and rounding alone can change the text.
        """
        body = {"model": NAME, "prompt": PROMPT, "max_tokens": tokens, "stream": True}
        body |= {"temperature": 0, "ignore_eos": True, "cache_salt": str(time.monotonic_ns())}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=300)
        began_s = time.monotonic()
        header = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/completions", json.dumps(body), header)
        response = connection.getresponse()
        if response.status != 200:
            raise EngineFailedError(f"{response.status} {response.read()[:500]!r}")
        first_s, texts = None, list[str]()
        for line in response:
            if line.startswith(b"data: {"):
                first_s = first_s or time.monotonic() - began_s
                texts += [each["text"] for each in json.loads(line[6:])["choices"]]
        connection.close()
        if first_s is None:
            raise EngineFailedError("the answer has no token")
        return Answer(first_s, "".join(texts))

    def phases(self) -> dict[str, float]:
        """Seconds spent in each phase, in their order."""
        steps = sorted(self.entered.items(), key=lambda step: step[1])
        following = steps[1:]
        return {
            name: round(later - at, 3)
            for (name, at), (_, later) in zip(steps, following, strict=False)
        }

    def stop(self) -> float:
        """End it gently, then by force, its whole session; how long it took in seconds."""
        began_s = time.monotonic()
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return time.monotonic() - began_s
