"""The fake engine answers as vLLM does."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from sparkwell.engines.vllm.metrics import CacheConfig, read_cache_config
from sparkwell.testing.running import RunningEngine, running_engine

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello you"}]}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    """One engine for all tests that only talk to it."""
    flags = ("--served-model-name", "m", "alias", "--max-model-len", "2048")
    with running_engine(tmp_path_factory.mktemp("engine"), *flags) as engine:
        yield engine.wait_ready()


@pytest.fixture
async def client(ready: RunningEngine) -> AsyncIterator[aiohttp.ClientSession]:
    async with ready.session() as session:
        yield session


async def post(
    client: aiohttp.ClientSession, body: object, path: str = "/v1/chat/completions"
) -> tuple[int, Any]:
    async with client.post(path, json=body) as response:
        return response.status, await response.json()


async def events(
    client: aiohttp.ClientSession, body: dict[str, Any], path: str = "/v1/chat/completions"
) -> list[Any]:
    async with client.post(path, json={**body, "stream": True}) as response:
        assert response.content_type == "text/event-stream"
        lines = (await response.text()).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def test_health_has_no_body(client: aiohttp.ClientSession) -> None:
    async with client.get("/health") as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_version_and_models(client: aiohttp.ClientSession) -> None:
    async with client.get("/version") as response:
        assert await response.json() == {"version": "0.25.0"}
    async with client.get("/v1/models") as response:
        served = (await response.json())["data"]
    assert [one["id"] for one in served] == ["m", "alias"]
    assert served[0]["root"] == "org/model"
    assert served[0]["max_model_len"] == 2048


async def test_a_chat_answer_says_who_heard_what(client: aiohttp.ClientSession) -> None:
    status, answer = await post(client, HELLO)
    assert status == 200
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "m heard: hello you",
    }
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}


async def test_an_alias_names_itself(client: aiohttp.ClientSession) -> None:
    _, answer = await post(client, {**HELLO, "model": "alias"})
    assert answer["model"] == "alias"
    assert answer["choices"][0]["message"]["content"].startswith("alias heard:")


async def test_a_completion(client: aiohttp.ClientSession) -> None:
    body = {"model": "m", "prompt": "one two three", "max_tokens": 3}
    _, answer = await post(client, body, "/v1/completions")
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == "m heard: one"
    assert answer["choices"][0]["finish_reason"] == "length"


async def test_streamed_chat(client: aiohttp.ClientSession) -> None:
    first, *middle, last = await events(client, HELLO)
    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    deltas = [event["choices"][0]["delta"]["content"] for event in middle]
    assert "".join(deltas) == "m heard: hello you"
    assert {event["choices"][0]["finish_reason"] for event in middle} == {None}
    assert last["choices"][0]["finish_reason"] == "stop"


async def test_streamed_usage_when_asked_for(client: aiohttp.ClientSession) -> None:
    body = {**HELLO, "max_tokens": 9, "ignore_eos": True}
    *_, last, usage = await events(client, {**body, "stream_options": {"include_usage": True}})
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 9


async def test_streamed_completion(client: aiohttp.ClientSession) -> None:
    all_events = await events(client, {"model": "m", "prompt": "x"}, "/v1/completions")
    assert "".join(event["choices"][0]["text"] for event in all_events) == "m heard: x"


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        ({**HELLO, "model": "other"}, 404, "NotFoundError", "The model `other` does not exist."),
        ({**HELLO, "max_tokens": -1}, 400, "BadRequestError", "max_tokens must be at least 1"),
        ({**HELLO, "max_tokens": 5000}, 400, "BadRequestError", "maximum context length is 2048"),
        ({"model": "m"}, 400, "Bad Request", "messages"),
        ([], 400, "Bad Request", "dictionary"),
    ],
)
async def test_refusals_have_the_envelope(
    client: aiohttp.ClientSession, body: object, status: int, kind: str, words: str
) -> None:
    answered, answer = await post(client, body)
    error = answer["error"]
    assert (answered, error["code"], error["type"]) == (status, status, kind)
    assert words in error["message"]


async def test_a_body_that_is_not_json(client: aiohttp.ClientSession) -> None:
    async with client.post("/v1/chat/completions", data=b"{nonsense") as response:
        assert response.status == 400
        assert "JSON decode error" in (await response.json())["error"]["message"]


async def test_no_such_route(client: aiohttp.ClientSession) -> None:
    status, answer = await post(client, {}, "/v1/nothing")
    assert (status, answer) == (404, {"detail": "Not Found"})


async def test_metrics_and_state_count(client: aiohttp.ClientSession) -> None:
    before = await state(client)
    await post(client, HELLO)
    after = await state(client)
    assert after["finished"] == before["finished"] + 1
    async with client.get("/metrics") as response:
        text = await response.text()
    labels = 'engine="0",model_name="m"'
    assert f"vllm:num_requests_running{{{labels}}} 0.0" in text
    assert read_cache_config(text) == CacheConfig(27_604, 16, "auto", 0.92, 441_664, 215.65625)
    finished = f'vllm:request_success_total{{{labels},finished_reason="stop"}}'
    assert finished in text


async def state(client: aiohttp.ClientSession) -> dict[str, int]:
    async with client.get("/fake/state") as response:
        return dict(await response.json())


async def test_the_request_id_comes_back(client: aiohttp.ClientSession) -> None:
    headers = {"X-Request-Id": "mine"}
    async with client.post("/v1/chat/completions", json=HELLO, headers=headers) as response:
        assert (await response.json())["id"] == "chatcmpl-mine"


async def test_many_at_once(client: aiohttp.ClientSession) -> None:
    answers = await asyncio.gather(*(post(client, HELLO) for _ in range(50)))
    assert {status for status, _ in answers} == {200}
