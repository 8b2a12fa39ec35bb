from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from sparkwell.batch import asking
from sparkwell.batch.asking import Answer, Asker
from sparkwell.core.errors import EnvironmentFault, NotReadyError, UsageError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Waits(list[float]):
    """Stands in for sleep."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@asynccontextmanager
async def asker(handler: Handler, waits: Waits) -> AsyncIterator[Asker]:
    app = web.Application()
    app.router.add_post("/v1/completions", handler)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Asker(session, str(server.make_url("/")), waits)


def replies(*statuses: int, **headers: str) -> tuple[Handler, list[bytes]]:
    """One status after the other, the last one for ever."""
    bodies: list[bytes] = []

    async def handle(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        status = statuses[min(len(bodies), len(statuses)) - 1]
        text = '{"error": {"message": "busy just now"}}' if status >= 400 else '{"ok": 1}'
        return web.Response(status=status, text=text, headers={"x-request-id": "r", **headers})

    return handle, bodies


async def test_an_answer_comes_byte_for_byte() -> None:
    handler, bodies = replies(200)
    async with asker(handler, Waits()) as ask:
        assert await ask("/v1/completions", b'{"a":  1}') == Answer(200, b'{"ok": 1}', "r")
    assert bodies == [b'{"a":  1}']


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
async def test_what_another_try_would_not_change_stays(status: int) -> None:
    handler, bodies = replies(status)
    async with asker(handler, Waits()) as ask:
        answer = await ask("/v1/completions", b"{}")
    assert (answer.status, answer.good, len(bodies)) == (status, False, 1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    waits = Waits()
    handler, bodies = replies(status, status, 200)
    async with asker(handler, waits) as ask:
        assert (await ask("/v1/completions", b"{}")).good
    assert len(bodies) == 3
    assert waits == [0.5, 1.0]


async def test_who_is_told_when_to_come_again_comes_then() -> None:
    waits = Waits()
    handler, _ = replies(429, 503, 200, **{"Retry-After": "7"})
    async with asker(handler, waits) as ask:
        await ask("/v1/completions", b"{}")
    assert waits == [7, 7]


async def test_no_wait_is_endless() -> None:
    waits = Waits()
    handler, _ = replies(429, 200, **{"Retry-After": "86400"})
    async with asker(handler, waits) as ask:
        await ask("/v1/completions", b"{}")
    assert waits == [asking.LONGEST_WAIT_S]


async def test_an_engine_that_fails_at_it_thrice_failed() -> None:
    handler, bodies = replies(500)
    async with asker(handler, Waits()) as ask:
        assert (await ask("/v1/completions", b"{}")).status == 500
    assert len(bodies) == asking.TRIES_OF_FAILURES


async def test_what_stays_busy_ends_the_batch() -> None:
    handler, bodies = replies(503)
    async with asker(handler, Waits()) as ask:
        with pytest.raises(NotReadyError, match="busy just now") as caught:
            await ask("/v1/completions", b"{}")
    assert len(bodies) == asking.TRIES
    assert "kept" in (caught.value.hint or "")


async def test_a_key_that_is_refused_ends_the_batch_at_once() -> None:
    handler, bodies = replies(401)
    async with asker(handler, Waits()) as ask:
        with pytest.raises(UsageError, match="refused the key") as caught:
            await ask("/v1/completions", b"{}")
    assert len(bodies) == 1
    assert "SPARKWELL_API_KEY" in (caught.value.hint or "")


async def test_nobody_there() -> None:
    waits = Waits()
    async with aiohttp.ClientSession() as session:
        ask = Asker(session, f"http://127.0.0.1:{unused_port()}", waits)
        with pytest.raises(EnvironmentFault, match="Nobody answers at http://127"):
            await ask("/v1/completions", b"{}")
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0]


async def test_what_is_no_url() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(UsageError, match="is no URL"):
            await Asker(session, "http://:nowhere", Waits())("/v1/completions", b"{}")


async def test_an_answer_that_is_broken_off() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport
        request.transport.close()
        return response

    waits = Waits()
    async with asker(cut, waits) as ask:
        answer = await ask("/v1/completions", b"{}")
    assert answer.status == 502
    assert asking.words_of(answer.body)
    assert len(waits) == asking.TRIES_OF_FAILURES - 1
