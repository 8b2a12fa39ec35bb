"""The load of benchmarks/gateway sees what a relay does wrong, however its bytes are cut."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "gateway"
EVENTS = 10
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler")


def event(number: int) -> bytes:
    body = b'data: {"content":"@S%06dT%019d@"}\n\n' % (number, time.monotonic_ns())
    return b"%x\r\n%s\r\n" % (len(body), body)


def stream(numbers: Sequence[int]) -> bytes:
    return HEAD + b"".join(map(event, numbers)) + END


def pieces(answer: bytes, size: int) -> list[bytes]:
    return [answer[at : at + size] for at in range(0, len(answer), size)]


async def seen(answer: bytes, *, size: int = 10_000, cut: bool = False) -> dict[str, Any]:
    """What the load says of two clients that ask twice and always get this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split()[0]))
                for piece in pieces(answer, size):
                    writer.write(piece)
                    await asyncio.sleep(0)
                if cut:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await asked(port)


async def asked(port: int) -> dict[str, Any]:
    sys.path.append(str(FOLDER))
    try:
        from programs import compiled  # type: ignore[import-not-found]  # noqa: PLC0415
    finally:
        sys.path.remove(str(FOLDER))
    words = f"--port {port} --mode stream --events {EVENTS} --requests 2 --connections 2 --limit 10"
    program = str(await asyncio.to_thread(compiled, "load"))
    done = await asyncio.create_subprocess_exec(
        program, *words.split(), stdout=asyncio.subprocess.PIPE
    )
    found: dict[str, Any] = json.loads((await done.communicate())[0])
    return found


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_a_good_answer_is_good_in_pieces_of_any_size(size: int) -> None:
    found = await seen(stream(range(EVENTS)), size=size)
    assert (found["answers"], found["events"]) == (4, 4 * EVENTS)
    wrong = ("lost", "reordered", "broken", "bad", "unfinished")
    assert [found[each] for each in wrong] == [0] * 5
    assert found["delay_us"]["count"] == 4 * EVENTS


async def test_an_event_that_lacks_is_lost() -> None:
    found = await seen(stream([each for each in range(EVENTS) if each != 4]))
    assert found["lost"] == 4


@pytest.mark.parametrize("wrong", [[0, 2, 1], [0, 1, 1, 2]])
async def test_events_out_of_order_or_twice_are_seen(wrong: list[int]) -> None:
    found = await seen(stream([*wrong, *range(3, EVENTS)]))
    assert found["reordered"] >= 4
    assert found["lost"] == 0


async def test_an_answer_that_is_cut_is_broken_and_its_events_are_lost() -> None:
    whole = stream(range(6))
    found = await seen(whole[: -len(END)], cut=True)
    assert (found["answers"], found["broken"]) == (0, 4)
    assert found["lost"] == 4 * 4


async def test_an_error_is_no_answer() -> None:
    found = await seen(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
    assert (found["answers"], found["bad"], found["bad_status"]) == (0, 4, 503)
