"""Bytes go through the gateway as they are, as they come, and stop when somebody leaves."""

import asyncio
import gzip
import json
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.unit.gateway.conftest import Around, Client, Engine, FakeBackend, served

from sparkwell.core.launch import Endpoint

CHAT = "/v1/chat/completions"
BODY = {"model": "qwen3-8b-fp8", "messages": [{"role": "user", "content": "Hé"}]}
SSE = {"Content-Type": "text/event-stream; charset=utf-8"}


async def until(condition: asyncio.Event) -> None:
    await asyncio.wait_for(condition.wait(), 5)


# ── whole answers ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
async def test_an_answer_comes_through_unchanged(client: Client, engine: Engine, path: str) -> None:
    said = b'{"spaces":   1,\n "float": 1.0, "text": "\\u00e9 \xc3\xa9"}'

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=said, content_type="application/json")

    engine.handler = answer
    async with client.post(f"{path}?a=1&b=x%20y", json=BODY) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert response.headers["Content-Length"] == str(len(said))
        assert await response.read() == said
    assert [(one.method, one.path) for one in engine.asked] == [("POST", f"{path}?a=1&b=x%20y")]


async def test_a_request_is_heard_of_with_the_ends_of_a_long_prompt(
    client: Client, backend: FakeBackend
) -> None:
    long = {"model": "qwen3-8b-fp8", "prompt": "a" * 1024 + "b" * 1024}
    for body in (BODY, long):
        async with client.post(CHAT, json=body) as response:
            await response.read()
    assert backend.heard_of == [
        ("qwen3-8b-fp8", None),
        ("qwen3-8b-fp8", (b"a" * 1024, b"b" * 1024)),
    ]


@pytest.mark.parametrize("status", [200, 201, 400, 404, 429, 500, 503])
async def test_status_and_headers_come_through(client: Client, engine: Engine, status: int) -> None:
    async def answer(_request: web.Request) -> web.Response:
        headers = {"X-Engine-Says": "r1", "Retry-After": "7"}
        return web.Response(status=status, text="what the engine says", headers=headers)

    engine.handler = answer
    async with client.post(CHAT, json=BODY) as response:
        assert response.status == status
        assert (response.headers["X-Engine-Says"], response.headers["Retry-After"]) == ("r1", "7")
        assert await response.text() == "what the engine says"


async def test_an_engine_cannot_touch_what_the_browser_keeps_for_the_dashboard(
    client: Client, engine: Engine
) -> None:
    async def answer(_request: web.Request) -> web.Response:
        headers = {"Set-Cookie": "sparkwell_session=x", "Clear-Site-Data": '"cookies"'}
        return web.Response(text="{}", headers=headers)

    engine.handler = answer
    async with client.post(CHAT, json=BODY) as response:
        assert not {"Set-Cookie", "Clear-Site-Data"} & set(response.headers)


async def test_a_redirect_is_the_clients_affair(client: Client, engine: Engine) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    engine.handler = answer
    async with client.post(CHAT, json=BODY, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, "/elsewhere")
    assert len(engine.asked) == 1


async def test_a_compressed_answer_is_not_unpacked(client: Client, engine: Engine) -> None:
    packed = gzip.compress(b"hello" * 100)

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    engine.handler = answer
    async with client.session.post(
        client.make_url(CHAT), json=BODY, headers={"Accept-Encoding": "gzip"}
    ) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.read() == b"hello" * 100  # unpacked by the client itself
        assert response.headers["Content-Length"] == str(len(packed))


async def test_a_compressed_request_is_unpacked_and_no_longer_said_to_be(
    client: Client, engine: Engine
) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    packed = gzip.compress(json.dumps(BODY).encode())
    async with client.post(CHAT, data=packed, headers=headers) as response:
        assert response.status == 200
    assert engine.asked[0].json == BODY
    assert "Content-Encoding" not in engine.asked[0].headers


# ── headers ─────────────────────────────────────────────────────────────────────────────────


async def test_which_request_headers_go_through(client: Client, engine: Engine) -> None:
    headers = {
        "Authorization": "Bearer secret",
        "Cookie": "session=1",
        "Proxy-Authorization": "Basic x",
        "Connection": "keep-alive, X-Only-Here",
        "X-Only-Here": "1",
        "TE": "trailers",
        "X-Request-Id": "r1",
        "Traceparent": "00-1-1-01",
        "Accept": "text/event-stream",
    }
    async with client.post(CHAT, json=BODY, headers=headers) as response:
        assert response.status == 200
    got = engine.asked[0].headers
    assert (got["X-Request-Id"], got["Traceparent"]) == ("r1", "00-1-1-01")
    assert (got["Accept"], got["Content-Type"]) == ("text/event-stream", "application/json")
    for name in ("Authorization", "Cookie", "Proxy-Authorization", "X-Only-Here", "TE"):
        assert name not in got
    assert got["Host"] == "engine"
    assert got["Content-Length"] == str(len(engine.asked[0].body))


async def test_which_response_headers_do_not_go_through(client: Client, engine: Engine) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="x", headers={"Server": "uvicorn", "Keep-Alive": "timeout=5"})

    engine.handler = answer
    async with client.post(CHAT, json=BODY) as response:
        assert response.headers.get("Server") != "uvicorn"
        assert "Keep-Alive" not in response.headers


# ── the model's name ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8"])
async def test_a_body_that_the_engine_understands_is_not_touched(
    client: Client, engine: Engine, name: str
) -> None:
    odd = f'{{ "x": 1.0, "x": 2,\n"model":"{name}", "text": "\\u00e9" }}'.encode()
    async with client.post(
        CHAT, data=odd, headers={"Content-Type": "application/json"}
    ) as response:
        assert response.status == 200
    assert engine.asked[0].body == odd


async def test_a_name_in_other_letters_is_rewritten(client: Client, engine: Engine) -> None:
    asked = {**BODY, "model": "QWEN/qwen3-8b-fp8", "temperature": 0.5}
    async with client.post(CHAT, json=asked) as response:
        assert response.status == 200
    assert engine.asked[0].json == {**asked, "model": "qwen3-8b-fp8"}


# ── streams ─────────────────────────────────────────────────────────────────────────────────


async def test_events_come_one_by_one_as_the_engine_makes_them(
    client: Client, engine: Engine, backend: FakeBackend
) -> None:
    """The engine makes the next event only when the client has the one before."""
    turn = asyncio.Semaphore(1)
    events = [b'data: {"n": 1}\n\n', b": comment\n\n", b'data: {"n": 2}\n\n', b"data: [DONE]\n\n"]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        for event in events:
            await turn.acquire()
            await response.write(event)
        return response

    engine.handler = answer
    async with client.post(CHAT, json={**BODY, "stream": True}) as response:
        assert response.headers["Content-Type"] == SSE["Content-Type"]
        for event in events:
            assert backend.leases == 1
            assert await asyncio.wait_for(response.content.readexactly(len(event)), 5) == event
            turn.release()
        assert await response.content.read() == b""


async def test_a_large_stream_is_whole(client: Client, engine: Engine) -> None:
    parts = [bytes([number % 256]) * 4096 for number in range(1000)]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        return response

    engine.handler = answer
    async with client.post(CHAT, json=BODY) as response:
        assert await response.read() == b"".join(parts)


# ── clients that leave ──────────────────────────────────────────────────────────────────────


async def leave(client: Client, *, when: asyncio.Event) -> None:
    """Send a request by hand, and hang up in the middle of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    body = json.dumps({**BODY, "stream": True}).encode()
    writer.write(
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    await until(when)
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_leaves_a_stream_stops_the_engine(
    client: Client, engine: Engine, backend: FakeBackend
) -> None:
    begun = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        begun.set()
        await asyncio.Event().wait()
        return response

    engine.handler = answer
    await leave(client, when=begun)
    await asyncio.wait_for(engine.cancelled.wait(), 1)
    assert backend.granted == 1


async def test_a_client_that_leaves_before_the_answer_stops_the_engine(
    client: Client, engine: Engine, backend: FakeBackend
) -> None:
    begun = asyncio.Event()

    async def answer(_request: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    engine.handler = answer
    await leave(client, when=begun)
    await asyncio.wait_for(engine.cancelled.wait(), 1)
    assert backend.granted == 1


async def test_a_client_that_leaves_does_not_disturb_another(
    client: Client, engine: Engine
) -> None:
    second = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        if len(engine.asked) > 1:
            second.set()
            await asyncio.Event().wait()
        await until(engine.cancelled)
        await response.write(b"data: 2\n\n")
        return response

    engine.handler = answer
    async with client.post(CHAT, json={**BODY, "stream": True}) as response:
        await leave(client, when=second)
        assert await response.read() == b"data: 1\n\ndata: 2\n\n"


async def test_a_client_that_reads_nothing_does_not_hold_its_model(
    around: Around, engine: Engine, backend: FakeBackend, short: Path
) -> None:
    around.limits = replace(around.limits, send_s=0.2)
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: " + b"x" * 100_000 + b"\n\n")
        finally:
            over.set()

    engine.handler = answer
    body = json.dumps({**BODY, "stream": True}).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    async with served(backend, around, short) as client:
        with socket.create_connection(("127.0.0.1", client.port)) as silent:
            silent.sendall(head.encode() + body)
            await until(over)
            async with asyncio.timeout(5):
                while backend.leases:
                    await asyncio.sleep(0.005)
            assert backend.granted == 1
            silent.settimeout(5)
            with suppress(ConnectionResetError):  # cut, and not left to itself
                while await asyncio.to_thread(silent.recv, 2**20):
                    pass


async def test_a_client_that_reads_slowly_is_not_cut(
    around: Around, engine: Engine, backend: FakeBackend, short: Path
) -> None:
    """Only a pause as long as that is too long, and not the whole answer."""
    around.limits = replace(around.limits, send_s=0.5)
    part, parts = b"x" * 2**20, 40

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        for _ in range(parts):
            await response.write(part)
        return response

    engine.handler = answer
    body = json.dumps({**BODY, "stream": True}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with served(backend, around, short) as client:
        with socket.socket() as slow:
            # With a small buffer the kernel tells soon that something has been read.
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**15)
            slow.connect(("127.0.0.1", client.port))
            slow.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            seen, began = 0, asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < began + 3 * around.limits.send_s:
                seen += len(await asyncio.to_thread(slow.recv, 2**15))
                await asyncio.sleep(0.05)
            while more := await asyncio.to_thread(slow.recv, 2**20):
                seen += len(more)
                last = more
                if more.endswith(b"0\r\n\r\n"):
                    break
    assert last.endswith(b"0\r\n\r\n")
    assert seen > parts * len(part)


# ── engines that leave ──────────────────────────────────────────────────────────────────────


async def test_nobody_listens(client: Client, backend: FakeBackend, short: Path) -> None:
    backend.endpoint = Endpoint(uds=str(short / "gone.sock"))
    async with client.post(CHAT, json=BODY) as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "5"
        assert await response.json() == {
            "error": {
                "message": "The engine cannot be reached; it may just have ended.",
                "type": "server_error",
                "param": None,
                "code": "engine_unreachable",
            }
        }


async def test_an_engine_that_hangs_up_without_a_word(client: Client, engine: Engine) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    engine.handler = answer
    async with client.post(CHAT, json=BODY) as response:
        assert response.status == 503
        assert (await response.json())["error"]["code"] == "engine_unreachable"


async def read_until_cut(response: aiohttp.ClientResponse) -> bytes:
    """What came before the connection was cut; an answer that ends properly is a failure."""
    seen = b""
    try:
        while chunk := await response.content.readany():
            seen += chunk
    except aiohttp.ClientError:
        return seen
    raise AssertionError(f"the answer was not cut: {seen!r}")


LAST_EVENT = {
    "error": {
        "message": "The engine ended while it was answering.",
        "type": "server_error",
        "param": None,
        "code": "engine_ended",
    }
}


async def test_an_engine_that_ends_in_a_stream_gives_a_last_event(
    client: Client, engine: Engine
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=SSE)
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        assert request.transport is not None
        request.transport.close()
        return response

    engine.handler = answer
    async with client.post(CHAT, json={**BODY, "stream": True}) as response:
        assert response.status == 200
        events = (await read_until_cut(response)).split(b"\n\n")
    assert events[0] == b"data: 1"
    assert json.loads(events[1].removeprefix(b"data: ")) == LAST_EVENT
    assert events[2:] == [b""]


async def raw_engine(path: Path, said: bytes, *, reset: bool) -> asyncio.Server:
    """An engine that says just these bytes and is gone, with or without manners."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n" if not reset else b"HTTP/1.1")
        writer.write(said)
        await writer.drain()
        if reset:  # what is unread makes the kernel reset the connection
            writer.transport.abort()
        writer.close()

    return await asyncio.start_unix_server(connected, path)


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        STREAM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
        STREAM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n20\r\nda",
        STREAM_HEAD + b"Content-Length: 100\r\n\r\ndata: 1\n\n",
    ],
    ids=["between chunks", "in a chunk", "with a length"],
)
async def test_however_an_engine_dies_its_stream_is_not_taken_for_whole(
    client: Client, backend: FakeBackend, short: Path, said: bytes, reset: bool
) -> None:
    backend.endpoint = Endpoint(uds=str(short / "raw.sock"))
    server = await raw_engine(short / "raw.sock", said, reset=reset)
    try:
        async with client.post(CHAT, json={**BODY, "stream": True}) as response:
            assert response.status == 200
            assert (await read_until_cut(response)).startswith(b"data: 1\n\n")
    finally:
        server.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_stream_that_breaks_between_chunks_ends_with_the_error(
    client: Client, backend: FakeBackend, short: Path, reset: bool
) -> None:
    said = STREAM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
    backend.endpoint = Endpoint(uds=str(short / "raw.sock"))
    server = await raw_engine(short / "raw.sock", said, reset=reset)
    try:
        async with client.post(CHAT, json={**BODY, "stream": True}) as response:
            seen = await read_until_cut(response)
    finally:
        server.close()
    assert seen.startswith(b"data: 1\n\n")
    assert json.loads(seen.split(b"data: ")[-1]) == LAST_EVENT


async def test_an_engine_that_ends_in_a_whole_answer_cuts_the_connection(
    client: Client, engine: Engine
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = 1000
        await response.prepare(request)
        await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.close()
        return response

    engine.handler = answer
    async with client.post(CHAT, json=BODY) as response:
        assert response.status == 200
        assert await read_until_cut(response) == b'{"choices": ['


async def test_after_an_engine_has_died_the_next_one_is_asked(
    client: Client, engine: Engine, backend: FakeBackend, short: Path
) -> None:
    alive, backend.endpoint = backend.endpoint, Endpoint(uds=str(short / "gone.sock"))
    async with client.post(CHAT, json=BODY) as response:
        assert response.status == 503
    backend.endpoint = alive
    async with client.post(CHAT, json=BODY) as response:
        assert response.status == 200


async def test_over_a_port_too(client: Client, backend: FakeBackend) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, family=socket.AF_INET)
    backend.endpoint = Endpoint(port=server.sockets[0].getsockname()[1])
    async with client.post(CHAT, json=BODY) as response:
        assert await response.text() == "ok"
    server.close()


async def test_many_at_once_get_their_own_answers(client: Client, engine: Engine) -> None:
    together = asyncio.Barrier(20)

    async def answer(request: web.Request) -> web.Response:
        await together.wait()  # all are at the engine at the same time
        return web.Response(body=await request.read(), content_type="application/json")

    async def ask(number: int) -> bool:
        async with client.post(CHAT, json={**BODY, "n": number}) as response:
            return bool((await response.json())["n"] == number)

    engine.handler = answer
    answers = await asyncio.wait_for(asyncio.gather(*(ask(n) for n in range(20))), 20)
    assert all(answers)
