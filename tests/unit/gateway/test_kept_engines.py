"""Connections to engines between two requests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from sparkwell.core.launch import Endpoint
from sparkwell.gateway.wire.answer import AnswerReader
from sparkwell.gateway.wire.engine import EngineConnection
from sparkwell.gateway.wire.pool import Engines

ASK = b"GET / HTTP/1.1\r\nhost: engine\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
async def at(short: Path) -> AsyncIterator[Endpoint]:
    """An engine that always answers the same."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            if await reader.readline() == b"host: engine\r\n":
                await reader.readline()
                head, body = ANSWER.split(b"\r\n\r\n")
                writer.write(head + b"\r\n\r\n")
                await asyncio.sleep(0.01)  # the body comes by itself
                writer.write(body)
        writer.close()

    path = str(short / "kept.sock")
    server = await asyncio.start_unix_server(answer, path)
    yield Endpoint(uds=path)
    server.close()


class Slow:
    """A client that can take no more with the last piece of its answer."""

    def __init__(self, engine: EngineConnection) -> None:
        self.engine = engine

    def take(self, _pieces: Sequence[bytes], *, last: bool) -> None:
        if last:
            self.engine.pause()


async def test_a_slow_client_does_not_leave_its_engine_deaf(at: Endpoint) -> None:
    engines = Engines()
    connections = set()
    for _ in range(2):
        async with asyncio.timeout(5):
            async with engines.ask(at, ASK, b"") as connection:
                connections.add(connection)
                await connection.pour(Slow(connection))
    assert len(connections) == 1
    engines.close()


def test_half_an_answer_after_an_answer_is_no_beginning_of_the_next() -> None:
    reader = AnswerReader()
    reader.feed(ANSWER + b"HTTP/1.1 2")
    assert reader.complete
    assert not reader.keep_alive
