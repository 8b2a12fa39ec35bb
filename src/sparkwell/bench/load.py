"""Send the requests of one case, and take down when each answer came."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sparkwell.bench.connection import Connection, Target
from sparkwell.bench.sample import Sample

REQUEST_S = 1800.0
"""How long one answer may take: the gateway lets a request wait as long for its model."""
LOOK_S = 0.01
FEWEST_FAILURES = 8
FAILURES_AT_A_RATE = 64
clock = time.perf_counter


@dataclass(slots=True)
class Course:
    """What has been measured so far. ``lags`` are the seconds by which the client woke late.

    ``began_s`` is of the samples' clock, ``began_at`` the same moment in Unix time, None before it.
    ``cpu_s`` is processor time of this process, ``broken`` why it ended before its last request.
    """

    total: int
    began_s: float = 0.0
    ended_s: float = 0.0
    began_at: float | None = None
    cpu_s: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    broken: str | None = None


class _Sender:
    """Sends one request after the other, and gives up where nothing comes back any more."""

    def __init__(self, target: Target, course: Course, at_once: int, tell: Callable[[], None]):
        self._target, self._course, self._tell = target, course, tell
        self._most_failures = max(FEWEST_FAILURES, at_once)
        self._failed = 0

    def connection(self) -> Connection:
        """One more."""
        return Connection(self._target, clock)

    async def send(self, body: bytes, due_s: float, connection: Connection) -> None:
        """Ask, and keep what came; nothing more is sent after many failures in a row."""
        if self._course.broken is not None:
            return
        sample = Sample(due_s)
        self._course.samples.append(sample)
        await connection.ask(body, sample, REQUEST_S)
        self._tell()
        self._failed = 0 if sample.good else self._failed + 1
        if self._failed >= self._most_failures:
            said = f"{self._failed} requests in a row failed, the last: {sample.error}"
            self._course.broken = self._course.broken or said


async def closed_loop(
    target: Target, bodies: Sequence[bytes], at_once: int, course: Course, tell: Callable[[], None]
) -> None:
    """So many clients, each of which asks again as soon as it is answered."""
    sender, rest = _Sender(target, course, at_once, tell), iter(bodies)
    clients = [sender.connection() for _ in range(min(at_once, len(bodies)))]

    async def client(connection: Connection) -> None:
        for body in rest:
            await sender.send(body, clock(), connection)

    with _closed(clients):
        await _opened(clients)
        async with _measured(course):
            await _together(client(connection) for connection in clients)


async def open_loop(
    target: Target,
    bodies: Sequence[bytes],
    offsets: Sequence[float],
    course: Course,
    tell: Callable[[], None],
) -> None:
    """Requests that come when they come (``offsets`` in seconds), however long others take."""
    sender, free = _Sender(target, course, FAILURES_AT_A_RATE, tell), list[Connection]()

    async def request(body: bytes, due_s: float) -> None:
        await asyncio.sleep(max(0.0, due_s - clock()))
        connection = free.pop() if free else sender.connection()
        await sender.send(body, due_s, connection)
        free.append(connection)

    with _closed(free):
        async with _measured(course):
            due = _shifted(offsets, clock())
            await _together(request(*each) for each in zip(bodies, due, strict=True))


async def _together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Where one fails, the others are ended before that is told: each sample has its end then."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


@contextmanager
def _closed(connections: Sequence[Connection]) -> Iterator[None]:
    """None of them stays open after this block."""
    try:
        yield
    finally:
        for connection in connections:
            connection.close()


def _shifted(offsets: Sequence[float], by: float) -> Iterator[float]:
    return (offset + by for offset in offsets)


async def _opened(clients: Sequence[Connection]) -> None:
    """Connect beforehand: it is not what is measured. Who refuses is met again when asked."""
    await asyncio.gather(*(client.open() for client in clients), return_exceptions=True)


@asynccontextmanager
async def _measured(course: Course) -> AsyncIterator[None]:
    """Time, processor time, and how late this process wakes."""
    course.began_s, course.began_at, cpu_s = clock(), time.time(), time.process_time()
    watch = asyncio.create_task(_watch(course.lags))
    try:
        with _no_collection():
            yield
    finally:
        watch.cancel()
        course.ended_s, course.cpu_s = clock(), time.process_time() - cpu_s


async def _watch(lags: list[float]) -> None:
    """A request's bytes lie unread for as long as this process does not run."""
    while True:
        due_s = clock() + LOOK_S
        await asyncio.sleep(LOOK_S)
        lags.append(clock() - due_s)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Python's collector of cycles stands still meanwhile: it holds all up, and finds nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
