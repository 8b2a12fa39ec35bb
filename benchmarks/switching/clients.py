"""Clients that ask for several models at once, and what became of every request."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

PATH = "/v1/chat/completions"
TOKENS = 8


@dataclass(slots=True)
class Tally:
    """What became of the requests. Each one ends in exactly one of these, or it is lost."""

    sent: int = 0
    answered: int = 0
    left: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    by_model: Counter[str] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Requests that came to no end."""
        return self.sent - self.answered - self.left - sum(self.errors.values())

    def failed(self, kind: str, text: str) -> None:
        """Count an error, and keep the first of its kind."""
        self.errors[kind] += 1
        self.examples.setdefault(kind, text[:300])


@dataclass(frozen=True, slots=True)
class Mix:
    """How clients choose: the k-th model 1/k as often as the first; or each in turn."""

    models: Sequence[str]
    zipf: bool = True

    def choose(self, chance: random.Random, number: int) -> str:
        """The model of a client's request of that number."""
        if not self.zipf:
            return self.models[number % len(self.models)]
        weights = [1 / rank for rank in range(1, len(self.models) + 1)]
        return chance.choices(self.models, weights)[0]


@dataclass(frozen=True, slots=True)
class Habits:
    """What a client does. ``pause_s`` is the longest between two requests, evenly spread.

    ``streams`` and ``leaves`` are shares of the requests: those that stream, and those whose
    client goes away after at most ``leaves_after_s``. ``bound_s`` is how long an answer may take
    before the request counts as lost.
    """

    pause_s: float = 0.5
    streams: float = 0.3
    leaves: float = 0.02
    leaves_after_s: float = 2.0
    bound_s: float = 180.0


class Client:
    """Asks one thing after the other until it is to stop."""

    def __init__(
        self, number: int, url: str, mix: Mix, habits: Habits, tally: Tally, *, seed: int = 0
    ) -> None:
        self._chance = random.Random(f"{seed}-{number}")  # noqa: S311 - a mix, no secret
        self._number = number
        self._url = url + PATH
        self._mix, self._habits, self._tally = mix, habits, tally

    async def run(self, session: aiohttp.ClientSession, stop: Callable[[], bool]) -> None:
        """Ask until ``stop`` says so; what was asked is waited for."""
        while not stop():
            model = self._mix.choose(self._chance, self._number)
            self._number += 1
            await self._one(session, model)
            await asyncio.sleep(self._chance.uniform(0, self._habits.pause_s))

    async def _one(self, session: aiohttp.ClientSession, model: str) -> None:
        self._tally.sent += 1
        self._tally.by_model[model] += 1
        leaves = self._chance.random() < self._habits.leaves
        within = self._chance.uniform(0, self._habits.leaves_after_s) if leaves else None
        try:
            async with asyncio.timeout(within or self._habits.bound_s):
                await self._ask(session, model)
        except TimeoutError:
            self._tally.left += leaves  # else it is lost: nothing counts it
        except (aiohttp.ClientError, OSError) as error:
            self._tally.failed(f"connection: {type(error).__name__}", str(error))

    async def _ask(self, session: aiohttp.ClientSession, model: str) -> None:
        stream = self._chance.random() < self._habits.streams
        messages = [{"role": "user", "content": "Hello"}]
        body = {"model": model, "messages": messages, "max_tokens": TOKENS, "stream": stream}
        began = time.monotonic()
        async with session.post(self._url, json=body) as response:
            text = await response.text()
            if response.status != 200:
                self._tally.failed(f"{response.status} {_code(text)}", text)
            elif why := _incomplete(text, stream=stream):
                self._tally.failed(why, text[-300:])
            else:
                self._tally.answered += 1
                told = response.headers.get("x-sparkwell-queued-ms")
                self._tally.waits_s.append(float(told) / 1e3 if told else time.monotonic() - began)


def _code(text: str) -> str:
    try:
        return str(json.loads(text)["error"]["code"])
    except (ValueError, LookupError, TypeError):
        return "without a code"


def _incomplete(text: str, *, stream: bool) -> str | None:
    """What is wrong with the body of an answer with status 200; None where nothing is."""
    if stream:
        events = [line for line in text.splitlines() if line.startswith("data: ")]
        if any('"error"' in each for each in events):
            return "error in the stream"
        return None if events and events[-1] == "data: [DONE]" else "stream broken off"
    try:
        return None if json.loads(text)["choices"][0]["message"]["content"] else "empty answer"
    except (ValueError, LookupError, TypeError):
        return "no answer in the body"
