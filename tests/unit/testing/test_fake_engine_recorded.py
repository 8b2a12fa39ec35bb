"""The fake engine answers as a real vLLM 0.32 did, question by question."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.testing.recorded import ANSWERS, QUESTIONS, events, merged, order, shape, unlike

from sparkwell.testing.running import RunningEngine, running_engine

FLAGS = ("--served-model-name", "demo-qwen3", "--max-model-len", "2048")
OFFERS = ("--enable-auto-tool-choice", "--runner", "generate")
# The fake checks no ranges; it takes several prompts for one, and words these otherwise.
OTHERWISE = {"chat_bad_temperature", "chat_too_long"}
# Whose text has what ends the answer: the fake says other words.
STOPPED = {"chat_stop", "completion_stop", "message_stop"}
# What vLLM tells besides, and no client needs; what is null in one and not in the other.
EXTRAS = (
    *("permission", "system_fingerprint", "stop_reason", "logprobs", "completion_tokens_details"),
    *("input_tokens_per_turn", "cached_tokens_per_turn", "cache_write_tokens"),
    *("output_tokens_per_turn", "tool_output_tokens_per_turn", "tool_output_tokens"),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    with running_engine(tmp_path_factory.mktemp("engine"), *FLAGS, *OFFERS) as running:
        yield running.wait_ready()


async def ask(engine: RunningEngine, question: dict[str, Any]) -> tuple[int, str, str]:
    body = question.get("body")
    method = question.get("method", "GET" if body is None else "POST")
    async with (
        engine.session() as client,
        client.request(method, question["path"], json=body) as answer,
    ):
        return answer.status, answer.content_type, await answer.text()


def is_whole(name: str) -> bool:
    return ANSWERS[name]["status"] == 200 and "{" not in QUESTIONS[name]["path"]


WHOLE = [name for name in QUESTIONS if is_whole(name) and "stream" not in name]
STREAMS = [name for name in QUESTIONS if is_whole(name) and "stream" in name]
REFUSED = [
    name
    for name in QUESTIONS
    if ANSWERS[name]["status"] >= 400 and "{" not in QUESTIONS[name]["path"]
]


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in STOPPED])
async def test_an_answer_has_the_shape_of_the_recorded_one(
    engine: RunningEngine, name: str
) -> None:
    status, kind, text = await ask(engine, QUESTIONS[name])
    assert (status, kind) == (200, "application/json")
    assert differences(shape(json.loads(text)), shape(ANSWERS[name]["body"])) == []


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_has_the_events_of_the_recorded_one(
    engine: RunningEngine, name: str
) -> None:
    status, kind, text = await ask(engine, QUESTIONS[name])
    assert (status, kind) == (200, "text/event-stream")
    ours, theirs = events(text), events(ANSWERS[name]["body"])
    assert order(ours) == order(theirs)
    for event in {name for name, _ in theirs}:
        here, there = (
            merged([shape(data) for name, data in told if name == event and data != "[DONE]"])
            for told in (ours, theirs)
        )
        assert differences(here, there) == [], event


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in OTHERWISE])
async def test_a_refusal_is_the_recorded_one(engine: RunningEngine, name: str) -> None:
    status, _, text = await ask(engine, QUESTIONS[name])
    assert (status, json.loads(text)) == (ANSWERS[name]["status"], ANSWERS[name]["body"])


def differences(ours: Any, theirs: Any) -> list[str]:
    """Without the extras, and without the keys of a completion's alternatives: those are words."""
    return [
        one
        for one in unlike(ours, theirs)
        if not any(f".{key}:" in one for key in EXTRAS) and "s.top_logprobs[]." not in one
    ]


def test_a_shape_that_differs_is_seen() -> None:
    theirs = shape({"a": [{"b": 1, "c": None}], "d": "x"})
    assert differences(shape({"a": [{"b": 2.5}], "d": "y"}), theirs) == []
    seen = differences(shape({"a": [{"e": 1}], "d": 1}), theirs)
    assert set(seen) == {".a[].e: only here", ".a[].b: missing", ".d: number, there str"}
