"""A client that sends what it is told, byte for byte, and reads answers strictly."""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Any

HOST = "127.0.0.1"
MODEL = "demo-qwen3"
USUAL_S = 5.0


class NotHttpError(Exception):
    """What came from the server is no HTTP/1 answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; ``headers`` as they came, in order, names in lower case."""

    version: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]

    def one(self, name: str) -> str | None:
        found = self.all(name)
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """What stands under ``error`` in OpenAI's envelope; every key of it has to be there."""
        found: dict[str, Any] = self.json["error"]
        assert set(found) >= {"message", "type", "param", "code"}, found
        return found


class Wire:
    """One connection to the gateway, in an ``async with`` block."""

    def __init__(self, port: int, *, receive_bytes: int | None = None) -> None:
        self._port, self._receive_bytes = port, receive_bytes
        self._data, self._eof = b"", False

    async def __aenter__(self) -> "Wire":
        plug = socket.socket()
        if self._receive_bytes:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        plug.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plug, (HOST, self._port))
        limit = self._receive_bytes or 2**16
        self._reader, self._writer = await asyncio.open_connection(sock=plug, limit=limit)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.transport.abort()
        await asyncio.sleep(0)

    async def send(self, data: bytes) -> None:
        """Send; a server that has closed already is no error: its answer may be there."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            self._eof = True

    async def answer(self, timeout: float = USUAL_S, *, head_only: bool = False) -> Answer:
        """The next answer, an interim one too; EOFError where the server closed before it."""
        async with asyncio.timeout(timeout):
            while True:
                found = parsed(self._data, self._eof, head_only=head_only)
                if found:
                    self._data = self._data[found[1] :]
                    return found[0]
                if self._eof:
                    raise EOFError(self._data)
                await self._more()

    async def rest(self, timeout: float = USUAL_S) -> bytes:
        """What comes until the server closes; TimeoutError where it does not."""
        async with asyncio.timeout(timeout):
            while not self._eof:
                await self._more()
        return self._data

    async def some(self, timeout: float = USUAL_S) -> bytes:
        """What has come so far and has not been taken as an answer: at least a byte, or the end."""
        async with asyncio.timeout(timeout):
            while not self._data and not self._eof:
                await self._more()
        return self._data

    async def take(self) -> bytes:
        """What has come so far, taken away: for who reads slowly."""
        await self._more()
        taken, self._data = self._data, b""
        return taken

    def close(self) -> None:
        """End the connection as a client does that wants no more."""
        self._writer.close()

    def half_close(self) -> None:
        self._writer.write_eof()

    def reset(self) -> None:
        """End the connection with a RST."""
        plug = self._writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _more(self) -> None:
        try:
            data = await self._reader.read(2**16)
        except ConnectionError:
            data = b""
        self._eof = self._eof or not data
        self._data += data


async def exchange(port: int, data: bytes, timeout: float = USUAL_S) -> list[Answer]:
    """All answers to some bytes; the server has to close in time, and to send nothing else."""
    async with Wire(port) as wire:
        await wire.send(data)
        return answers(await wire.rest(timeout))


async def ask(port: int, data: bytes, timeout: float = USUAL_S) -> Answer:
    """One answer."""
    async with Wire(port) as wire:
        await wire.send(data)
        return await wire.answer(timeout)


def answers(data: bytes) -> list[Answer]:
    """Everything that a server sent until it closed."""
    found = []
    while data:
        one = parsed(data, eof=True)
        if one is None:
            raise NotHttpError(f"cut off: {data[:200]!r}")
        found.append(one[0])
        data = data[one[1] :]
    return found


def parsed(data: bytes, eof: bool, *, head_only: bool = False) -> tuple[Answer, int] | None:
    """The first answer in ``data`` and its length; None where it is not whole yet."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        if data and not data.startswith(b"HTTP/"[: len(data)]):
            raise NotHttpError(repr(data[:200]))
        return None
    version, status, headers = _head(head)
    offset = len(head) + 4
    if head_only or status < 200 or status in (204, 304):
        return Answer(version, status, headers, b""), offset
    body = _body(headers, rest, eof)
    return None if body is None else (Answer(version, status, headers, body[0]), offset + body[1])


def _head(head: bytes) -> tuple[str, int, tuple[tuple[str, str], ...]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not rest[:3].isdigit():
        raise NotHttpError(repr(first))
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or "\n" in line or "\r" in line:
            raise NotHttpError(f"header {line!r}")
        headers.append((name.lower(), value.strip()))
    return version, int(rest[:3]), tuple(headers)


def _body(headers: tuple[tuple[str, str], ...], rest: bytes, eof: bool) -> tuple[bytes, int] | None:
    lengths = [value for name, value in headers if name == "content-length"]
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise NotHttpError(f"framed twice: {headers}")
    if codings:
        return _chunks(rest)
    if lengths:
        length = int(lengths[0])
        return (rest[:length], length) if len(rest) >= length else None
    return (rest, len(rest)) if eof else None


def _chunks(rest: bytes) -> tuple[bytes, int] | None:
    body, at = b"", 0
    while True:
        line, end, _ = rest[at:].partition(b"\r\n")
        if not end:
            return None
        size = int(line, 16)
        after = at + len(line) + 2 + size
        if len(rest) < after + 2:
            return None
        if rest[after : after + 2] != b"\r\n":
            raise NotHttpError("a chunk without its end")
        body += rest[after - size : after]
        at = after + 2
        if size == 0:
            return body, at


# ── requests ────────────────────────────────────────────────────────────────────────────────


def completion(prompt: str = "hi", **more: object) -> bytes:
    """A body that the fake engine answers at once, saying the prompt again."""
    asked = {"model": MODEL, "prompt": prompt, "max_tokens": 32, **more}
    return json.dumps(asked, separators=(",", ":")).encode()


def post(
    body: bytes,
    *headers: bytes,
    path: bytes = b"/v1/completions",
    framing: bytes | None = None,
    host: bytes | None = b"127.0.0.1",
    content_type: bytes | None = b"application/json",
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """A POST; ``framing`` stands in the place of Content-Length."""
    lines = [b"POST " + path + b" " + version]
    lines += [b"Host: " + host] if host is not None else []
    lines += [b"Content-Type: " + content_type] if content_type is not None else []
    lines += [b"Content-Length: %d" % len(body)] if framing is None else []
    lines += [framing] if framing else []
    return b"\r\n".join([*lines, *headers]) + b"\r\n\r\n" + body


def get(path: bytes = b"/v1/models", *headers: bytes, method: bytes = b"GET") -> bytes:
    """A request without a body."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: 127.0.0.1", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunked(body: bytes, size: int = 16) -> bytes:
    """A body in chunks."""
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
