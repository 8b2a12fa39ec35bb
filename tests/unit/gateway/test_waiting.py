"""While a model is not ready: who waits, who is told what, and how it ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse, web
from tests.unit.gateway.conftest import (
    QUICK,
    READY,
    STOPPED,
    Client,
    Engine,
    FakeBackend,
    FakeTicket,
)
from tests.unit.gateway.events import comments, only_error, parse

from sparkwell.core.errors import NotReadyError, TooBusyError, WaitExceededError
from sparkwell.gateway.backend import Waiting
from sparkwell.gateway.herald import Herald
from sparkwell.gateway.wire.reply import Feeder, Reply

CHAT = "/v1/chat/completions"
BODY = {"model": "qwen3-8b-fp8", "messages": []}
STREAM = {**BODY, "stream": True}
SSE = {"Content-Type": "text/event-stream; charset=utf-8"}
EVENTS = [b'data: {"n": 1}\n\n', b'data: {"n": 2}\n\n', b"data: [DONE]\n\n"]
Hang = Callable[[], None]
BROKEN = "The engine of qwen3-8b-fp8 ended: exit code 1."


async def soon(something: Any) -> Any:
    """A test that waits in vain fails, and does not hang."""
    return await asyncio.wait_for(something, 5)


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=SSE)
    await response.prepare(request)
    for event in EVENTS:
        await response.write(event)
    return response


async def first_comment(response: ClientResponse) -> str:
    line: bytes = await soon(response.content.readline())
    assert line.startswith(b": sparkwell ")
    return line.decode().rstrip("\n")


def ask(client: Client, body: object = BODY) -> asyncio.Task[ClientResponse]:
    """A request under way."""
    return asyncio.create_task(client.session.post(client.make_url(CHAT), json=body))


# ── whole answers ───────────────────────────────────────────────────────────────────────────


async def test_a_request_waits_and_is_answered(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    """However long it is: only streams are begun before the answer is known."""
    backend.holds = True
    asking = ask(hasty)
    ticket = await backend.ticket()
    assert engine.asked == []
    ticket.grant(backend.lease(queued_s=41.2, load_s=38.1239))
    response = await soon(asking)
    assert response.status == 200
    assert await response.json() == {"object": "chat.completion"}
    marks = {name: value for name, value in response.headers.items() if "sparkwell" in name}
    assert marks == {
        "x-sparkwell-model": "qwen3-8b-fp8",
        "x-sparkwell-instance": "qwen3-8b-fp8-1",
        "x-sparkwell-queued-ms": "41200",
        "x-sparkwell-load-ms": "38124",
    }


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
async def test_an_answer_that_did_not_wait_says_so(client: Client, body: object) -> None:
    async with client.post(CHAT, json=body) as response:
        assert response.headers["x-sparkwell-instance"] == "qwen3-8b-fp8-1"
        assert response.headers["x-sparkwell-queued-ms"] == "0"
        assert response.headers["x-sparkwell-load-ms"] == "0"


async def test_an_engines_own_error_is_marked_too(client: Client, engine: Engine) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        headers = {"x-sparkwell-model": "forged"}
        return web.json_response({"error": {}}, status=400, headers=headers)

    engine.handler = refuse
    async with client.post(CHAT, json=BODY) as response:
        assert (response.status, await response.json()) == (400, {"error": {}})
        assert response.headers.getall("x-sparkwell-model") == ["qwen3-8b-fp8"]


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("error", "status", "kind", "retry"),
    [
        (NotReadyError(BROKEN), 503, "server_error", "5"),
        (NotReadyError(BROKEN, retry_after_s=61.2), 503, "server_error", "62"),
        (WaitExceededError("It took too long."), 503, "server_error", "5"),
        (TooBusyError("Full.", retry_after_s=0.0), 429, "rate_limit_error", "1"),
        (TooBusyError("Full."), 429, "rate_limit_error", "5"),
    ],
    ids=["503", "503 and when", "waited", "429 and when", "429"],
)
async def test_an_error_in_time_keeps_its_status(
    client: Client,
    backend: FakeBackend,
    body: object,
    error: NotReadyError,
    status: int,
    kind: str,
    retry: str,
) -> None:
    backend.holds = True
    asking = ask(client, body)
    (await backend.ticket()).refuse(error)
    response = await soon(asking)
    assert (response.status, response.headers["Retry-After"]) == (status, retry)
    assert response.headers["x-sparkwell-model"] == "qwen3-8b-fp8"
    assert await response.json() == {
        "error": {"message": str(error), "type": kind, "param": None, "code": error.code}
    }


async def test_a_queue_that_is_full_refuses_at_once(
    client: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_model: str, *, priority: int = 0, passage: object = None) -> None:
        raise TooBusyError("512 requests wait already.", retry_after_s=90)

    monkeypatch.setattr(backend, "ensure_ready", refuse)
    async with client.post(CHAT, json=STREAM) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "90")
        assert (await response.json())["error"]["code"] == "queue_full"


async def test_a_model_that_nobody_knows_is_not_named_in_a_header(client: Client) -> None:
    async with client.post(CHAT, json={"model": "gpt-4"}) as response:
        assert response.status == 404
        assert "x-sparkwell-model" not in response.headers
        assert "Retry-After" not in response.headers


async def test_the_engine_is_asked_by_the_name_that_it_has_when_it_has_started(
    client: Client, engine: Engine, backend: FakeBackend
) -> None:
    backend.holds = True
    asking = ask(client)
    ticket = await backend.ticket()
    backend.models = [replace(READY, engine_name="sparkwell-qwen3:32k"), STOPPED]
    ticket.grant(backend.lease())
    assert (await soon(asking)).status == 200
    assert engine.asked[0].json == {**BODY, "model": "sparkwell-qwen3:32k"}


async def test_a_model_that_is_forgotten_meanwhile(client: Client, backend: FakeBackend) -> None:
    backend.holds = True
    asking = ask(client)
    ticket = await backend.ticket()
    backend.models = [STOPPED]
    ticket.grant(backend.lease())
    assert (await soon(asking)).status == 404
    assert backend.leases == 0


# ── streams within the time that headers are held ───────────────────────────────────────────


async def test_a_stream_whose_model_comes_in_time_is_as_if_it_had_not_waited(
    client: Client, engine: Engine, backend: FakeBackend
) -> None:
    engine.handler = stream
    backend.holds = True
    asking = ask(client, STREAM)
    (await backend.ticket()).grant(backend.lease(queued_s=1.5))
    response = await soon(asking)
    assert response.headers["Content-Type"] == SSE["Content-Type"]
    assert response.headers["x-sparkwell-queued-ms"] == "1500"
    assert await response.read() == b"".join(EVENTS)


async def test_an_engines_error_in_time_keeps_its_status(client: Client, engine: Engine) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "too long"}}, status=400)

    engine.handler = refuse
    async with client.post(CHAT, json=STREAM) as response:
        assert (response.status, response.content_type) == (400, "application/json")
        assert await response.json() == {"error": {"message": "too long"}}


class Paper:
    """What an answer is written on."""

    def __init__(self) -> None:
        self.said = b""

    def fed_by(self, feeder: Feeder) -> None:
        raise AssertionError("nobody feeds it")

    def send(self, data: bytes) -> None:
        self.said += data

    def date_line(self) -> bytes:
        return b""


async def test_when_the_answer_comes_nobody_else_speaks() -> None:
    paper = Paper()
    herald = Herald(Reply(paper, None), replace(QUICK, hold_headers_s=0.0))
    herald.ticket = ticket = FakeTicket(None, Waiting("m", "loading weights"))
    herald.start("m")
    await soon(ticket.looked_at.acquire())
    assert herald.hush()
    said, ticket.told = paper.said, Waiting("m", "another phase")
    await asyncio.sleep(10 * QUICK.look_s)
    assert paper.said == said


async def test_an_answer_in_time_finds_nothing_said() -> None:
    paper = Paper()
    herald = Herald(Reply(paper, None), replace(QUICK, hold_headers_s=0.01))
    herald.start("m")
    assert not herald.hush()
    await asyncio.sleep(0.03)
    assert paper.said == b""


# ── streams that have been begun ────────────────────────────────────────────────────────────


async def begun(
    hasty: Client, backend: FakeBackend, waiting: Waiting | None = None
) -> tuple[ClientResponse, Any]:
    """A stream whose headers are there though its model is not, and the ticket that it has."""
    backend.holds = True
    asking = ask(hasty, STREAM)
    ticket = await backend.ticket()
    if waiting:
        ticket.told = waiting
    response: ClientResponse = await soon(asking)
    assert (response.status, response.headers["Content-Type"]) == (200, SSE["Content-Type"])
    assert response.headers["x-sparkwell-model"] == "qwen3-8b-fp8"
    assert "x-sparkwell-instance" not in response.headers
    return response, ticket


async def test_a_stream_is_told_how_it_waits_and_then_gets_its_events(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    engine.handler = stream
    waiting = Waiting(READY.name, "loading weights", 45.0, 38.0)
    response, ticket = await begun(hasty, backend, waiting)
    told = ": sparkwell qwen3-8b-fp8: loading weights, 45 %, about 38 s left"
    assert await first_comment(response) == told
    ticket.grant(backend.lease(queued_s=50.0, load_s=48.5))
    body = await soon(response.read())
    parts = parse(body)
    assert comments(parts)[-1] == (
        "sparkwell qwen3-8b-fp8: ready, instance qwen3-8b-fp8-1, queued 50000 ms, load 48500 ms"
    )
    assert body.endswith(b"".join(EVENTS))  # untouched
    assert [kind for kind, _ in parts[-3:]] == ["data"] * 3


async def test_every_phase_is_told_at_once(hasty: Client, backend: FakeBackend) -> None:
    response, ticket = await begun(hasty, backend)
    assert await first_comment(response) == ": sparkwell qwen3-8b-fp8: waiting for its turn"
    for phase in ("draining demo-qwen3", "stopping demo-qwen3", "loading weights"):
        ticket.told = Waiting(READY.name, phase)
        while (said := await first_comment(response)) != f": sparkwell qwen3-8b-fp8: {phase}":
            assert said != ""  # a comment of the phase before may have been on its way
    ticket.refuse(NotReadyError(BROKEN))
    await soon(response.read())


async def test_a_wait_in_which_nothing_changes_is_not_silent(
    hasty: Client, backend: FakeBackend
) -> None:
    response, ticket = await begun(hasty, backend)
    same = [await first_comment(response) for _ in range(3)]
    assert set(same) == {": sparkwell qwen3-8b-fp8: waiting for its turn"}
    ticket.refuse(NotReadyError(BROKEN))
    await soon(response.read())


async def test_a_failure_after_that_is_an_event(hasty: Client, backend: FakeBackend) -> None:
    response, ticket = await begun(hasty, backend)
    ticket.refuse(NotReadyError(BROKEN, hint="`sparkwell logs` has more."))
    parts = parse(await soon(response.read()))  # it ends as it should: nothing is cut
    assert only_error(parts) == {
        "message": f"{BROKEN} `sparkwell logs` has more.",
        "type": "server_error",
        "param": None,
        "code": "model_not_ready",
    }
    assert parts[-1][0] == "data"


async def test_the_connection_is_good_for_the_next_request(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    response, ticket = await begun(hasty, backend)
    connection = response.connection
    assert connection is not None
    protocol = connection.protocol
    ticket.refuse(NotReadyError(BROKEN))
    await soon(response.read())
    backend.holds = False
    response = await soon(ask(hasty))
    assert await response.json() == {"object": "chat.completion"}
    assert protocol is not None
    assert protocol.is_connected()


async def late_error(
    hasty: Client, engine: Engine, backend: FakeBackend, answer: web.Response
) -> dict[str, Any]:
    """What the client is told when the engine, at last asked, gives this answer."""

    async def give(_request: web.Request) -> web.Response:
        return answer

    engine.handler = give
    response, ticket = await begun(hasty, backend)
    ticket.grant(backend.lease())
    return only_error(parse(await soon(response.read())))


async def test_an_engines_error_after_that_is_an_event_with_its_words(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    said = {"message": "too\nlong", "type": "BadRequestError", "param": "n", "code": 400}
    answer = web.json_response({"error": said}, status=400)
    assert await late_error(hasty, engine, backend, answer) == said


async def test_an_engines_endless_error_is_cut(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    answer = web.Response(status=500, text="x" * 10**6)
    error = await late_error(hasty, engine, backend, answer)
    assert error == {"message": "x" * 2000, "type": "server_error", "param": None, "code": 500}


async def test_an_error_that_does_not_end_is_told_all_the_same(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    left = asyncio.Event()

    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 10_000)
        finally:
            left.set()

    engine.handler = refuse
    response, ticket = await begun(hasty, backend)
    ticket.grant(backend.lease())
    assert only_error(parse(await soon(response.read())))["code"] == 500
    await soon(left.wait())


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.json_response({"object": "chat.completion"}),
        lambda: web.Response(status=307, headers={"Location": "/elsewhere"}),
        lambda: web.Response(body=b"x", headers={**SSE, "Content-Encoding": "gzip"}),
    ],
    ids=["whole", "redirect", "packed"],
)
async def test_what_is_no_stream_of_events_cannot_follow_one(
    hasty: Client, engine: Engine, backend: FakeBackend, answer: Any
) -> None:
    error = await late_error(hasty, engine, backend, answer())
    assert (error["code"], error["type"]) == ("engine_no_stream", "server_error")


async def test_a_stream_is_not_asked_for_in_a_packing_that_may_no_longer_be_said(
    client: Client, engine: Engine
) -> None:
    for body in (BODY, STREAM):
        async with client.post(CHAT, json=body, headers={"Accept-Encoding": "gzip"}):
            pass
    assert [one.headers.get("Accept-Encoding") for one in engine.asked] == ["gzip", None]


@pytest.mark.parametrize("loaded", [True, False], ids=["loaded", "not loaded"])
async def test_an_engine_that_is_slow_to_begin_is_waited_for_in_the_same_way(
    hasty: Client, engine: Engine, backend: FakeBackend, loaded: bool
) -> None:
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return await stream(request)

    engine.handler = slow
    if loaded:
        response = await soon(ask(hasty, STREAM))
    else:
        response, ticket = await begun(hasty, backend)
        await first_comment(response)
        ticket.grant(backend.lease())
    while not (await first_comment(response)).endswith(": the engine has the request"):
        pass
    go_on.set()
    assert (await soon(response.read())).endswith(b"".join(EVENTS))


async def test_a_mistake_in_the_telling_does_not_cost_the_answer(
    hasty: Client,
    engine: Engine,
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine.handler = stream
    response, ticket = await begun(hasty, backend)
    told = asyncio.Event()

    def fail() -> Waiting:
        told.set()
        raise ZeroDivisionError

    monkeypatch.setattr(ticket, "waiting", fail)
    await soon(told.wait())
    ticket.grant(backend.lease())
    assert (await soon(response.read())).endswith(b"".join(EVENTS))
    assert "ZeroDivisionError" in caplog.text


# ── clients that leave, and slow ones ───────────────────────────────────────────────────────


async def test_a_client_that_leaves_is_not_waited_for(client: Client, backend: FakeBackend) -> None:
    backend.holds = True
    asking = ask(client)
    ticket = await backend.ticket()
    asking.cancel()
    await soon(ticket.withdrawn.wait())
    assert backend.granted == 0


async def test_nor_one_that_leaves_a_stream_before_its_headers(
    client: Client, backend: FakeBackend
) -> None:
    backend.holds = True
    asking = ask(client, STREAM)
    ticket = await backend.ticket()
    asking.cancel()
    await soon(ticket.withdrawn.wait())


async def test_nor_one_that_leaves_in_the_comments(hasty: Client, backend: FakeBackend) -> None:
    response, ticket = await begun(hasty, backend)
    await first_comment(response)
    response.close()
    await soon(ticket.withdrawn.wait())
    looks = ticket.looked_at
    while not looks.locked():
        await looks.acquire()
    with pytest.raises(TimeoutError):  # nobody looks any more
        await asyncio.wait_for(looks.acquire(), 10 * QUICK.look_s)


@asynccontextmanager
async def sent(client: Client, body: object) -> AsyncIterator[tuple[asyncio.StreamReader, Hang]]:
    """A request by hand: what is answered, and how to hang up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    data = json.dumps(body).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    try:
        yield reader, writer.transport.abort
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_an_engine_that_ends_in_a_stream_that_was_begun_early(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    arrived = asyncio.Event()

    async def end(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        await response.write(EVENTS[0])
        await arrived.wait()
        assert request.transport is not None
        request.transport.close()
        return response

    engine.handler = end
    backend.holds = True
    async with sent(hasty, STREAM) as (reader, _):
        await soon(reader.readuntil(b"turn\n"))
        (await backend.ticket()).grant(backend.lease())
        await soon(reader.readuntil(EVENTS[0]))
        arrived.set()
        seen = await soon(reader.read())
    assert b'"engine_ended"' in seen
    assert not seen.endswith(b"0\r\n\r\n")  # it is cut, as every answer that is not whole


async def test_a_client_that_does_not_read_holds_up_nobody_else(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    """Its own engine waits for it; nothing is kept in memory without end."""
    stuck, flooded = asyncio.Event(), 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal flooded
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        with contextlib.suppress(TimeoutError):
            while flooded < 64 * 10**6:
                await asyncio.wait_for(response.write(b"data: " + b"x" * 65_000 + b"\n\n"), 0.1)
                flooded += 65_000
        stuck.set()
        await asyncio.Event().wait()
        return response

    engine.handler = flood
    async with sent(hasty, STREAM):
        await soon(stuck.wait())
        assert flooded < 64 * 10**6
        engine.handler = stream
        async with sent(hasty, STREAM) as (reader, _):
            assert b"[DONE]" in await soon(reader.readuntil(b"[DONE]\n\n"))


async def test_many_wait_and_leave(hasty: Client, engine: Engine, backend: FakeBackend) -> None:
    engine.handler = stream
    backend.holds = True
    asking = [ask(hasty, STREAM) for _ in range(40)]
    tickets = [await backend.ticket() for _ in asking]
    responses = [await soon(each) for each in asking]
    for leaving in responses[::2]:
        leaving.close()
    gone = [each async for each in withdrawn(tickets, 20)]
    for ticket in tickets:
        if ticket not in gone:
            ticket.grant(backend.lease())
    for staying in responses[1::2]:
        assert (await soon(staying.read())).endswith(b"".join(EVENTS))
    assert len(engine.asked) == 20


async def withdrawn(tickets: list[Any], number: int) -> AsyncIterator[Any]:
    """So many tickets, as soon as they are given up."""
    waits = {asyncio.create_task(each.withdrawn.wait()): each for each in tickets}
    try:
        for _ in range(number):
            done, _ = await asyncio.wait(waits, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            yield waits.pop(done.pop())
    finally:
        for each in waits:
            each.cancel()


# ── engines that go away before they answer ─────────────────────────────────────────────────


async def hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
async def test_a_request_without_an_answer_is_asked_again(
    client: Client, engine: Engine, backend: FakeBackend, body: object
) -> None:
    async def once(request: web.Request) -> web.StreamResponse:
        return await (hang_up(request) if len(engine.asked) == 1 else stream(request))

    engine.handler = once
    async with client.post(CHAT, json=body) as response:
        assert (response.status, await response.read()) == (200, b"".join(EVENTS))
    assert [one.json for one in engine.asked] == [body, body]
    assert backend.granted == 2


@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
async def test_but_not_a_third_time(
    client: Client, engine: Engine, backend: FakeBackend, body: object
) -> None:
    """It may be the request that ends the engine."""
    engine.handler = hang_up
    async with client.post(CHAT, json=body) as response:
        assert response.status == 503
        assert response.headers["x-sparkwell-model"] == "qwen3-8b-fp8"
        assert (await response.json())["error"]["code"] == "engine_unreachable"
    assert len(engine.asked) == 2


async def test_it_waits_until_the_engine_is_back(
    hasty: Client, engine: Engine, backend: FakeBackend
) -> None:
    """Here the end is noticed only at the third try to reach it."""
    tries = 0

    async def once(request: web.Request) -> web.StreamResponse:
        return await (hang_up(request) if len(engine.asked) == 1 else stream(request))

    engine.handler = once
    give, alive = backend.lease, backend.endpoint

    def watched() -> Any:
        nonlocal tries
        tries += 1
        backend.endpoint = alive if tries in (1, 4) else replace(alive, uds="/nowhere/e.sock")
        backend.holds = tries == 3
        return give()

    backend.lease = watched  # type: ignore[method-assign, assignment]
    response = await soon(ask(hasty, STREAM))
    ticket = await backend.ticket()
    ticket.told = Waiting(READY.name, "restarting")
    backend.holds = False
    ticket.grant(backend.lease())
    body = await soon(response.read())
    assert tries == 4
    assert body.endswith(b"".join(EVENTS))
    parse(body)


async def test_or_gets_the_reason_why_it_does_not_come_back(
    client: Client, engine: Engine, backend: FakeBackend
) -> None:
    async def last_words(request: web.Request) -> web.Response:
        backend.holds = True
        return await hang_up(request)

    engine.handler = last_words
    asking = ask(client)
    (await backend.ticket()).refuse(NotReadyError(BROKEN))
    response = await soon(asking)
    assert response.status == 503
    assert (await response.json())["error"]["message"] == BROKEN
    assert len(engine.asked) == 1


async def test_what_has_begun_to_be_answered_is_not_asked_again(
    client: Client, engine: Engine
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"data: ")
        assert request.transport is not None
        request.transport.close()
        return response

    engine.handler = cut
    async with client.post(CHAT, json=STREAM) as response:
        with pytest.raises(ClientError):
            await response.read()
    assert len(engine.asked) == 1


async def test_an_answer_that_is_no_http_is_an_answer(
    client: Client, backend: FakeBackend, short: Path
) -> None:
    asked = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-x\r\n\r\n")
        await writer.drain()
        writer.close()

    backend.endpoint = replace(backend.endpoint, uds=str(short / "raw.sock"))
    server = await asyncio.start_unix_server(connected, short / "raw.sock")
    async with client.post(CHAT, json=BODY) as response:
        assert response.status == 502
        assert (await response.json())["error"]["code"] == "engine_not_http"
    server.close()
    assert asked == 1
