"""The fake engine's dialects: what is told where a client asks for more than a plain answer."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from tests.unit.testing.recorded import events

from sparkwell.testing.fake_engine.samples import sample
from sparkwell.testing.running import RunningEngine, running_engine

FLAGS = ("--served-model-name", "m", "--max-model-len", "4096", "--enable-auto-tool-choice")
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hello you"}]}
CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
CALL = {"city": "text", "days": 1}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with running_engine(tmp_path_factory.mktemp("engine"), *FLAGS, tokens_per_s=400) as running:
        yield running.wait_ready()


@pytest.fixture
async def client(engine: RunningEngine) -> AsyncIterator[aiohttp.ClientSession]:
    async with engine.session() as session:
        yield session


async def ask(client: aiohttp.ClientSession, path: str, **body: Any) -> Any:
    async with client.post(path, json={"model": "m", **body}) as answer:
        return await answer.json()


async def told(client: aiohttp.ClientSession, path: str, **body: Any) -> list[Any]:
    async with client.post(path, json={"model": "m", **body, "stream": True}) as answer:
        return [data for _, data in events(await answer.text())]


async def chat(client: aiohttp.ClientSession, **body: Any) -> Any:
    answer = await ask(client, "/v1/chat/completions", **{**HELLO, **body})
    return answer["choices"][0]


async def test_a_tool_is_called_when_it_is_spoken_of(client: aiohttp.ClientSession) -> None:
    spoken = [{"role": "user", "content": "How is the Weather?"}]
    assert "tool_calls" not in (await chat(client, tools=[TOOL]))["message"]
    choice = await chat(client, tools=[TOOL], messages=spoken)
    function = choice["message"]["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("weather", CALL)
    assert choice["finish_reason"] == "tool_calls"
    heard = [*spoken, {"role": "tool", "tool_call_id": "1", "content": "cold weather"}]
    answered = await chat(client, tools=[TOOL], messages=heard)
    assert answered["message"]["content"] == "m heard: cold weather"


async def test_no_tool_is_called_by_itself_without_a_parser(tmp_path_factory: Any) -> None:
    with running_engine(tmp_path_factory.mktemp("plain"), FLAGS[0], "m") as plain:
        async with plain.wait_ready().session() as client:
            refused = await ask(client, "/v1/chat/completions", **HELLO, tools=[TOOL])
            assert "--enable-auto-tool-choice" in refused["error"]["message"]
            named = {"type": "function", "function": {"name": "weather"}}
            assert "tool_calls" in (await chat(client, tools=[TOOL], tool_choice=named))["message"]


async def test_a_streamed_call_comes_in_pieces(client: aiohttp.ClientSession) -> None:
    asked = {**HELLO, "tools": [TOOL], "tool_choice": "required"}
    *chunks, done = await told(client, "/v1/chat/completions", **asked)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    functions = [call["function"] for delta in deltas for call in delta.get("tool_calls", ())]
    assert functions[0] == {"name": "weather"}
    assert json.loads("".join(one["arguments"] for one in functions[1:])) == CALL
    assert len(functions) > 3
    assert done == "[DONE]"


async def test_an_answer_of_a_form(client: aiohttp.ClientSession) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
    choice = await chat(client, response_format=form)
    assert json.loads(choice["message"]["content"]) == CALL
    choice = await chat(client, response_format={"type": "json_object"})
    assert isinstance(json.loads(choice["message"]["content"]), dict)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "enum": ["b", "a"]}, "b"),
        ({"const": 3}, 3),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"type": "array", "items": {"type": "number"}}, [1.5]),
        ({"type": ["null", "string"]}, None),
        (
            {
                "$defs": {"a": {"type": "integer", "minimum": 7}},
                "properties": {"x": {"$ref": "#/$defs/a"}},
            },
            {"x": 7},
        ),
    ],
)
def test_samples_are_instances(schema: dict[str, Any], value: object) -> None:
    assert sample(schema) == value


@pytest.mark.parametrize("stop", ["you", ["nothing", "you"], "u"])
async def test_an_answer_ends_before_the_string(
    client: aiohttp.ClientSession, stop: object
) -> None:
    choice = await chat(client, stop=stop)
    text = choice["message"]["content"]
    assert "m heard: hello you".startswith(text)
    assert len(text) < len("m heard: hello you")
    assert choice["finish_reason"] == "stop"
    assert (
        choice["stop_reason"] in stop if isinstance(stop, list) else choice["stop_reason"] == stop
    )


async def test_several_choices_cost_several_times(client: aiohttp.ClientSession) -> None:
    answer = await ask(client, "/v1/chat/completions", **HELLO, n=3)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] == 12


async def test_log_probabilities_go_with_their_tokens(client: aiohttp.ClientSession) -> None:
    choice = await chat(client, logprobs=True, top_logprobs=2)
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert {len(token["top_logprobs"]) for token in tokens} == {2}
    answer = await ask(client, "/v1/completions", prompt="a", logprobs=1)
    said = answer["choices"][0]["logprobs"]
    assert said["text_offset"] == [0, 1, 8]


async def test_usage_goes_with_every_event_where_that_is_asked_for(
    client: aiohttp.ClientSession,
) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    *chunks, _ = await told(client, "/v1/chat/completions", **HELLO, stream_options=options)
    assert [one["usage"]["completion_tokens"] for one in chunks] == [0, 1, 2, 3, 4, 4, 4]


async def test_a_message_ends_for_its_reason(client: aiohttp.ClientSession) -> None:
    message = await ask(client, "/v1/messages", **HELLO, max_tokens=50, system="Be short.")
    assert message["content"] == [{"type": "text", "text": "m heard: hello you"}]
    assert (message["stop_reason"], message["usage"]["input_tokens"]) == ("end_turn", 4)
    message = await ask(client, "/v1/messages", **HELLO, max_tokens=2)
    assert message["stop_reason"] == "max_tokens"
    message = await ask(client, "/v1/messages", **HELLO, max_tokens=50, stop_sequences=["you"])
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "you")
    tool = {"name": "weather", "input_schema": CITY}
    asked = {**HELLO, "max_tokens": 50, "tools": [tool], "tool_choice": {"type": "any"}}
    message = await ask(client, "/v1/messages", **asked)
    assert (message["stop_reason"], message["content"][0]["input"]) == ("tool_use", CALL)


async def test_a_response_is_kept(client: aiohttp.ClientSession) -> None:
    made = await ask(client, "/v1/responses", input="hello")
    async with client.get(f"/v1/responses/{made['id']}") as answer:
        assert await answer.json() == made
    not_made = await ask(client, "/v1/responses", input="hello", store=False)
    async with client.get(f"/v1/responses/{not_made['id']}") as answer:
        assert answer.status == 404


async def test_a_response_in_the_background_comes_or_is_cancelled(
    client: aiohttp.ClientSession,
) -> None:
    async def status(response: Any) -> str:
        async with client.get(f"/v1/responses/{response['id']}") as answer:
            return str((await answer.json())["status"])

    made = await ask(client, "/v1/responses", input="hello", background=True)
    assert made["status"] == "queued"
    async with asyncio.timeout(5):
        while await status(made) != "completed":
            await asyncio.sleep(0.01)
    long = {"input": "x", "background": True, "max_output_tokens": 4000, "ignore_eos": True}
    made = await ask(client, "/v1/responses", **long)
    await ask(client, f"/v1/responses/{made['id']}/cancel")
    assert await status(made) == "cancelled"
    async with client.get("/fake/state") as answer:
        assert (await answer.json())["running"] == 0


async def test_embeddings_in_both_encodings(client: aiohttp.ClientSession) -> None:
    plain = await ask(client, "/v1/embeddings", input=["a b", "b a", "c"], dimensions=4)
    first, second, third = (one["embedding"] for one in plain["data"])
    assert first == second != third
    assert (len(first), plain["usage"]["prompt_tokens"]) == (4, 5)
    coded = await ask(client, "/v1/embeddings", input="a b", dimensions=4, encoding_format="base64")
    vector = struct.unpack("<4f", base64.b64decode(coded["data"][0]["embedding"]))
    assert list(vector) == pytest.approx(first)


async def test_documents_are_ranked(client: aiohttp.ClientSession) -> None:
    documents = ["a dog", {"text": "the cat"}, "the dog"]
    ranked = await ask(client, "/rerank", query="the cat", documents=documents)
    assert [one["index"] for one in ranked["results"]] == [1, 2, 0]
    assert [one["relevance_score"] for one in ranked["results"]] == [1.0, 0.5, 0.0]
    best = await ask(client, "/v2/rerank", query="the cat", documents=documents, top_n=1)
    assert len(best["results"]) == 1


async def test_scores_and_classes(client: aiohttp.ClientSession) -> None:
    scored = await ask(client, "/score", queries="a b", documents=["a", "c"])
    assert [one["score"] for one in scored["data"]] == [0.5, 0.0]
    classes = await ask(client, "/classify", input=["one", "one two"])
    assert [one["label"] for one in classes["data"]] == ["LABEL_1", "LABEL_0"]
    pooled = await ask(client, "/pooling", input="one")
    assert len(pooled["data"][0]["data"]) == 8


async def test_tokens_are_words_that_come_back(client: aiohttp.ClientSession) -> None:
    first = await ask(client, "/tokenize", prompt="a b a", return_token_strs=True)
    assert (first["count"], first["token_strs"]) == (3, ["a", "b", "a"])
    assert first["tokens"][0] == first["tokens"][2] != first["tokens"][1]
    back = await ask(client, "/detokenize", tokens=first["tokens"])
    assert back == {"prompt": "a b a"}
    assert (await ask(client, "/tokenize", **HELLO))["count"] == 2


async def test_an_engine_for_pooling_generates_nothing(tmp_path_factory: Any) -> None:
    flags = (*FLAGS[:2], "--runner", "pooling")
    with running_engine(tmp_path_factory.mktemp("pooling"), *flags) as pooling:
        async with pooling.wait_ready().session() as client:
            assert await ask(client, "/v1/chat/completions", **HELLO) == {"detail": "Not Found"}
            assert (await ask(client, "/v1/embeddings", input="a"))["object"] == "list"
