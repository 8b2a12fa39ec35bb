"""Many requests in one write: answered in their order, or the connection ends where it did."""

import asyncio

import pytest

from tests.security.conftest import Target
from tests.security.raw import Wire, completion, get, post
from tests.security.tap import until


@pytest.mark.parametrize("many", [10, 1000])
async def test_requests_in_one_write_are_answered_in_order(target: Target, many: int) -> None:
    async with Wire(target.port) as wire:
        await wire.send(b"".join(post(completion(f"number-{at}")) for at in range(many)))
        heard = 0
        for at in range(many):
            try:
                answer = await wire.answer(30)
            except EOFError:
                break  # refused to go on: allowed, as long as nothing is lost without a sign
            assert answer.status == 200
            assert f"number-{at}" in answer.json["choices"][0]["text"].split()
            heard += 1
    assert heard >= 1
    prompts = [each.body for each in target.tap.posts()]
    assert prompts[:heard] == [completion(f"number-{at}") for at in range(heard)]


async def test_different_requests_in_one_write_keep_their_order(target: Target) -> None:
    data = [
        post(completion("one")),
        get(),
        post(b"{}"),
        get(b"/v1/models/none"),
        post(completion("two")),
    ]
    async with Wire(target.port) as wire:
        await wire.send(b"".join(data))
        found = [await wire.answer() for _ in data]
    assert [each.status for each in found] == [200, 200, 400, 404, 200]
    assert "two" in found[4].json["choices"][0]["text"].split()


async def test_a_stream_is_whole_before_the_next_answer_begins(target: Target) -> None:
    async with Wire(target.port) as wire:
        await wire.send(post(completion("a b c d", stream=True)) + post(completion("after")))
        stream, whole = await wire.answer(), await wire.answer()
    assert stream.body.endswith(b"data: [DONE]\n\n")
    assert "after" in whole.json["choices"][0]["text"].split()


async def test_pipelined_requests_behind_an_endless_answer_do_not_pile_up(target: Target) -> None:
    """What is behind a stream is read when the stream is over, and takes no memory until then."""
    before = target.resident_bytes()
    async with Wire(target.port) as wire:
        await wire.send(post(completion("first"), b"x-tap: hold"))
        for _ in range(32):
            try:
                await _within(wire, post(completion("z" * 4 * 2**20)))
            except TimeoutError:
                break
        else:
            pytest.fail("128 MB of requests were read that nobody can answer yet")
        wire.reset()
    assert target.resident_bytes() - before < 40 * 2**20


async def _within(wire: Wire, data: bytes) -> None:
    async with asyncio.timeout(0.5):
        await wire.send(data)


async def test_who_leaves_behind_many_requests_is_noticed(target: Target) -> None:
    """Nothing more is read then, not even that the client closes: that is seen all the same."""
    async with Wire(target.port) as wire:
        await wire.send(post(completion("first"), b"x-tap: hold"))
        await until(lambda: target.tap.playing == 1, 5)
        await wire.send(post(completion("behind")) * 40)
        await asyncio.sleep(0.1)
        wire.close()
        await until(lambda: target.tap.left_at is not None, 3)
