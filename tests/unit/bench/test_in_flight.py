"""How many are out at once at a rate."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.bench.test_beside import planned

from sparkwell.app.planning.planning import Wish
from sparkwell.bench.in_flight import in_flight
from sparkwell.bench.suites import CHAT, DOCUMENT, Case
from sparkwell.planner.plan import Plan

RATE = Case("rate", CHAT, 10_000, rate=4.0)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return planned(tmp_path, "qwen3-8b-fp8", Wish(hardware="dgx-spark", profile="guide"))


def found(plan: Plan, case: Case) -> float:
    many = in_flight(plan, case)
    assert many is not None
    return many


def test_it_is_the_rate_times_the_time_of_an_answer(plan: Plan) -> None:
    """64 tokens at the plan's pace of one stream, and a short prompt before them."""
    assert plan.speed is not None
    answer_s = CHAT.output_tokens / plan.speed.single_tokens_per_s
    assert found(plan, RATE) == pytest.approx(4.0 * answer_s, rel=0.15)
    assert found(plan, replace(RATE, rate=8.0)) == pytest.approx(2 * found(plan, RATE))


def test_there_are_no_more_than_are_asked_at_all(plan: Plan) -> None:
    assert found(plan, replace(RATE, requests=3)) == 3


def test_what_is_cached_is_not_read_again(plan: Plan) -> None:
    cached, other = (
        replace(RATE, workload=replace(DOCUMENT, order=order))
        for order in ("document first", "question first")
    )
    assert found(plan, cached) < 0.95 * found(plan, other)


def test_nothing_is_known_without_a_rate_or_a_bandwidth(plan: Plan) -> None:
    assert in_flight(plan, Case("clients", CHAT, 16, clients=16)) is None
    here = replace(plan.question.machine, bandwidth_bytes_per_s=None)
    assert in_flight(replace(plan, question=replace(plan.question, machine=here)), RATE) is None
