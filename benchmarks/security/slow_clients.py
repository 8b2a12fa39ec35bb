"""Slow clients against the time-outs as they are by default: when each is cut, and how.

    PYTHONPATH=. .venv/bin/python benchmarks/security/slow_clients.py [--save]

Two and a half minutes; meanwhile ordinary requests are asked once a second. tests/security does the
same with short time-outs. Exit status 1 where one is cut too early or too late, or others wait.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from results import clean_up_when_ended, save
from tests.security.conftest import Target, running
from tests.security.raw import Wire, answers, ask, completion, get, post
from tests.security.tap import until

HEAD_S, BODY_S, IDLE_S, SEND_S = 10.0, 30.0, 75.0, 120.0
LATE_S, SLOWEST_S = 5.0, 2.0
DRIPPING = 200
Client = Callable[[Target], Awaitable[str]]


def main() -> int:
    """Be slow, print, save; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", action="store_true", help="write results/DAY-slow-clients.json")
    given = parser.parse_args()
    clean_up_when_ended()
    with (
        tempfile.TemporaryDirectory(prefix="sparkwell-slow-") as folder,
        running(Path(folder) / "home", {}) as target,
    ):
        found = asyncio.run(measured(target))
    for each in found["clients"]:
        print(each)
    print({name: value for name, value in found.items() if name != "clients"})
    if given.save:
        print(save("slow-clients", found))
    late = [each for each in found["clients"] if not each["as_it_should"]]
    return int(bool(late) or found["slowest_other_s"] > SLOWEST_S)


async def measured(target: Target) -> dict[str, Any]:
    """All of them at the same time."""
    memory = target.resident_bytes()
    others = asyncio.create_task(ordinary(target))
    clients = await asyncio.gather(
        *(timed(target, name, client, bound) for name, (client, bound) in CLIENTS.items())
    )
    others.cancel()
    (took,) = await asyncio.gather(others, return_exceptions=True)
    assert isinstance(took, asyncio.CancelledError)  # noqa: S101 - it never ends by itself
    return {
        "clients": clients,
        "other_requests": len(TOOK_S),
        "slowest_other_s": round(max(TOOK_S), 3),
        "resident_grown_bytes": target.resident_bytes() - memory,
    }


TOOK_S: list[float] = []


async def ordinary(target: Target) -> None:
    """A request a second, for ever."""
    while True:
        began = time.monotonic()
        answer = await ask(target.port, post(completion("others")), 30)
        if answer.status != 200:
            raise RuntimeError(f"an ordinary request got {answer.status}")
        TOOK_S.append(time.monotonic() - began)
        await asyncio.sleep(1)


async def timed(target: Target, name: str, client: Client, bound_s: float) -> dict[str, Any]:
    """When a client was cut, and how."""
    began = time.monotonic()
    end = await client(target)
    took_s = time.monotonic() - began
    return {
        "client": name,
        "bound_s": bound_s,
        "cut_after_s": round(took_s, 1),
        "end": end,
        "as_it_should": bound_s - 1 <= took_s <= bound_s + LATE_S,
    }


async def dripped(target: Target, first: bytes, piece: bytes, pause_s: float) -> str:
    """Send something, then a piece at a time until the gateway has enough of it."""
    async with Wire(target.port) as wire:
        await wire.send(first)
        dripping = asyncio.create_task(_drip(wire, piece, pause_s))
        try:
            said = await wire.rest(SEND_S + 30)
        finally:
            dripping.cancel()
        return str(answers(said)[0].status) if said else "closed"


async def _drip(wire: Wire, piece: bytes, pause_s: float) -> None:
    while piece:
        await asyncio.sleep(pause_s)
        await wire.send(piece)


async def heads(target: Target) -> str:
    """Very many heads, a byte a second each."""
    first = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
    ends = await asyncio.gather(*(dripped(target, first, b"y", 1.0) for _ in range(DRIPPING)))
    return ", ".join(sorted(set(ends)))


async def still(target: Target) -> str:
    """A body that stops in the middle."""
    return await dripped(target, post(b"{", framing=b"Content-Length: 99"), b"", 1)


async def drip(target: Target) -> str:
    """A body of a byte a second."""
    return await dripped(target, post(b"{", framing=b"Content-Length: 99999"), b" ", 1)


async def chunks(target: Target) -> str:
    """Chunks of a byte, one a second."""
    first = post(b"1\r\n{\r\n", framing=b"Transfer-Encoding: chunked")
    return await dripped(target, first, b"1\r\n \r\n", 1)


async def silent(target: Target) -> str:
    """A connection without a byte."""
    return await dripped(target, b"", b"", 1)


async def kept(target: Target) -> str:
    """One that is kept after an answer."""
    async with Wire(target.port) as wire:
        await wire.send(get())
        first = (await wire.answer()).status
        said = await wire.rest(SEND_S + 30)
        return f"{first}, then closed" if not said else repr(said[:40])


async def reads_nothing(target: Target) -> str:
    """One that reads nothing of a stream without end."""
    async with Wire(target.port, receive_bytes=4096) as wire:
        await wire.send(post(completion("flood", stream=True), b"x-tap: flood"))
        await until(lambda: target.tap.left_at is not None, 2 * SEND_S)
        return f"cut, {target.tap.flooded_bytes / 1e6:.0f} MB taken from the engine"


CLIENTS: dict[str, tuple[Client, float]] = {
    f"{DRIPPING} heads, a byte a second": (heads, HEAD_S),
    "a body that stops": (still, BODY_S),
    "a body of a byte a second": (drip, BODY_S),
    "chunks of a byte, one a second": (chunks, BODY_S),
    "a connection that says nothing": (silent, IDLE_S),
    "a connection that is kept": (kept, IDLE_S),
    "a reader of nothing": (reads_nothing, SEND_S),
}


if __name__ == "__main__":
    sys.exit(main())
