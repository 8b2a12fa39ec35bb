"""What an answer used, read in passing, and the event that is taken out."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.conftest import Around, Client, Engine
from tests.unit.gateway.test_waiting import Paper

from sparkwell.core.keys import Key, Usage
from sparkwell.gateway.passing import Events, Plain
from sparkwell.gateway.usage import UsageTaken, later, usage_of
from sparkwell.gateway.wire.reply import Reply

CHAT = "/v1/chat/completions"
BODY = {"model": "qwen3-8b-fp8", "messages": []}
SECRET = {"Authorization": "Bearer s"}
KEY = Key("key-1", "alice", b"", "", 0.0, priority=7)
USED = {"prompt_tokens": 12, "completion_tokens": 34, "prompt_tokens_details": {"cached_tokens": 8}}


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"choices": [], "usage": USED}, Usage(12, 34)),
        ({"usage": {"prompt_tokens": 5, "total_tokens": 5}, "results": ["x" * 50_000]}, Usage(5)),
        ({"data": ["x" * 50_000], "usage": {"prompt_tokens": 5}}, Usage(5)),
        ({"usage": {"input_tokens": 3, "output_tokens": 4}}, Usage(3, 4)),
        ({"text": 'he said "usage": {"prompt_tokens": 9}'}, Usage()),
        ({"usage": None}, Usage()),
        ({"usage": {"prompt_tokens": True, "completion_tokens": -1}}, Usage()),
        ({"usage": {"prompt_tokens": 10**30, "completion_tokens": 2**64}}, Usage()),
        ({"tools": [{"usage": {"type": "object"}}], "usage": USED}, Usage(12, 34)),
        (
            {"text": "x" * 50_000, "usage": USED, "prompt_logprobs": ["usage"] * 9_000},
            Usage(12, 34),
        ),
    ],
)
def test_whole_answers(body: object, usage: Usage) -> None:
    assert usage_of(json.dumps(body).encode()) == usage


def test_the_last_word_counts() -> None:
    """As Anthropic's streams say it: first what came in, at the end what went out."""
    known = later(
        Usage(), b'data: {"message": {"usage": {"input_tokens": 3, "output_tokens": 0}}}\n\n'
    )
    assert later(known, b'data: {"usage": {"output_tokens": 9}}\n\n') == Usage(3, 9)


EVENTS = [
    *(b'data: {"choices": [{"delta": {"content": "%d"}}]}\n\n' % n for n in range(5)),
    b'data: {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 5}}\n\n',
    b"data: [DONE]\n\n",
]


@given(st.lists(st.integers(0, len(b"".join(EVENTS)))))
def test_however_a_stream_is_cut_the_same_comes_out(cuts: list[int]) -> None:
    data = b"".join(EVENTS)
    edges = sorted({0, *cuts, len(data)})
    pieces = [data[a:b] for a, b in pairwise(edges)]
    events = UsageTaken()
    out = [
        events.through(piece, last=number == len(pieces) - 1) for number, piece in enumerate(pieces)
    ]
    assert b"".join(out) == b"".join(EVENTS[:5] + EVENTS[6:])
    assert events.usage_so_far == Usage(12, 5)


async def stream(request: web.Request) -> web.StreamResponse:
    """An engine that says what was used when it is asked to."""
    wants = (await request.json()).get("stream_options", {}).get("include_usage")
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in EVENTS:
        if wants or b'"usage"' not in event:
            await response.write(event)
    return response


@pytest.fixture(autouse=True)
def with_a_key(around: Around, engine: Engine) -> None:
    around.book.keys["s"] = KEY
    engine.handler = stream


async def answer(client: Client, body: dict[str, Any]) -> bytes:
    async with client.post(CHAT, json=body, headers=SECRET) as response:
        assert response.status == 200
        return bytes(await response.read())


async def test_a_stream_of_a_key_is_counted_and_nobody_sees_it(
    client: Client, engine: Engine, around: Around
) -> None:
    asked = {**BODY, "stream": True, "x": 1.0}
    assert await answer(client, asked) == b"".join(EVENTS[:5] + EVENTS[6:])
    assert engine.asked[0].json == {**asked, "stream_options": {"include_usage": True}}
    [passage] = around.turnstile.passages
    assert (passage.key, passage.model) == (KEY, "qwen3-8b-fp8")
    assert passage.left == [(200, 12, 5)]


async def test_who_asks_for_it_gets_it(client: Client, engine: Engine, around: Around) -> None:
    asked = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
    assert await answer(client, asked) == b"".join(EVENTS)
    assert engine.asked[0].json == asked
    assert around.turnstile.passages[0].left == [(200, 12, 5)]


async def test_other_options_of_a_stream_stay(client: Client, engine: Engine) -> None:
    asked = {**BODY, "stream": True, "stream_options": {"continuous_usage_stats": False}}
    await answer(client, asked)
    options = {"continuous_usage_stats": False, "include_usage": True}
    assert engine.asked[0].json == {**asked, "stream_options": options}


async def test_a_whole_answer_is_counted(client: Client, engine: Engine, around: Around) -> None:
    async def whole(_request: web.Request) -> web.Response:
        return web.json_response({"choices": [], "usage": USED})

    engine.handler = whole
    async with client.post(CHAT, json=BODY, headers=SECRET) as response:
        assert (await response.json())["usage"] == USED
    assert engine.asked[0].json == BODY
    assert around.turnstile.passages[0].left == [(200, 12, 34)]


def test_a_long_answer_is_counted_wherever_it_says_so() -> None:
    said = {"text": "x" * 50_000, "usage": USED, "prompt_logprobs": [1.0] * 9_000}
    body = json.dumps(said).encode()
    for size in (100, 4096, 50_020, 50_040):
        sink = Plain(Reply(Paper(), None))
        for at in range(0, len(body), size):
            sink.take([body[at : at + size]], last=at + size >= len(body))
        assert sink.usage == Usage(12, 34)


@given(st.lists(st.integers(0, len(b"".join(EVENTS)))))
def test_however_it_is_cut_what_was_asked_for_is_heard(cuts: list[int]) -> None:
    data = b"".join(EVENTS)
    sink = Events(Reply(Paper(), None))
    edges = sorted({0, *cuts, len(data)})
    for begins, ends in pairwise(edges):
        sink.take([data[begins:ends]], last=ends == len(data))
    assert sink.usage == Usage(12, 5)


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
async def test_who_leaves_in_the_middle_has_used_what_was_sent(
    client: Client, engine: Engine, around: Around, options: dict[str, Any]
) -> None:
    """Whether it had asked to be told at the end or not."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in EVENTS[:5]:
            await response.write(event)
        await asyncio.Event().wait()
        return response

    engine.handler = endless
    body = {**BODY, "stream": True, **options}
    async with client.post(CHAT, json=body, headers=SECRET) as response:
        await response.content.readexactly(len(b"".join(EVENTS[:5])))
        response.close()
    await asyncio.wait_for(engine.cancelled.wait(), 5)
    async with asyncio.timeout(5):
        while not around.turnstile.passages[0].left:
            await asyncio.sleep(0.005)
    assert around.turnstile.passages[0].left == [(200, None, 5)]


@pytest.mark.parametrize("path", ["/tokenize", "/v1/detokenize", "/v1/messages/count_tokens"])
async def test_where_nothing_is_generated_nothing_is_used(
    client: Client, engine: Engine, around: Around, path: str
) -> None:
    """As vLLM answers: without a word of usage."""

    async def counted(_request: web.Request) -> web.Response:
        return web.json_response({"count": 3, "input_tokens": 3, "tokens": [1, 2, 3]})

    engine.handler = counted
    async with client.post(path, json=BODY, headers=SECRET) as response:
        assert response.status == 200
    assert around.turnstile.passages[0].left == [(200, 0, 0)]


async def test_what_generates_and_says_nothing_is_unknown(client: Client, around: Around) -> None:
    async with client.post(CHAT, json=BODY, headers=SECRET) as response:
        assert response.status == 200
    assert around.turnstile.passages[0].left == [(200, None, None)]
