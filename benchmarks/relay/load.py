"""Loads a relay through raw sockets: a client that costs little and waits for no library."""

import asyncio
import json
import socket
import time
from asyncio import transports
from typing import cast

_END_OF_STREAM = b"\r\n0\r\n\r\n"
_READ = 2**16


def request(path: str, **extra: object) -> bytes:
    """Write a chat request of a usual size."""
    question = "Explain in two sentences why the sky is blue. " * 8
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    document = {"model": "m", "messages": messages, "max_tokens": 256, **extra}
    body = json.dumps(document, separators=(",", ":")).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def connect(address: str | int) -> socket.socket:
    """Connect to a port of this machine, or a Unix socket."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(address)
        return sock
    sock = socket.create_connection(("127.0.0.1", address))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def latencies(address: str | int, message: bytes, count: int) -> list[float]:
    """Ask one after another on one connection; seconds from sending to the last byte."""
    with connect(address) as sock:
        return [_latency(sock, message) for _ in range(count)]


def _latency(sock: socket.socket, message: bytes) -> float:
    started = time.perf_counter()
    sock.sendall(message)
    received = b""
    while not _complete(received):
        received += _some(sock)
    return time.perf_counter() - started


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(_READ)
    if not data:
        raise ConnectionError("the relay closed the connection")
    return data


def _complete(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(received.decode(errors="replace"))
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    if rest:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return received.endswith(_END_OF_STREAM)


def together(address: str | int, message: bytes, *, connections: int, each: int) -> int:
    """Ask on several connections at once, ``each`` times on each; return the number of reads."""
    return sum(asyncio.run(_together(address, message, connections, each)))


async def _together(address: str | int, message: bytes, connections: int, each: int) -> list[int]:
    asking = (_connection(address, message, each) for _ in range(connections))
    return await asyncio.gather(*asking)


async def _connection(address: str | int, message: bytes, each: int) -> int:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()
    await loop.create_connection(lambda: _Asker(message, each, done), sock=connect(address))
    return await done


class _Asker(asyncio.Protocol):
    """Asks, reads to the end of the answer, asks again."""

    def __init__(self, message: bytes, left: int, done: asyncio.Future[int]) -> None:
        self._message, self._left, self._done = message, left, done
        self._received = b""
        self._reads = 0

    def connection_made(self, transport: transports.BaseTransport) -> None:
        self._transport = cast("transports.Transport", transport)
        self._transport.write(self._message)

    def data_received(self, data: bytes) -> None:
        self._reads += 1
        self._received += data
        if _complete(self._received):
            self._next()

    def _next(self) -> None:
        self._received = b""
        self._left -= 1
        if self._left:
            return self._transport.write(self._message)
        self._transport.close()
        return self._done.set_result(self._reads)

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError("the relay closed the connection"))
