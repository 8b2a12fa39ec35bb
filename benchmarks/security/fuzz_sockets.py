"""Mutated requests into the gateway's port, in pieces: what comes back, what an engine gets.

    PYTHONPATH=. .venv/bin/python benchmarks/security/fuzz_sockets.py [--cases 100000] [--save]

The seeds are the doubtful and the good requests of tests/security. A case counts as wrong where the
answer is no HTTP or has a status of 500 and above that is not the engine's own, where the gateway
does not close in time, or where the engine gets anything that is no well-formed request.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from results import clean_up_when_ended, save
from tests.security.conftest import TROUBLE, Target, running
from tests.security.raw import NotHttpError, Wire, answers, ask, chunked, completion, get, post
from tests.security.test_bodies import NAMED_TWICE
from tests.security.test_framing import EITHER, REFUSED

TOGETHER = 16
SEEDS = [
    *REFUSED.values(),
    *EITHER.values(),
    *(post(body) for body in NAMED_TWICE.values()),
    get(), get(b"/v1/models/demo-qwen3"), get(b"/health"), get(b"/ui/"), get(b"/docs"),
    post(completion("a b c", stream=True)),
    post(chunked(completion("in chunks")), framing=b"Transfer-Encoding: chunked"),
    post(completion("100"), b"Expect: 100-continue"),
    post(completion("h2c"), b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
]  # fmt: skip
TOKENS = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b":", b",", b"\x80", b"\xff", b"chunked", b"-1",
    b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: evil\r\n", b"\r\n\r\n",
    b"%2e%2e", b"../", b"//", b"\\", b'"', b"{", b"]", b"\\ud800", b"99999999999999999999",
]  # fmt: skip


def main() -> int:
    """Send, print, save; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=1800)
    parser.add_argument("--save", action="store_true", help="write results/DAY-fuzz-sockets.json")
    given = parser.parse_args()
    clean_up_when_ended()
    with (
        tempfile.TemporaryDirectory(prefix="sparkwell-fuzz-") as folder,
        running(Path(folder) / "home", {"max_body_mb": 8}) as target,
    ):
        found = asyncio.run(measured(target, given.cases, given.seed, given.limit_s))
    print(found)
    if given.save:
        print(save("fuzz-sockets", {"seed": given.seed, **found}))
    return int(found["cases"] < given.cases or found["wrong"] > 0)


async def measured(target: Target, cases: int, seed: int, limit_s: float) -> dict[str, Any]:
    """Statuses, and what went wrong: the first few cases with their bytes."""
    statuses: Counter[str] = Counter()
    wrong: list[str] = []
    before, began, done = target.resident_bytes(), time.monotonic(), 0

    async def one_after_the_other(first: int) -> None:
        nonlocal done
        for at in range(first, cases, TOGETHER):
            if time.monotonic() - began > limit_s:
                return
            chance = random.Random(f"{seed}-{at}")  # noqa: S311 - to be repeated
            pieces = mutated(chance)
            why = await case(target.port, pieces, statuses)
            done += 1
            if why:
                wrong.append(f"case {at}: {why}: {b'|'.join(pieces)!r}"[:2000])
            target.tap.raw.clear()

    await asyncio.gather(*(one_after_the_other(first) for first in range(TOGETHER)))
    wrong += [f"the engine got {each}" for each in target.tap.strange]
    log = target.log()
    wrong += [log[log.index(word) - 300 :][:3000] for word in TROUBLE if word in log]
    served = (await ask(target.port, post(completion("still there?")), 10)).status
    return {
        "cases": done,
        "wrong": len(wrong),
        "wrong_ones": wrong[:20],
        "statuses": dict(sorted(statuses.items())),
        "took_s": round(time.monotonic() - began, 1),
        "requests_that_reached_the_engine": len(target.tap.posts()),
        "resident_grown_bytes": target.resident_bytes() - before,
        "served_afterwards": served == 200,
    }


async def case(port: int, pieces: list[bytes], statuses: Counter[str]) -> str:
    """Why a case went wrong; empty where it went well."""
    async with Wire(port) as wire:
        for piece in pieces:
            await wire.send(piece)
            await asyncio.sleep(0)
        try:
            data = await wire.rest(0.05)
        except TimeoutError:  # it waits for the rest of a request: there is none
            wire.half_close()
            try:
                data = await wire.rest(10)
            except TimeoutError:
                return "it did not close"
    try:
        found = answers(data)
    except NotHttpError as error:
        # The end may have come in the middle of an answer that nobody waited for any more.
        return "" if str(error).startswith("cut off") else str(error)
    statuses.update([str(each.status) for each in found] or ["none"])
    odd = [each for each in found if each.status >= 500 and not each.one("x-sparkwell-instance")]
    meant = {501, 503, 505}
    return "".join(
        f"status {each.status} {each.body!r}" for each in odd if each.status not in meant
    )


def mutated(chance: random.Random) -> list[bytes]:
    """A few bytes of a seed changed, and the whole cut into pieces."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(0, 4)):
        at = chance.randint(0, len(data))
        gone = chance.choice((0, 0, 1, 1, 2, 8))
        new = chance.choice(TOKENS) if chance.random() < 0.6 else chance.randbytes(1)
        data[at : at + gone] = new
    if chance.random() < 0.2:
        data += chance.choice(SEEDS)
    places = sorted(
        chance.sample(range(len(data) + 1), k=min(chance.choice((0, 0, 1, 3)), len(data)))
    )
    return [bytes(data[a:b]) for a, b in zip([0, *places], [*places, len(data)], strict=True)]


if __name__ == "__main__":
    sys.exit(main())
