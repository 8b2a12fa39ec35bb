"""Requests through the gateway's own code, with nothing around it: no socket, engine or daemon.

`inside.py whole|stream COUNT` runs COUNT requests (or streams of 100 events) in this process;
`instructions.py` counts what the processor does in it. The server, the door, the turnstile and both
ends of the wire are the real ones; transports take bytes and give the next ones.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, cast

import uvloop

from sparkwell.core.launch import Endpoint
from sparkwell.gateway.access import Door, Rules
from sparkwell.gateway.backend import Model
from sparkwell.gateway.keys.tally import Tally
from sparkwell.gateway.keys.turnstile import LimitingTurnstile
from sparkwell.gateway.server import GatewayServer
from sparkwell.gateway.wire.connection import ClientConnection
from sparkwell.gateway.wire.engine import EngineConnection

EVENTS = 100
MODEL = Model("qwen3-8b-fp8", ("qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8"), "ready", 32768)
ENGINE = Endpoint(uds="engine.sock")
USED = {"prompt_tokens": 10, "total_tokens": 20, "completion_tokens": 10}


def request(*, stream: bool) -> bytes:
    """0.6 kB, as the load of run.py asks."""
    body = {"model": MODEL.name, "messages": [{"role": "user", "content": "word " * 90}]}
    text = json.dumps({**body, "max_tokens": 16, **({"stream": True} if stream else {})}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
        "Content-Type: application/json\r\nAccept: */*\r\nUser-Agent: load\r\n"
        f"Content-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


HEAD = b"HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 01:00:00 GMT\r\nserver: uvicorn\r\n"
BODY = json.dumps({"id": "x", "choices": [{"text": "a" * 150}], "usage": USED}).encode()
WHOLE = HEAD + b"content-length: %d\r\ncontent-type: application/json\r\n\r\n%b" % (len(BODY), BODY)
STREAM = (
    HEAD + b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
_CHUNK = {"id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 1, "model": MODEL.name}
_DELTA = {"index": 0, "delta": {"content": "word"}, "logprobs": None, "finish_reason": None}
EVENT = b"data: " + json.dumps({**_CHUNK, "choices": [_DELTA]}).encode() + b"\n\n"
PIECE = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
END = b"0\r\n\r\n"


class Lease:
    """A lease on an engine that is always ready."""

    instance, model, endpoint = "i-1", MODEL.name, ENGINE
    queued_s = load_s = 0.0

    def release(self) -> None:
        """Nobody counts."""


class Ready:
    """A backend of one model, which is always there."""

    lease = Lease()

    def resolve(self, _name: str) -> Model:
        """The model."""
        return MODEL

    def ensure_ready(self, _model: str, **_rest: Any) -> "Ready":
        """A ticket with its lease."""
        return self

    def heard(self, _model: str, _ends: object) -> None:
        """Nobody counts."""


class NoKeys:
    """There has never been a key."""

    standing = "none"

    def of(self, _secret: str) -> None:
        """Nobody's."""


class Transport:
    """Takes what is written, and tells."""

    def __init__(self, on_write: Callable[[bytes], object]) -> None:
        self.write = on_write

    def get_extra_info(self, name: str, _default: object = None) -> object:
        """A client of this machine."""
        return ("127.0.0.1", 5) if name == "peername" else None

    def is_closing(self) -> bool:
        """Never."""
        return False

    def __getattr__(self, _name: str) -> Callable[..., int]:
        return lambda *_, **__: 0


class Inside:
    """One client's connection, the server, and one connection to an engine."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        door, turnstile = Door(cast("Any", NoKeys()), Rules()), LimitingTurnstile(Tally())
        server = GatewayServer(cast("Any", Ready()), door=door, turnstile=turnstile, pages=ENGINE)
        self.answer = WHOLE
        self.written = 0
        self.engine = EngineConnection()
        self.engine.connection_made(cast("Any", Transport(self._asked)))
        self.client = ClientConnection(server)
        self.client.connection_made(cast("Any", Transport(self._answered)))
        server._engines._keep(ENGINE, self.engine)

    def _asked(self, _data: bytes) -> None:
        self.loop.call_soon(self.engine.data_received, self.answer)

    def _answered(self, _data: bytes) -> None:
        self.written += 1

    async def ask(self, data: bytes, writes: int) -> None:
        """Ask, and wait until so much has been written."""
        until = self.written + writes
        self.client.data_received(data)
        while self.written < until:  # noqa: ASYNC110 - an Event would cost what is counted here
            await asyncio.sleep(0)

    async def over(self) -> None:
        """Wait until the request is over."""
        while self.client._reply is not None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)


async def main(what: str, count: int) -> None:
    """So many requests, one after the other."""
    inside, data = Inside(), request(stream=what == "stream")
    for _ in range(count):
        if what == "whole":
            await inside.ask(data, 1)
        else:
            inside.answer = STREAM + PIECE
            await inside.ask(data, 2)
            for _ in range(EVENTS - 1):
                inside.engine.data_received(PIECE)
            inside.engine.data_received(END)
        await inside.over()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
