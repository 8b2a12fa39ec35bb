"""The load itself, against a server of a few lines that says and does what a test wants."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from sparkwell.bench.connection import Connection, Target
from sparkwell.bench.load import Course, clock, closed_loop, open_loop
from sparkwell.bench.measuring import measure
from sparkwell.bench.order import Order, Progress
from sparkwell.bench.results import Measured
from sparkwell.bench.sample import Sample
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Vocabulary, Workload
from sparkwell.core.errors import NotReadyError

Writer = asyncio.StreamWriter
Act = Callable[[int, Writer], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOKEN = b'data: {"choices":[{"text":"a"}]}\n\n'


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def answer(_number: int, writer: Writer) -> None:
    """Two tokens, 20 ms apart."""
    writer.write(HEAD + chunk(TOKEN))
    await asyncio.sleep(0.02)
    writer.write(chunk(TOKEN) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


class Server:
    """Counts connections, keeps what each request asks, and does ``act`` for it."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._tasks = set[asyncio.Task[None]]()
        self.connections = self.requests = self.open = self.most_open = 0
        self.bodies = list[bytes]()

    async def __call__(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        while not writer.is_closing():
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            self.bodies.append(await reader.readexactly(length))
            await self._one(writer)

    async def _one(self, writer: Writer) -> None:
        self.requests += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._act(self.requests, writer)
        finally:
            self.open -= 1


@asynccontextmanager
async def listening(server: Server) -> AsyncIterator[Target]:
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listener:
        yield Target("127.0.0.1", listener.sockets[0].getsockname()[1])
        await server.end()


@asynccontextmanager
async def serving(act: Act) -> AsyncIterator[tuple[Server, Target]]:
    server = Server(act)
    async with listening(server) as target:
        yield server, target


async def loaded(target: Target, count: int = 1, at_once: int = 1) -> Course:
    course = Course(count)
    await closed_loop(target, [b"{}"] * count, at_once, course, lambda: None)
    return course


async def test_clients_ask_again_as_soon_as_answered_on_their_own_connections() -> None:
    async with serving(answer) as (server, target):
        course = await loaded(target, 12, at_once=4)
    assert (server.requests, server.connections, server.most_open) == (12, 4, 4)
    assert all(sample.good and sample.tokens == 2 for sample in course.samples)
    assert all(sample.tpot_s is not None and sample.tpot_s > 0.015 for sample in course.samples)
    assert course.broken is None
    assert course.lags


async def test_requests_at_a_rate_do_not_wait_for_one_another() -> None:
    async def slow(_number: int, writer: Writer) -> None:
        await asyncio.sleep(0.3)
        await answer(0, writer)

    course = Course(10)
    async with serving(slow) as (server, target):
        offsets = [0.01 * each for each in range(10)]
        await open_loop(target, [b"{}"] * 10, offsets, course, lambda: None)
    assert server.most_open == 10
    first = course.samples[0].due_s
    assert first >= course.began_s
    assert [each.due_s - first for each in course.samples] == pytest.approx(offsets)


async def test_a_stall_counts_for_those_who_come_meanwhile() -> None:
    """A client that stood still with its engine would count the one request that met the stall."""
    stall = asyncio.Lock()

    async def stalled(number: int, writer: Writer) -> None:
        async with stall:
            await asyncio.sleep(0.5 if number == 1 else 0)
        await answer(number, writer)

    course = Course(20)
    async with serving(stalled) as (_, target):
        offsets = [0.02 * each for each in range(20)]
        await open_loop(target, [b"{}"] * 20, offsets, course, lambda: None)
    waited = sorted(sample.ttft_s or 0.0 for sample in course.samples)
    assert waited[0] >= 0.1  # the last came 0.38 s after the first
    assert waited[-1] >= 0.5


async def test_a_connection_that_was_closed_between_requests_is_opened_again() -> None:
    async def close(number: int, writer: Writer) -> None:
        await answer(number, writer)
        writer.close()

    async with serving(close) as (server, target):
        client = Connection(target, clock)
        for _ in range(3):
            sample = Sample(clock())
            await client.ask(b"{}", sample, 5)
            assert sample.error is None
            await asyncio.sleep(0.02)
        client.close()
    assert server.connections == 3


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (HEAD + chunk(TOKEN), "the connection was cut"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "this is no HTTP"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy", "503: busy"),
    ],
)
async def test_what_is_no_answer_is_told(said: bytes, error: str) -> None:
    async def act(_number: int, writer: Writer) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    async with serving(act) as (_, target):
        [sample] = (await loaded(target)).samples
    assert sample.error is not None
    assert sample.error.startswith(error)


BUSY = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy"
CLOSED = "the connection was closed before anything was asked"


class Closing(Server):
    """Says the same to every connection, and closes it, whatever it asks."""

    def __init__(self, said: bytes, after_s: float = 0.0) -> None:
        super().__init__(answer)
        self._said, self._after_s = said, after_s

    async def _serve(self, _reader: asyncio.StreamReader, writer: Writer) -> None:
        writer.write(self._said)
        await asyncio.sleep(self._after_s)


class Slow(Connection):
    """Something else has its turn between opening and asking, as with many at once."""

    async def open(self) -> None:
        await super().open()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("said", "after_s", "error"), [
    (b"", 0.0, CLOSED), (BUSY, 0.0, "503: busy"), (BUSY, 0.2, "503: busy"),
], ids=["without-a-word", "busy", "busy-and-lingers"])  # fmt: skip
async def test_a_connection_that_is_closed_at_once_is_a_failed_request(
    said: bytes, after_s: float, error: str
) -> None:
    """As the gateway refuses one connection more than it may have."""
    async with listening(Closing(said, after_s)) as target:
        client, sample = Slow(target, clock), Sample(clock())
        await client.ask(b"{}", sample, 5)
        client.close()
    assert sample.error == error
    assert sample.status == (503 if said else None)


class Greeting(Server):
    """Refuses before it is asked, keeps the connection, and answers what is asked later."""

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        writer.write(BUSY.replace(b"Connection: close\r\n", b""))
        await super()._serve(reader, writer)


async def test_a_refusal_counts_for_one_request_only() -> None:
    server = Greeting(answer)
    async with listening(server) as target:
        client, samples = Slow(target, clock), [Sample(clock()) for _ in range(2)]
        for sample in samples:
            await client.ask(b"{}", sample, 5)
        client.close()
    assert [sample.error for sample in samples] == ["503: busy", None]


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    async def nothing(_number: int, _writer: Writer) -> None:
        await asyncio.sleep(3600)

    async with serving(nothing) as (_, target):
        sample = Sample(clock())
        await Connection(target, clock).ask(b"{}", sample, 0.1)
    assert sample.error == "no whole answer within 0.1 s"


async def test_a_connection_that_never_comes_about_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A port that takes connections, and knows no TLS."""
    monkeypatch.setattr("sparkwell.bench.connection.CONNECT_S", 0.1)
    async with listening(Closing(b"", after_s=3600)) as target:
        sample = Sample(clock())
        secure = replace(target, trust=ssl.create_default_context())
        await Connection(secure, clock).ask(b"{}", sample, 5)
    assert sample.error == "no connection within 0.1 s"


async def test_it_ends_where_nothing_comes_back_any_more() -> None:
    """An engine that has died: a thousand refusals tell no more than a few."""

    async def dies(number: int, writer: Writer) -> None:
        if number <= 5:
            await answer(number, writer)
        else:
            writer.transport.abort()

    async with serving(dies) as (_, target):
        course = await loaded(target, 1000, at_once=2)
    assert course.broken is not None
    assert "8 requests in a row failed" in course.broken
    assert sum(sample.good for sample in course.samples) == 5


def order(target: Target, repeats: int = 1) -> Order:
    cases = [Case("two", Workload(8, 2), 6, clients=2), Case("rate", Workload(8, 2), 4, rate=100.0)]
    return Order(target, "m", cases, repeats, "s", Vocabulary(5000))


async def test_a_suite_is_measured_as_often_as_asked_after_warming_up() -> None:
    told, measured = list[Progress](), Measured()
    async with serving(answer) as (server, target):
        await measure(order(target, repeats=2), measured, told.append)
    assert {place: len(found) for place, found in measured.repeats.items()} == {0: 2, 1: 2}
    assert server.requests == 2 * ((2 + 6) + (1 + 4))
    assert [found.figures.requests for found in measured.repeats[0]] == [6, 6]
    ages = [time.time() - found.began_at for found in measured.repeats[1] if found.began_at]
    assert all(0 <= age < 60 for age in ages)
    assert ages == sorted(ages, reverse=True)
    assert len(ages) == 2
    assert any(each.warming for each in told)
    assert max(each.done for each in told) == 6


async def test_nothing_is_measured_where_nobody_answers() -> None:
    with pytest.raises(NotReadyError, match="m does not answer"):
        await measure(order(Target("127.0.0.1", 1)), Measured(), lambda _progress: None)


async def test_what_was_measured_until_the_engine_died_is_kept() -> None:
    async def dies(number: int, writer: Writer) -> None:
        if number <= 2 + 4:
            await answer(number, writer)
        else:
            writer.transport.abort()

    measured = Measured()
    async with serving(dies) as (_, target):
        await measure(order(target), measured, lambda _progress: None)
    assert measured.broken is not None
    assert "rate, repeat 1" in measured.broken
    assert sum(sample.good for sample in measured.repeats[0][0].samples) == 4


async def test_what_was_measured_until_it_was_stopped_is_kept() -> None:
    measured, begun = Measured(), asyncio.Event()

    def tell(progress: Progress) -> None:
        if progress.done == 3:
            begun.set()

    async with serving(answer) as (_, target):
        task = asyncio.create_task(measure(order(target), measured, tell))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert measured.broken == measured.repeats[0][0].broken == "stopped by hand"
    assert any(sample.good for sample in measured.repeats[0][0].samples)


async def test_what_an_error_of_our_own_ended_is_not_whole() -> None:
    measured = Measured()

    def tell(progress: Progress) -> None:
        if progress.done == 3:
            raise RuntimeError("our mistake")

    async with serving(answer) as (_, target):
        with pytest.raises(RuntimeError):
            await measure(order(target), measured, tell)
    assert measured.broken == measured.repeats[0][0].broken
    assert measured.broken == "ended by an error of Sparkwell's own: RuntimeError: our mistake"
    others = [each for each in measured.repeats[0][0].samples if not each.good]
    assert [(each.error, each.ended_s > each.due_s) for each in others] == [("broken off", True)]


@pytest.mark.parametrize(("error", "why"), [
    (asyncio.CancelledError(), "stopped by hand"),
    (KeyError("x"), "ended by an error of Sparkwell's own: KeyError: 'x'"),
], ids=["stopped", "own-error"])  # fmt: skip
async def test_what_was_ended_while_warming_up_is_not_whole(error: BaseException, why: str) -> None:
    """The first case is measured by then, and would be kept as a whole run."""
    measured = Measured()

    def tell(progress: Progress) -> None:
        if progress.warming and measured.repeats:
            raise error

    async with serving(answer) as (_, target):
        with pytest.raises(type(error)):
            await measure(order(target), measured, tell)
    assert measured.repeats[0][0].broken is None
    assert measured.broken == why


@pytest.mark.parametrize(("status", "hint"), [
    (401, "SPARKWELL_API_KEY"), (403, "SPARKWELL_API_KEY"), (400, "--text-prompts"),
    (503, "sparkwell status"),
])  # fmt: skip
async def test_what_an_endpoint_says_instead_has_a_hint_that_fits(status: int, hint: str) -> None:
    async def refuses(_number: int, writer: Writer) -> None:
        said = b'{"error": {"message": "It says why."}}'
        head = f"HTTP/1.1 {status} No\r\nContent-Length: {len(said)}\r\n\r\n"
        writer.write(head.encode() + said)

    async with serving(refuses) as (_, target):
        with pytest.raises(NotReadyError) as caught:
            await measure(order(target), Measured(), lambda _progress: None)
    assert caught.value.message == f"m does not answer: {status}: It says why."
    assert hint in str(caught.value.hint)


def test_a_request_says_who_asks_and_how_long_it_is() -> None:
    sent = Target("::1", 80, key="k").request(b"{}")
    assert b"Host: [::1]:80\r\n" in sent
    assert b"Authorization: Bearer k\r\n" in sent
    assert sent.endswith(b"Content-Length: 2\r\n\r\n{}")
