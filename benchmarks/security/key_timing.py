"""Whether the time in which a key is refused tells how much of it was right.

    PYTHONPATH=. .venv/bin/python benchmarks/security/key_timing.py [--cases 20000] [--save]

Wrong keys that share their first 0, 1, … 43 characters with a right one are checked in turn, in an
order drawn anew each round; compared are the medians by how many characters were right. The same is
done with a comparison that does leak (character by character): what is seen of it says what this
would have seen. Then over the wire, against a real gateway. Exit status 1 where keys that are
nearly right differ from others by more than a microsecond in process, or the leak is not seen.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from results import clean_up_when_ended, save
from tests.security.conftest import running
from tests.security.raw import Wire, completion, post

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.book import Book
from sparkwell.gateway.keys.making import digest_of, make_secret

RANDOM_CHARACTERS = 43
MOST_US, LEAST_SEEN_US = 1.0, 0.5
Check = Callable[[str], object]


def main() -> int:
    """Measure, print, save; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="checks of each length")
    parser.add_argument("--requests", type=int, default=400, help="requests of each length")
    parser.add_argument("--save", action="store_true", help="write results/DAY-key-timing.json")
    given = parser.parse_args()
    clean_up_when_ended()
    secret = make_secret()
    book = Book()
    book.use([Key("key-1", "right", digest_of(secret), secret[-4:], 0.0)], "some")
    found: dict[str, Any] = {
        "checks_of_each_length": given.cases,
        "book_us": compared(measured(book.of, secret, given.cases)),
        "leaking_us": compared(measured(leaking(secret), secret, given.cases // 4)),
        "wire_us": over_the_wire(given.requests),
    }
    for name, each in found.items():
        print(name, each, flush=True)
    if given.save:
        print(save("key-timing", found))
    seen = abs(found["leaking_us"]["slope_us_over_the_key"]) > LEAST_SEEN_US
    quiet = abs(found["book_us"]["slope_us_over_the_key"]) <= MOST_US
    return int(not (seen and quiet))


def wrong(secret: str, right: int, chance: random.Random) -> str:
    """A key of the same form whose first ``right`` random characters are those of ``secret``."""
    begin = len(secret) - RANDOM_CHARACTERS
    other = "A" if secret[min(begin + right, len(secret) - 1)] != "A" else "B"
    rest = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=RANDOM_CHARACTERS))
    return (secret[: begin + right] + other + rest)[: len(secret)] if right < 43 else secret + other


def lengths(rounds: int, chance: random.Random) -> Iterator[int]:
    """Every length once a round, in a new order each time."""
    order = list(range(RANDOM_CHARACTERS + 1))
    for _ in range(rounds):
        chance.shuffle(order)
        yield from order


def measured(check: Check, secret: str, rounds: int) -> dict[int, list[float]]:
    """Microseconds of every check, by how many characters were right."""
    chance = random.Random(1)  # noqa: S311 - no secret is made by it
    took: dict[int, list[float]] = {at: [] for at in range(RANDOM_CHARACTERS + 1)}
    for right in lengths(rounds, chance):
        key = wrong(secret, right, chance)
        began = time.perf_counter_ns()
        check(key)
        took[right].append((time.perf_counter_ns() - began) / 1000)
    return took


def leaking(secret: str) -> Check:
    """What must not be used: it stops at the first character that differs."""

    def check(key: str) -> bool:
        for mine, theirs in zip(secret, key, strict=False):
            if mine != theirs:
                return False
        return len(secret) == len(key)

    return check


def compared(took: dict[int, list[float]]) -> dict[str, Any]:
    """Medians by length, their spread, and how they grow from 0 right characters to 43."""
    medians = {right: median(each) for right, each in took.items()}
    everything = [us for each in took.values() for us in each]
    mean_x = RANDOM_CHARACTERS / 2
    mean_y = sum(medians.values()) / len(medians)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in medians.items())
    slope /= sum((x - mean_x) ** 2 for x in medians)
    tenths = quantiles(everything, n=10)
    return {
        "median": round(median(everything), 3),
        "p10": round(tenths[0], 3),
        "p90": round(tenths[8], 3),
        "least_median": round(min(medians.values()), 3),
        "most_median": round(max(medians.values()), 3),
        "slope_us_over_the_key": round(slope * RANDOM_CHARACTERS, 3),
    }


def over_the_wire(rounds: int) -> dict[str, Any]:
    """The same with requests to a gateway that has the key, on one connection."""
    with (
        tempfile.TemporaryDirectory(prefix="sparkwell-keys-") as folder,
        running(Path(folder) / "home", {}) as target,
    ):
        secret = target.home.ok("keys", "add", "right").strip()
        return compared(asyncio.run(asked(target.port, secret, rounds)))


async def asked(port: int, secret: str, rounds: int) -> dict[int, list[float]]:
    """Microseconds of every refusal, by how many characters were right."""
    chance = random.Random(2)  # noqa: S311 - no secret is made by it
    took: dict[int, list[float]] = {at: [] for at in range(RANDOM_CHARACTERS + 1)}
    async with Wire(port) as wire:
        for right in lengths(rounds, chance):
            key = wrong(secret, right, chance).encode()
            data = post(completion("timing"), b"Authorization: Bearer " + key)
            began = time.perf_counter_ns()
            await wire.send(data)
            answer = await wire.answer()
            took[right].append((time.perf_counter_ns() - began) / 1000)
            if answer.status != 401:
                raise RuntimeError(f"a wrong key got {answer.status}")
    return took


if __name__ == "__main__":
    sys.exit(main())
