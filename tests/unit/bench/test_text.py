"""Prompts of text, and how long they are."""

import json
from random import Random

import pytest
from aiohttp import web
from tests.unit.bench.samples import sample
from tests.unit.bench.test_load import answer, serving

from sparkwell.bench.connection import Target
from sparkwell.bench.figures import figures
from sparkwell.bench.fitting import COUNTS, fitted
from sparkwell.bench.lengths import lengths, lengths_note
from sparkwell.bench.measuring import measure
from sparkwell.bench.notes import notes
from sparkwell.bench.order import Order
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.suites import Case
from sparkwell.bench.text import Words, fit, text_body
from sparkwell.bench.workload import Workload, prompts
from sparkwell.core.errors import NotReadyError

WORDS = Words(1.25, 12)


def test_so_many_words_make_about_so_many_tokens() -> None:
    found = list(prompts(Workload(512, 10), 3, WORDS, "s"))
    assert {len(each) for each in found} == {400}
    assert len({tuple(each[:16]) for each in found}) == 3


def test_a_document_of_words_stands_first() -> None:
    found = list(prompts(Workload(500, 10, document_tokens=250), 3, WORDS, "s"))
    assert len({tuple(each[:200]) for each in found}) == 1
    assert len({tuple(each[200:]) for each in found}) == 3


def test_a_prompt_has_a_word_at_least() -> None:
    assert [len(each) for each in prompts(Workload(1, 1), 2, WORDS, "s")] == [1, 1]
    assert Words().draw(Random(1), 0) == []


def test_the_server_says_what_a_word_makes() -> None:
    assert fit([(16, 32), (144, 192)]) == Words(1.25, 12)


@pytest.mark.parametrize("counts", [(None, None), (32, None), (32, 32)])
def test_one_that_does_not_count_gets_a_token_a_word(counts: tuple[int | None, ...]) -> None:
    assert fit(list(zip(COUNTS, counts, strict=True))) == Words()


def test_a_chat_asks_for_so_many_tokens_at_most() -> None:
    asked = json.loads(text_body("m", ["a", "b"], 64))
    assert asked["messages"] == [{"role": "user", "content": "a b"}]
    assert asked["max_tokens"] == 64
    assert "ignore_eos" not in asked
    assert asked["stream"] is asked["stream_options"]["include_usage"] is True


async def counting(request: web.Request) -> web.StreamResponse:
    """A server whose words make 1.5 tokens, and that adds 10 to each prompt."""
    body = await request.json()
    words = len(body["messages"][0]["content"].split())
    events = [
        {"choices": [{"delta": {"content": "a"}}]},
        {"choices": [], "usage": {"prompt_tokens": 10 + round(1.5 * words),
                                  "completion_tokens": 1}},
    ]  # fmt: skip
    said = "".join(f"data: {json.dumps(each)}\n\n" for each in events)
    return web.Response(text=f"{said}data: [DONE]\n\n", content_type="text/event-stream")


async def test_a_suite_is_measured_with_prompts_of_the_wished_length() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", counting)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        target = Target("127.0.0.1", runner.addresses[0][1], "/v1/chat/completions")
        words = await fitted(target, "m", "s")
        assert words == Words(1.5, 10)
        measured, case = Measured(), Case("two", Workload(130, 8), 4, clients=2)
        await measure(Order(target, "m", [case], 1, "s", words), measured, lambda _progress: None)
    finally:
        await runner.cleanup()
    [repeat] = measured.repeats[0]
    assert {each.prompt_tokens for each in repeat.samples} == {130}


async def test_nothing_is_measured_where_nobody_answers() -> None:
    with pytest.raises(NotReadyError, match="m does not answer"):
        await fitted(Target("127.0.0.1", 1), "m", "s")


async def test_a_server_that_does_not_count_is_asked_all_the_same() -> None:
    async with serving(answer) as (_, target):
        assert await fitted(target, "m", "s") == Words()


def answered() -> list[Repeat]:
    samples = [sample(tokens=11), sample(tokens=3), sample(error="cut")]
    samples[1].prompt_tokens = 9
    return [Repeat(figures(samples, began_s=100.0, ended_s=102.0), samples, 100.0)]


def test_lengths_are_what_was_counted() -> None:
    assert lengths(answered()) == {"prompt_tokens": 7, "output_tokens": 7}
    assert lengths([]) == {"prompt_tokens": None, "output_tokens": None}
    said = lengths_note(answered())
    assert "prompts of 5 to 9 tokens, answers of 3 to 11" in said
    assert said in notes(Case("c", Workload(5, 11), 3, clients=1), answered(), text=True)
    assert said not in notes(Case("c", Workload(5, 11), 3, clients=1), answered())
