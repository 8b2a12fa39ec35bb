"""What provoke does to an engine that runs: requests, signals, and leaving."""

import json
import os
import re
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

QUOTE = """My server died, what is wrong?
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.
ValueError: Free memory on device cuda:0 (14.52/79.18 GiB) on startup is less than desired GPU \
memory utilization (0.85, 67.3 GiB). Decrease GPU memory utilization.
ValueError: No available memory for the cache blocks.
OSError: [Errno 98] Address already in use
OSError: [Errno 28] No space left on device
RuntimeError: Engine core initialization failed. See root cause above."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server under way: its first process, its port and its log."""

    pid: int
    port: int
    log: Path

    def ask(self, prompt: str, path: str = "/v1/completions", **more: object) -> int:
        """Send a completion request; the status, or 0 where there was no answer."""
        body = json.dumps({"model": "m", "prompt": prompt, "max_tokens": 16} | more).encode()
        address = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except (OSError, ValueError):
            return 0

    def process(self, name: str) -> int:
        """The id of the process that the log calls so."""
        return int(re.findall(rf"\({name} pid=(\d+)\)", self.log.read_text())[-1])


def stop(server: Running) -> None:
    """As a stop of a container."""
    os.kill(server.pid, signal.SIGTERM)


def interrupt(server: Running) -> None:
    """As Ctrl-C."""
    os.kill(server.pid, signal.SIGINT)


def kill_core(server: Running) -> None:
    """As the kernel does when memory is short."""
    os.kill(server.process("EngineCore"), signal.SIGKILL)


def kill_core_serving(server: Running) -> None:
    """The core ends while answers are under way."""
    _while_asking(server, lambda: kill_core(server))


def kill_worker_serving(server: Running) -> None:
    """A worker ends while answers are under way."""
    _while_asking(server, lambda: os.kill(server.process("Worker"), signal.SIGKILL))


def traffic(server: Running) -> None:
    """A minute of requests from four clients, then a stop."""
    end = time.monotonic() + 60
    clients = [threading.Thread(target=_client, args=(server, end)) for _ in range(4)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    stop(server)


def quote(server: Running) -> None:
    """Prompts that quote what an engine says in trouble."""
    server.ask(QUOTE, echo=True)
    chat = [{"role": "user", "content": QUOTE}]
    server.ask("", path="/v1/chat/completions", messages=chat)
    time.sleep(12)  # the line of figures comes every 10 s
    stop(server)


def leave(server: Running) -> None:
    """Clients that go before they have their answer."""
    body = json.dumps({"model": "m", "prompt": "Count", "max_tokens": 1500, "stream": True})
    head = f"POST /v1/completions HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(f"{head}Content-Type: application/json\r\n\r\n{body}".encode())
            client.recv(200)
    time.sleep(12)
    stop(server)


def bad_requests(server: Running) -> None:
    """Requests that are the client's mistake."""
    server.ask("word " * 3000)
    server.ask("Hello", model="gpt-4o")
    server.ask("Hello", max_tokens=-1)
    server.ask("Hello", temperature="hot")
    server.ask("Hello", path="/v1/nowhere")
    server.ask("Hello")
    stop(server)


def _client(server: Running, end: float) -> None:
    while time.monotonic() < end:
        server.ask("Once upon a time there was", max_tokens=64)


def _while_asking(server: Running, act: Callable[[], None]) -> None:
    server.ask("Hello")
    asking = threading.Thread(target=server.ask, args=("Count",), kwargs={"max_tokens": 1500})
    asking.start()
    time.sleep(0.5)
    with suppress(ProcessLookupError):
        act()
    asking.join()


ACTS: dict[str, Callable[[Running], None]] = {
    "stop": stop,
    "interrupt": interrupt,
    "kill-core": kill_core,
    "kill-core-serving": kill_core_serving,
    "kill-worker-serving": kill_worker_serving,
    "traffic": traffic,
    "quote": quote,
    "leave": leave,
    "bad-requests": bad_requests,
}
