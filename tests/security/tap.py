"""Stands between the gateway and the fake engine: reads strictly what reaches the engine."""

import asyncio
import base64
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
FLOOD = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
PLAYS = "x-tap"
"""A request's header that says what the tap answers in the engine's place."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it reached the engine; headers in order, names in lower case."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]


class StrangeError(Exception):
    """What reached the engine is no well-formed request."""


@dataclass
class Tap:
    """Takes the place of an engine's socket; everything but the plays goes to the engine.

    ``x-tap: flood`` is answered by events without end, as fast as they are taken; ``x-tap: hold``
    never; ``x-tap: bytes BASE64`` by those bytes and the end of the connection.
    """

    path: Path
    asked: list[Asked] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    flooded_bytes: int = 0
    playing: int = 0
    left_at: float | None = None  # by the monotonic clock

    def __post_init__(self) -> None:
        self._real = self.path.with_suffix(".real")
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> None:
        self.path.rename(self._real)
        self._thread.start()
        assert self._ready.wait(5)

    def stop(self) -> None:
        """Give the socket back."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(5)
        self._real.rename(self.path)

    def clear(self) -> None:
        self.asked.clear()
        self.strange.clear()
        self.raw.clear()
        self.flooded_bytes, self.left_at = 0, None

    def posts(self) -> list[Asked]:
        """What clients asked for; the daemon itself asks the engine by GET, or for a canary."""
        return [each for each in self.asked if each.line.startswith("POST")]

    def has_seen(self, marker: str) -> bool:
        """Whether the bytes reached the engine in any form."""
        return any(marker.encode() in each for each in self.raw)

    async def _run(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_unix_server(self._guarded, self.path, limit=2**20)
        self._ready.set()
        await self._ended.wait()
        server.close()

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve((reader, writer))
        except StrangeError as error:
            self.strange.append(str(error))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the connection ended, or the tap does
        finally:
            writer.close()

    async def _serve(self, client: Streams) -> None:
        engine = await asyncio.open_unix_connection(self._real)
        answering = asyncio.create_task(_copy(engine[0], client[1]))
        try:
            while (head := await _head(client[0])) is not None:
                self.raw.append(head)
                asked = await self._read(head, client[0])
                self.asked.append(asked)
                play = asked.all(PLAYS)
                if play:
                    answering.cancel()
                    return await self._play(play[0], client)
                engine[1].write(_again(asked))
        finally:
            engine[1].close()
            answering.cancel()

    async def _read(self, head: bytes, reader: asyncio.StreamReader) -> Asked:
        line, headers = strict_head(head)
        names = [name for name, _ in headers]
        lengths = [value for name, value in headers if name == "content-length"]
        if "transfer-encoding" in names or len(lengths) > 1:
            raise StrangeError(f"framing: {headers}")
        length = lengths[0] if lengths else "0"
        if not length.isascii() or not length.isdigit():
            raise StrangeError(f"length {length!r}")
        body = await reader.readexactly(int(length))
        self.raw.append(body)
        return Asked(line, tuple(headers), body)

    async def _play(self, play: str, client: Streams) -> None:
        what, _, data = play.partition(" ")
        self.playing += 1
        gone = asyncio.create_task(client[0].read(1))
        gone.add_done_callback(lambda _: setattr(self, "left_at", time.monotonic()))
        try:
            if what == "bytes":
                client[1].write(base64.b64decode(data))
                await client[1].drain()
            elif what == "hold":
                await gone
            else:
                await self._flood(client[1], gone)
        finally:
            self.playing -= 1
            gone.cancel()

    async def _flood(self, writer: asyncio.StreamWriter, gone: asyncio.Future[bytes]) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        while not gone.done():
            writer.write(FLOOD)
            self.flooded_bytes += len(FLOOD)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await writer.drain()


async def until(condition: Callable[[], bool], within_s: float) -> None:
    """Wait for something that is seen by looking; TimeoutError where it does not come."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An engine that closes closes the gateway's connection as well."""
    with suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise StrangeError(f"after the last request: {error.partial[:200]!r}") from None
        return None


def _again(asked: Asked) -> bytes:
    lines = [asked.line, *(f"{name}: {value}" for name, value in asked.headers)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + asked.body


def strict_head(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    """A head's first line and headers; StrangeError where RFC 9112 leaves room for doubt."""
    line, *fields = head[:-4].decode("latin-1").split("\r\n")
    method, _, rest = line.partition(" ")
    if not method.isalpha() or not rest.endswith(" HTTP/1.1") or rest.count(" ") != 1:
        raise StrangeError(f"request line {line!r}")
    headers = []
    for each in fields:
        name, colon, value = each.partition(":")
        if (
            not colon
            or not _TOKEN.fullmatch(name)
            or any(ord(char) < 32 and char != "\t" for char in value)
        ):
            raise StrangeError(f"header {each!r}")
        headers.append((name.lower(), value.strip()))
    return line, headers
