"""HTTP servers that answer as a test wants, at a port and at a Unix socket."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.engines.samples import EngineSample
from sparkwell.monitor.overview import Target
from sparkwell.monitor.readers import EngineReader

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def read(text: str, _spec: LaunchSpec) -> EngineSample:
    """A reader of its own: "tokens 12 running 3"."""
    found = re.search(r"^tokens (\d+) running (\d+)$", text)
    return (
        EngineSample(running=float(found[2]), generation_tokens=float(found[1]))
        if found
        else EngineSample()
    )


READERS = {"vllm": EngineReader("/metrics", read)}


def answer(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


class Engine:
    """Counts requests; ``say`` is what is sent next, ``after_s`` how long it takes."""

    def __init__(self) -> None:
        self.say = answer(b"tokens 0 running 0")
        self.after_s = 0.0
        self.close = False
        self.asked = 0
        self.head = ""
        self.endpoint = Endpoint(port=1)

    def tokens(self, count: int, running: int = 1) -> None:
        self.say = answer(b"tokens %d running %d" % (count, running))

    def target(self, instance: str = "i", engine: str = "vllm") -> Target:
        spec = LaunchSpec(instance, f"m-{instance}", engine, "0.32.0", ("x",), self.endpoint)
        return Target(instance, f"m-{instance}", engine, spec)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.asked += 1
                await asyncio.sleep(self.after_s)
                writer.write(self.say)
                await writer.drain()
                if self.close:
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(uds: str | None = None) -> AsyncIterator[Engine]:
    engine = Engine()
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        await engine.serve(reader, writer)
        tasks.discard(task)

    if uds:
        server = await asyncio.start_unix_server(one, uds)
        engine.endpoint = Endpoint(uds=uds)
    else:
        server = await asyncio.start_server(one, "127.0.0.1", 0)
        engine.endpoint = Endpoint(port=server.sockets[0].getsockname()[1])
    try:
        yield engine
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
