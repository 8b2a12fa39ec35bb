"""What OpenAI's own Python client makes of a stream that had to wait."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from openai import APIError, AsyncOpenAI, InternalServerError, RateLimitError
from tests.unit.gateway.conftest import READY, Client, Engine, FakeBackend

from sparkwell.core.errors import NotReadyError, TooBusyError

CHUNK = (
    b'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices":'
    b' [{"index": 0, "delta": {"content": "%s"}, "finish_reason": null}]}\n\n'
)
QUESTION: Any = [{"role": "user", "content": "Hello"}]


def made(client: Client) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=str(client.make_url("/v1")), api_key="x", max_retries=0)


@pytest.fixture
async def early(hasty: Client) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's client of a gateway that soon begins a stream."""
    async with made(hasty) as openai:
        yield openai


@pytest.fixture
async def held(client: Client) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's client of a gateway that holds headers back."""
    async with made(client) as openai:
        yield openai


async def text_of(openai: AsyncOpenAI) -> str:
    stream = await openai.chat.completions.create(model=READY.name, messages=QUESTION, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def told(backend: FakeBackend, number: int = 3) -> Any:
    """The ticket of a stream that has heard some comments."""
    ticket = await backend.ticket()
    for _ in range(number):
        await asyncio.wait_for(ticket.looked_at.acquire(), 5)
    return ticket


async def test_comments_are_passed_over(
    early: AsyncOpenAI, engine: Engine, backend: FakeBackend
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in (b"Hello", b" you"):
            await response.write(CHUNK % word)
        await response.write(b"data: [DONE]\n\n")
        return response

    engine.handler = answer
    backend.holds = True
    asking = asyncio.create_task(text_of(early))
    ticket = await told(backend)
    ticket.grant(backend.lease())
    assert await asyncio.wait_for(asking, 5) == "Hello you"


async def test_a_failure_is_raised_with_its_words(early: AsyncOpenAI, backend: FakeBackend) -> None:
    backend.holds = True
    asking = asyncio.create_task(text_of(early))
    (await told(backend)).refuse(NotReadyError("It does not fit.", hint="Take a smaller one."))
    with pytest.raises(APIError) as raised:
        await asyncio.wait_for(asking, 5)
    assert raised.value.message == "It does not fit. Take a smaller one."
    assert raised.value.code == "model_not_ready"
    assert raised.value.type == "server_error"


async def test_the_engines_own_error_too(
    early: AsyncOpenAI, engine: Engine, backend: FakeBackend
) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        error = {"message": "too long", "type": "BadRequestError", "param": None, "code": 400}
        return web.json_response({"error": error}, status=400)

    engine.handler = refuse
    backend.holds = True
    asking = asyncio.create_task(text_of(early))
    (await told(backend)).grant(backend.lease())
    with pytest.raises(APIError) as raised:
        await asyncio.wait_for(asking, 5)
    assert (raised.value.message, raised.value.code) == ("too long", "400")


@pytest.mark.parametrize(
    ("error", "kind"),
    [(NotReadyError("No."), InternalServerError), (TooBusyError("Full."), RateLimitError)],
)
async def test_an_error_in_time_has_its_usual_class(
    held: AsyncOpenAI, backend: FakeBackend, error: NotReadyError, kind: type[APIError]
) -> None:
    backend.holds = True
    asking = asyncio.create_task(text_of(held))
    (await backend.ticket()).refuse(error)
    with pytest.raises(kind):
        await asyncio.wait_for(asking, 5)
