"""More connections than there may be, and very many one after the other."""

import asyncio
import resource
from collections.abc import Iterator

import pytest

from tests.security.conftest import Target
from tests.security.raw import Wire, completion, get, post

MOST, TOO_MANY = 2000, 2100


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """As many as the tests need, in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("a process may not have 3,000 descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_2100_connections(target: Target) -> None:
    before = target.resident_bytes()
    refused, kept = await opened(target, TOO_MANY)
    assert refused >= TOO_MANY - MOST
    assert kept >= MOST - 10  # a client of the daemon's own may be there, too
    assert target.resident_bytes() - before < 60 * 2**20


async def opened(target: Target, many: int) -> tuple[int, int]:
    """So many connections at once: how many were refused, and how many were served."""
    async with connected(target, many) as wires:
        served = await asyncio.gather(*(is_served(wire) for wire in wires))
    return len(served) - sum(served), sum(served)


async def is_served(wire: Wire) -> bool:
    """Whether a connection is; else it gets 503, if it reads that in time, and the end."""
    await wire.send(get(b"/none"))
    try:
        answer = await wire.answer(30)
    except EOFError:
        return False
    if answer.status == 503:
        assert await wire.rest(5) == b""
    else:
        assert answer.status == 404  # nothing is there; it is the gateway that says so
    return answer.status == 404


class connected:  # noqa: N801 - reads as what it is
    """Many connections at a time."""

    def __init__(self, target: Target, many: int) -> None:
        self._wires = [Wire(target.port) for _ in range(many)]

    async def __aenter__(self) -> list[Wire]:
        for at in range(0, len(self._wires), 100):
            await asyncio.gather(*(wire.__aenter__() for wire in self._wires[at : at + 100]))
        return self._wires

    async def __aexit__(self, *_of: object) -> None:
        await asyncio.gather(*(wire.__aexit__(None, None, None) for wire in self._wires))


async def test_2000_connections_one_after_the_other_leave_nothing(target: Target) -> None:
    await turns(target, 200)
    descriptors, memory = target.process.num_fds(), target.resident_bytes()
    await turns(target, 2000)
    await asyncio.sleep(0.1)
    assert target.process.num_fds() <= descriptors + 2
    assert target.resident_bytes() - memory < 8 * 2**20


async def turns(target: Target, many: int) -> None:
    """Half of them say nothing, a quarter half a request, a quarter a whole one."""
    for at in range(many):
        async with Wire(target.port) as wire:
            if at % 4 == 1:
                await wire.send(post(completion("half"))[:60])
            elif at % 4 == 3:
                await wire.send(get(b"/health"))
                assert (await wire.answer()).status == 200
