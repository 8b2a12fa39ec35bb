"""The queue, the switch and the memory, as status shows them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from sparkwell.app.status.box import memory_of, queue_of, switch_of
from sparkwell.core.phases import Phase
from sparkwell.supervisor.box import Box, Instance, Leaving, Request, State, Switch
from sparkwell.supervisor.terms import Budget, Terms

TERMS = Terms(least_bytes=60, most_bytes=60, start_s=30.0)
A = Instance("a-1", "a", State.READY, held_bytes=60, ready_at=0.0, idle_since=0.0)
B = Instance("b-1", "b", State.STARTING, Phase.WEIGHTS, held_bytes=60)


def request(number: int, model: str, at: float, priority: int = 0) -> Request:
    return Request(number, model, at, 5000.0, TERMS, priority)


def test_an_empty_queue() -> None:
    assert queue_of(Box(), 100.0) == []


def test_the_queue_by_model_in_the_order_of_coming() -> None:
    waiting = (request(1, "b", 90.0), request(2, "c", 95.0), request(3, "b", 99.0, priority=7))
    shown = queue_of(Box(instances=(A,), waiting=waiting, budget=Budget(100)), 100.0)
    assert [each["model"] for each in shown] == ["b", "c"]
    estimated = shown[0].pop("estimated_s")
    assert shown[0] == {"model": "b", "waiting": 2, "oldest_s": 10.0, "priority": 7}
    assert estimated >= 30.0
    assert (shown[1]["waiting"], shown[1]["oldest_s"], shown[1]["priority"]) == (1, 5.0, 0)
    assert json.dumps(shown)


def test_nobody_knows_how_long_a_first_start_takes() -> None:
    unknown = replace(request(1, "b", 90.0), terms=replace(TERMS, start_s=None))
    [shown] = queue_of(Box(waiting=(unknown,), budget=Budget(100)), 100.0)
    assert shown["estimated_s"] is None


def switched(*instances: Instance, **more: Any) -> Box:
    switch = Switch("b", (Leaving("a", TERMS, True),), since=90.0)
    return Box(instances=instances, switch=switch, budget=Budget(100), **more)


def test_without_a_switch_there_is_none_to_show() -> None:
    assert switch_of(Box(instances=(A, B)), 100.0) is None


@pytest.mark.parametrize(
    ("box", "step"),
    [
        (switched(replace(A, state=State.DRAINING, serving=2)), "draining"),
        (switched(replace(A, state=State.DRAINING)), "stopping"),
        (switched(replace(A, state=State.STOPPING)), "stopping"),
        (switched(replace(A, state=State.SLEEPING)), "stopping"),
        (switched(settling=("a-1",)), "verifying"),
        (switched(replace(B, phase=Phase.PREPARE)), "preparing"),
        (switched(B), "starting"),
        (switched(replace(B, state=State.WAKING, phase=Phase.WARMUP)), "starting"),
        (switched(replace(B, state=State.STOPPING)), "stopping"),  # its start has failed
    ],
)
def test_the_steps_of_a_switch(box: Box, step: str) -> None:
    assert switch_of(box, 100.0) == {"from": ["a"], "to": "b", "step": step, "since_s": 10.0}


def test_the_memory() -> None:
    box = Box(instances=(A, B), budget=Budget(100))
    assert memory_of(box, 128, 20, 8) == {
        "total_bytes": 128,
        "available_bytes": 20,
        "budget_bytes": 100,
        "promised_bytes": 120,
        "floor_bytes": 8,
    }


def test_one_that_sleeps_promises_what_it_holds_asleep() -> None:
    asleep = replace(A, state=State.ASLEEP, terms=replace(TERMS, asleep_bytes=5))
    failed = replace(B, state=State.FAILED)
    lost = replace(B, state=State.FAILED, lost=True)
    assert memory_of(Box(instances=(asleep, failed)), 1, None, None)["promised_bytes"] == 5
    assert memory_of(Box(instances=(asleep, lost)), 1, None, None)["promised_bytes"] == 65


def test_what_nobody_knows_is_null() -> None:
    unknown = Box(instances=(replace(A, held_bytes=None),))
    shown = memory_of(unknown, 128, None, None)
    assert list(shown.values()) == [128, None, None, None, None]
