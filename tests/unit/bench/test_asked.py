"""What a server is really asked: nothing that a prefix cache could have seen before."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.unit.bench.test_load import answer, serving

from sparkwell.bench.measuring import measure
from sparkwell.bench.order import Order
from sparkwell.bench.results import Measured
from sparkwell.bench.suites import Case
from sparkwell.bench.text import Words
from sparkwell.bench.workload import Vocabulary, Workload

REPEATS = 3
BLOCK = 16
"""Of these tokens a prefix cache's smallest block has: who shares none shares nothing."""
IDS = Vocabulary(5000)
ALONE = Workload(64, 4)
SHARED = Workload(64, 4, document_tokens=48)
TWO, FOUR_A_SECOND = Case("two", ALONE, 6, clients=2), Case("rate", ALONE, 4, rate=400.0)
WARM_UP = {"two": 2, "rate": 1}


async def asked(
    cases: Sequence[Case], seed: str = "s", vocabulary: Vocabulary | Words = IDS
) -> list[dict[str, Any]]:
    """All requests of a run, in the order in which they came, warm-up and all."""
    async with serving(answer) as (server, target):
        order = Order(target, "m", cases, REPEATS, seed, vocabulary)
        await measure(order, Measured(), lambda _progress: None)
    return [json.loads(body) for body in server.bodies]


def beginnings(requests: Sequence[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(each["prompt"][:BLOCK]) for each in requests)


async def test_no_two_requests_of_a_run_begin_alike() -> None:
    """Of no repeat, no case with the same lengths, and no warm-up."""
    cases = (TWO, FOUR_A_SECOND, TWO)
    found = await asked(cases)
    assert len(found) == REPEATS * sum(case.requests + WARM_UP[case.name] for case in cases)
    assert set(beginnings(found).values()) == {1}


async def test_a_shared_document_is_one_of_its_repeat_alone() -> None:
    """The warm-up has one of its own: else the first request would find it cached."""
    found = beginnings(await asked([Case("shared", SHARED, 6, clients=2)]))
    assert sorted(found.values()) == [2] * REPEATS + [6] * REPEATS


async def test_prompts_of_text_are_new_too() -> None:
    found = await asked([TWO], vocabulary=Words())
    prompts = Counter(tuple(each["messages"][0]["content"].split()[:BLOCK]) for each in found)
    assert len(found) == REPEATS * (6 + 2)
    assert set(prompts.values()) == {1}


async def test_the_same_seed_asks_the_same_again_and_another_nothing_of_it() -> None:
    first, again, other = [beginnings(await asked([TWO], seed)) for seed in ("a", "a", "b")]
    assert first == again
    assert not first & other


async def test_a_warm_up_has_as_many_at_once_and_shorter_answers_later() -> None:
    """Of a long answer: the first time nearly all is made ready, later a word will do."""
    case = Case("long", Workload(64, 200), 6, clients=3)
    lengths = [each["max_tokens"] for each in await asked([case])]
    first, *later = [lengths[at : at + 9] for at in range(0, 27, 9)]
    assert first == [64] * 3 + [200] * 6
    assert later == [[8] * 3 + [200] * 6] * 2
