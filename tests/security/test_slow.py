"""Clients that send or read slowly, or stop in the middle: others are served, and they are cut."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.security.conftest import SHORT, Target
from tests.security.raw import Wire, answers, ask, completion, get, post
from tests.security.tap import until

MIB = 2**20
LATE_S = 2.0
"""So much later than its time-out says may something be ended on a busy machine."""


async def drip(wire: Wire, data: bytes, seconds: float, pause_s: float = 0.2) -> None:
    """A byte at a time, for so long or until it is all sent."""
    end = time.monotonic() + seconds
    for byte in data:
        if time.monotonic() > end:
            return
        await wire.send(bytes([byte]))
        await asyncio.sleep(pause_s)


async def is_cut(wire: Wire, after_s: float) -> bytes:
    """What the server says before it closes, which it must not do much too late."""
    return await wire.rest(after_s + LATE_S)


# ── who sends slowly ────────────────────────────────────────────────────────────────────────


async def test_200_slow_heads_are_cut_and_meanwhile_others_are_served(quick: Target) -> None:
    async def slow() -> bytes:
        async with Wire(quick.port) as wire:
            head = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 500
            dripping = asyncio.create_task(drip(wire, head, 20))
            try:
                return await is_cut(wire, SHORT["head_s"])
            finally:
                dripping.cancel()

    async def served() -> list[float]:
        took = []
        for at in range(20):
            began = time.monotonic()
            assert (await ask(quick.port, post(completion(str(at))))).status == 200
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
        return took

    others, *cut = await asyncio.gather(served(), *(slow() for _ in range(200)))
    assert max(others) < 1.0, others
    assert {answers(said)[0].status for said in cut if isinstance(said, bytes)} == {408}


@pytest.mark.parametrize(
    "data",
    [
        post(b"", framing=b"Content-Length: 1000") + b"{" + b" " * 99,
        post(b"", framing=b"Transfer-Encoding: chunked") + b"5\r\n{    \r\n",
        post(b"", framing=b"Transfer-Encoding: chunked") + b"5",
        post(b"", framing=b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n",
    ],
    ids=["a length", "chunks", "half a chunk size", "no end of the trailers"],
)
async def test_a_body_that_stands_still_is_408(quick: Target, data: bytes) -> None:
    async with Wire(quick.port) as wire:
        await wire.send(data)
        (answer,) = answers(await is_cut(wire, SHORT["body_s"]))
    assert answer.status == 408
    assert quick.tap.posts() == []


@pytest.mark.parametrize(
    ("framing", "piece"),
    [
        (b"Content-Length: 100000", b" "),
        (b"Transfer-Encoding: chunked", b"1\r\n \r\n"),
        (b"Transfer-Encoding: chunked", b"0"),
        (b"Transfer-Encoding: chunked", b"1;" + b"x" * 20),
    ],
    ids=["a length", "chunks", "noughts", "extensions"],
)
async def test_a_body_that_drips_is_408(quick: Target, framing: bytes, piece: bytes) -> None:
    async with Wire(quick.port) as wire:
        await wire.send(post(b"", framing=framing))
        dripping = asyncio.create_task(_pieces(wire, piece))
        said = answers(await is_cut(wire, 2 * SHORT["body_s"]))
        dripping.cancel()
    assert [each.status for each in said] in ([408], [400])
    assert quick.tap.posts() == []


async def _pieces(wire: Wire, piece: bytes) -> None:
    while True:
        await wire.send(piece)
        await asyncio.sleep(0.1)


async def test_an_honest_slow_sender_is_served(quick: Target) -> None:
    """20 KB/s for longer than a body may stand still."""
    head, _, body = post(completion("p" * 60_000, max_tokens=1)).partition(b"\r\n\r\n")
    async with Wire(quick.port) as wire:
        await wire.send(head + b"\r\n\r\n")
        for at in range(0, len(body), 2000):
            await wire.send(body[at : at + 2000])
            await asyncio.sleep(0.1)
        assert (await wire.answer()).status in (200, 400)
    assert len(quick.tap.posts()) == 1


@pytest.mark.parametrize("piece", [b"", b"\r\n"], ids=["nothing", "empty lines"])
async def test_a_connection_without_a_request_is_closed(quick: Target, piece: bytes) -> None:
    async with Wire(quick.port) as wire:
        dripping = asyncio.create_task(_pieces(wire, piece))
        said = await is_cut(wire, 2 * SHORT["idle_s"])
        dripping.cancel()
    assert said == b"" or answers(said)[0].status in (400, 408)


async def test_a_kept_connection_is_closed_when_it_is_idle(quick: Target) -> None:
    async with Wire(quick.port) as wire:
        await wire.send(get())
        assert (await wire.answer()).status == 200
        assert await is_cut(wire, SHORT["idle_s"]) == b""


# ── who reads slowly ────────────────────────────────────────────────────────────────────────


async def test_who_reads_nothing_pauses_its_engine_and_is_cut_in_the_end(quick: Target) -> None:
    before = quick.resident_bytes()
    async with Wire(quick.port, receive_bytes=4096) as wire:
        await wire.send(post(completion("flood", stream=True), b"x-tap: flood"))
        await asyncio.sleep(1.0)
        first = quick.tap.flooded_bytes
        await asyncio.sleep(0.5)
        assert quick.tap.flooded_bytes - first <= 2**17, "the engine is still read"
        assert first < 32 * MIB
        assert quick.resident_bytes() - before < 16 * MIB
        await until(lambda: quick.tap.left_at is not None, SHORT["send_s"] * 2 + LATE_S)


async def test_who_reads_slowly_is_not_cut(quick: Target) -> None:
    before = quick.resident_bytes()
    async with Wire(quick.port, receive_bytes=65536) as wire:
        await wire.send(post(completion("flood", stream=True), b"x-tap: flood"))
        end, got = time.monotonic() + 2 * SHORT["send_s"], 0
        while time.monotonic() < end:
            got += len(await wire.take())
            await asyncio.sleep(0.1)
        assert quick.tap.left_at is None
    assert got > MIB
    assert quick.resident_bytes() - before < 16 * MIB


async def test_100_readers_of_nothing_take_little_memory(quick: Target) -> None:
    before = quick.resident_bytes()
    wires = [Wire(quick.port, receive_bytes=4096) for _ in range(100)]
    try:
        for wire in wires:
            await wire.__aenter__()
            await wire.send(post(completion("flood", stream=True), b"x-tap: flood"))
        await asyncio.sleep(1.0)
        assert quick.resident_bytes() - before < 100 * MIB
    finally:
        for wire in wires:
            await wire.__aexit__(None, None, None)
    await until(lambda: quick.tap.playing == 0, 5)


# ── who leaves ──────────────────────────────────────────────────────────────────────────────


async def leave(wire: Wire) -> None:
    wire.reset()


async def turn_away(wire: Wire) -> None:
    wire.half_close()
    await wire.rest(2)


async def hang_up(wire: Wire) -> None:
    wire.close()


@pytest.mark.parametrize("leaves", [leave, turn_away, hang_up])
@pytest.mark.parametrize("play", [b"flood", b"hold"])
async def test_who_leaves_ends_what_its_engine_does(
    target: Target, leaves: Callable[[Wire], Awaitable[None]], play: bytes
) -> None:
    """100 ms are the bound; a busy machine of two cores gets some more."""
    async with Wire(target.port) as wire:
        await wire.send(post(completion("leaves", stream=play == b"flood"), b"x-tap: " + play))
        await until(lambda: target.tap.playing == 1, 5)
        began = time.monotonic()
        await leaves(wire)
        await until(lambda: target.tap.left_at is not None, 2)
    assert target.tap.left_at is not None
    assert target.tap.left_at - began < 0.3


async def test_half_requests_that_end_with_a_reset_leave_nothing(target: Target) -> None:
    data = post(completion("half"))
    descriptors = target.process.num_fds()
    for at in range(1, len(data), 3):
        async with Wire(target.port) as wire:
            await wire.send(data[:at])
            wire.reset()
    await until(lambda: target.process.num_fds() <= descriptors, 5)
    assert target.tap.posts() == []


async def test_half_requests_that_end_with_a_close_leave_nothing(target: Target) -> None:
    data = post(completion("half"))
    for at in range(1, len(data), 5):
        async with Wire(target.port) as wire:
            await wire.send(data[:at])
            wire.half_close()
            said = await wire.rest(2)
            assert said == b"" or answers(said)[0].status in (400, 408)
    assert target.tap.posts() == []


async def test_who_half_closes_after_a_request_gets_an_answer_or_the_end(target: Target) -> None:
    async with Wire(target.port) as wire:
        await wire.send(post(completion("said all")))
        wire.half_close()
        said = await wire.rest(2)
    assert said == b"" or answers(said)[0].status == 200
