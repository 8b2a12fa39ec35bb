"""Very many connections one after the other: what they leave behind in the daemon.

    PYTHONPATH=. .venv/bin/python benchmarks/security/connections.py [--cases 100000] [--save]

A fifth of them says nothing, a fifth half a head, a fifth half a body, a fifth asks for something
that is not there, a fifth asks the engine; some end with a RST. Exit status 1 where descriptors
are left, or more than 8 MiB of memory.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from results import clean_up_when_ended, save
from tests.security.conftest import Target, running
from tests.security.raw import Wire, completion, get, post

TOGETHER = 50
WARM = 2_000
MOST_LEFT_BYTES = 8 * 2**20
WHOLE = post(completion("hi"))
SAYS = (b"", WHOLE[:60], WHOLE[:-20], get(b"/none"), WHOLE)
RESETS = 3  # every third of those that are not answered


def main() -> int:
    """Connect, print, save; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--limit-s", type=float, default=1200)
    parser.add_argument("--save", action="store_true", help="write results/DAY-connections.json")
    given = parser.parse_args()
    clean_up_when_ended()
    with (
        tempfile.TemporaryDirectory(prefix="sparkwell-connections-") as folder,
        running(Path(folder) / "home", {}) as target,
    ):
        found = asyncio.run(measured(target, given.cases, given.limit_s))
    print(found)
    if given.save:
        print(save("connections", found))
    few = found["connections"] < given.cases
    left = found["descriptors_left"] > 2 or found["resident_left_bytes"] > MOST_LEFT_BYTES
    return int(few or left or found["wrong"] > 0)


async def measured(target: Target, cases: int, limit_s: float) -> dict[str, float]:
    """Descriptors and memory before and after."""
    await turns(target, WARM, limit_s)
    await asyncio.sleep(1)
    target.tap.clear()
    descriptors, memory = target.process.num_fds(), target.resident_bytes()
    began = time.monotonic()
    done, wrong = await turns(target, cases, limit_s)
    took_s = time.monotonic() - began
    await asyncio.sleep(2)
    return {
        "connections": done,
        "wrong": wrong,
        "took_s": round(took_s, 1),
        "descriptors_before": descriptors,
        "descriptors_left": target.process.num_fds() - descriptors,
        "resident_before_bytes": memory,
        "resident_left_bytes": target.resident_bytes() - memory,
        "requests_that_reached_the_engine": len(target.tap.posts()),
    }


async def turns(target: Target, cases: int, limit_s: float) -> tuple[int, int]:
    """So many connections, some at a time: how many there were, and how many went wrong."""
    deadline = time.monotonic() + limit_s
    done = wrong = 0

    async def one_after_the_other(first: int) -> None:
        nonlocal done, wrong
        for at in range(first, cases, TOGETHER):
            if time.monotonic() > deadline:
                return
            wrong += not await turn(target.port, at)
            done += 1
            target.tap.raw.clear()

    await asyncio.gather(*(one_after_the_other(first) for first in range(TOGETHER)))
    return done, wrong


async def turn(port: int, at: int) -> bool:
    """One connection; whether it went as it should."""
    said = SAYS[at % len(SAYS)]
    async with Wire(port) as wire:
        await wire.send(said)
        if said in SAYS[3:]:
            return (await wire.answer(30)).status in {200, 404}
        if at % RESETS == 0:
            wire.reset()
    return True


if __name__ == "__main__":
    sys.exit(main())
