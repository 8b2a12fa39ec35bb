"""Messages arrive as they were said, however their bytes are cut."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.gateway.remote.link import daemon_side, worker_side
from sparkwell.gateway.remote.messages import Ask, Drop, FromWorker, Heard, Leave, Message

NUMBERS = st.integers(0, 2**53)
COUNTS = st.none() | NUMBERS
MESSAGES = st.one_of(
    st.builds(Ask, NUMBERS, st.text(max_size=20), st.integers(-100, 100), NUMBERS),
    st.builds(Drop, NUMBERS),
    st.builds(Leave, NUMBERS, st.integers(0, 599), COUNTS, COUNTS),
    st.builds(Heard, st.text(max_size=20), st.none() | st.tuples(st.binary(), st.binary())),
)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.frames.append(data)


@given(st.lists(MESSAGES, max_size=5), st.lists(MESSAGES, max_size=5), st.integers(1, 40))
def test_what_is_said_arrives(first: list[Message], then: list[Message], size: int) -> None:
    async def talk() -> tuple[list[FromWorker], int]:
        wire: Any = Wire()
        got: list[FromWorker] = []
        near, far = (
            worker_side(lambda _m: None, lambda: None),
            daemon_side(got.append, lambda: None),
        )
        near.connection_made(wire)
        far.connection_made(wire)
        for messages in (first, then):
            for each in messages:
                near.say(each)
            await asyncio.sleep(0)
        data = b"".join(wire.frames)
        for at in range(0, len(data), size):
            far.data_received(data[at : at + size])
        return got, len(wire.frames)

    got, frames = asyncio.run(talk())
    assert got == [*first, *then]
    assert frames == bool(first) + bool(then)  # one for each turn of the loop


async def test_after_the_end_nothing_is_said() -> None:
    wire: Any = Wire()
    lost: list[bool] = []
    link = worker_side(lambda _m: None, lambda: lost.append(True))
    link.say(Drop(1))
    link.connection_made(wire)
    link.say(Drop(2))
    link.connection_lost(None)
    link.say(Drop(3))
    await asyncio.sleep(0)
    assert (wire.frames, lost) == ([], [True])
