"""Clients that read streams: closed loops over raw HTTP/1.1, spread over processes.

Each stream asks, reads the answer to its end, and asks again at once. A stream's first answer is
of a random length, so that the streams do not end together ever after. Tokens are counted by
events: of an answer of 256 tokens in 250 events each event has 1.024, so that an answer across the
edge of the window counts with its part. All times are seconds of CLOCK_MONOTONIC.
"""

import asyncio
import gc
import json
import multiprocessing
import random
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import httptools
import uvloop

Json = dict[str, Any]
PATH = "/v1/completions"
END = b"\n\n"
DONE = b"data: [DONE]"
MOST_ERRORS = 20
RUN_OUT_S = 120.0
TAIL = 400


@dataclass(frozen=True, slots=True)
class Address:
    """A port of this machine or a Unix socket, the model's name there, and a key."""

    model: str
    port: int | None = None
    uds: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked: tokens in and out, and between which token ids the prompts are drawn."""

    streams: int
    prompt_tokens: int
    output_tokens: int
    words: tuple[int, int]
    seed: str


@dataclass(frozen=True, slots=True)
class Window:
    """Streams begin at ``asks_at``; what comes between the other two is counted."""

    asks_at: float
    since: float
    until: float


@dataclass(slots=True)
class Counted:
    """What a process of clients saw; a tally can be added to another."""

    tokens: float = 0.0
    events: int = 0
    reads: int = 0
    answers: int = 0
    asked_tokens: int = 0
    uneven: int = 0
    cpu_s: float = 0.0
    most_cpu_s: float = 0.0
    errors: list[str] = field(default_factory=list)
    first_s: "array[float]" = field(default_factory=lambda: array("d"))
    gaps_s: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, other: "Counted") -> None:
        """Add what another process saw."""
        for name in ("tokens", "events", "reads", "answers", "asked_tokens", "uneven", "cpu_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.most_cpu_s = max(self.most_cpu_s, other.cpu_s)
        self.errors += other.errors
        self.first_s.extend(other.first_s)
        self.gaps_s.extend(other.gaps_s)


class Clients:
    """Load in processes of their own, from now until the window is over and all has been read."""

    def __init__(self, address: Address, load: Load, window: Window, processes: int) -> None:
        self._ends: list[Connection] = []
        context = multiprocessing.get_context("fork")
        for number in range(min(processes, load.streams)):
            mine, theirs = context.Pipe(duplex=False)
            given = (address, load, window, range(number, load.streams, processes), theirs)
            context.Process(target=_work, args=given, daemon=True).start()
            theirs.close()
            self._ends.append(mine)

    def result(self, timeout_s: float) -> Counted:
        """The sum of all; TimeoutError when one has not ended by then."""
        whole, deadline = Counted(), time.monotonic() + timeout_s
        for end in self._ends:
            if not end.poll(max(deadline - time.monotonic(), 0.0)):
                raise TimeoutError("a client did not end")
            whole.add(end.recv())
        return whole


def _work(
    address: Address, load: Load, window: Window, numbers: Sequence[int], end: Connection
) -> None:
    gc.disable()
    counted = Counted()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_streams(address, load, window, numbers, counted))
    end.send(counted)


async def _streams(
    address: Address, load: Load, window: Window, numbers: Sequence[int], counted: Counted
) -> None:
    streams = [Stream(address, load, window, number, counted) for number in numbers]
    await asyncio.sleep(window.asks_at - time.monotonic())
    asking = [asyncio.create_task(stream.run()) for stream in streams]
    await asyncio.sleep(window.since - time.monotonic())
    before_s = time.process_time()
    await asyncio.sleep(window.until - time.monotonic())
    counted.cpu_s = time.process_time() - before_s
    _, late = await asyncio.wait(asking, timeout=RUN_OUT_S)
    counted.errors += [f"{len(late)} streams did not end"] if late else []


class Stream(asyncio.Protocol):
    """One stream: asks on its connection, counts what comes."""

    def __init__(
        self, address: Address, load: Load, window: Window, number: int, counted: Counted
    ) -> None:
        self._address, self._load, self._window, self._counted = address, load, window, counted
        self._draw = random.Random(f"{load.seed}-{number}")  # noqa: S311 - no secret
        self._errors = 0
        self._length = self._draw.randint(1, load.output_tokens)
        self._over: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._asked: float | None = None
        self._tail = b""

    async def run(self) -> None:
        """Ask until the window is over, on a new connection where one was lost."""
        loop = asyncio.get_running_loop()
        while time.monotonic() < self._window.until and self._errors < MOST_ERRORS:
            self._over = loop.create_future()
            try:
                await self._connect(loop)
                await self._over
            except OSError as error:
                self._fail(str(error))
                await asyncio.sleep(0.1)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._address.port is None:
            await loop.create_unix_connection(lambda: self, self._address.uds)
        else:
            await loop.create_connection(lambda: self, "127.0.0.1", self._address.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once."""
        self._transport = transport  # type: ignore[assignment]
        self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        """An answer that was under way is lost."""
        if self._asked is not None:
            self._fail("the connection was lost")
        if self._over and not self._over.done():
            self._over.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Note when how many events came."""
        self._new, now = 0, time.monotonic()
        self._parser.feed_data(data)
        if self._new:
            self._came.append((now, self._new))
        if self._complete:
            self._answered()

    def on_body(self, body: bytes) -> None:
        """Count ends of events, also one that is cut in two."""
        text = self._tail + body
        self._new += text.count(END, max(len(self._tail) - 1, 0))
        self._tail = text[-TAIL:]

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._complete = True

    def _ask(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._came: list[tuple[float, int]] = []
        self._tail, self._new, self._complete = b"", 0, False
        assert self._transport is not None  # noqa: S101 - set when connected
        self._transport.write(self._request())
        self._asked = time.monotonic()

    def _request(self) -> bytes:
        low, high = self._load.words
        prompt = [self._draw.randrange(low, high) for _ in range(self._load.prompt_tokens)]
        document = {
            "model": self._address.model, "prompt": prompt, "max_tokens": self._length,
            "ignore_eos": True, "temperature": 0.7, "stream": True,
        }  # fmt: skip
        body = json.dumps(document, separators=(",", ":")).encode()
        key = f"Authorization: Bearer {self._address.key}\r\n" if self._address.key else ""
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{self._address.port or 80}\r\n"
            f"Content-Type: application/json\r\nAccept: */*\r\nUser-Agent: bench\r\n{key}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _answered(self) -> None:
        asked_at, self._asked = self._asked, None
        status = self._parser.get_status_code()
        if status == 200 and DONE in self._tail and b'"length"' in self._tail and asked_at:
            self._count(asked_at)
        else:
            self._fail(f"{status} {self._tail[-300:]!r}")
        self._length = self._load.output_tokens
        going_on = time.monotonic() < self._window.until and self._errors < MOST_ERRORS
        if going_on and self._parser.should_keep_alive():
            self._ask()
        elif self._transport:
            self._transport.close()

    def _count(self, asked_at: float) -> None:
        counted, window = self._counted, self._window
        when, many = self._came[-1]
        came = [*self._came[:-1], *([(when, many - 1)] if many > 1 else [])]  # less [DONE]
        events = sum(many for _, many in came)
        each, last = self._length / events, None
        counted.answers += 1
        counted.asked_tokens += self._length
        counted.uneven += events != self._length
        for at, many in came:
            if window.since <= at < window.until:
                counted.tokens += many * each
                counted.events += many
                counted.reads += 1
                apart = counted.first_s if last is None else counted.gaps_s
                apart.append(at - (asked_at if last is None else last))
                counted.gaps_s.extend([0.0] * (many - 1))
            last = at

    def _fail(self, said: str) -> None:
        self._errors += 1
        self._counted.errors.append(said)
