"""The rules on whole courses of memory, made up and recorded: what trips, when, and what not."""

from pathlib import Path

import pytest

from sparkwell.guard.judge import KILL
from sparkwell.guard.rules import GIB, Limits
from sparkwell.testing.memory_traces import SYNTHETIC, Trace, recorded, replay, zero_s

FIXTURES = Path(__file__).parents[2] / "fixtures" / "meminfo"
RECORDED = sorted(FIXTURES.glob("*.json"))
SEEDS = range(3)
LIMITS = Limits()


def name(trace: Trace) -> str:
    return trace.name


@pytest.mark.parametrize("trace", [each for each in SYNTHETIC if not each.expected], ids=name)
def test_what_is_harmless_does_not_trip(trace: Trace) -> None:
    for seed in SEEDS:
        assert list(replay(trace, LIMITS, seed=seed)) == []


@pytest.mark.parametrize("trace", [each for each in SYNTHETIC if each.expected], ids=name)
def test_what_is_dangerous_trips_as_it_should(trace: Trace) -> None:
    for seed in SEEDS:
        first = next(replay(trace, LIMITS, seed=seed))
        assert first.action == trace.expected
        assert first.instance == "new"


@pytest.mark.parametrize("trace", [each for each in SYNTHETIC if "leak" in each.name], ids=name)
def test_a_leak_is_asked_to_end_early(trace: Trace) -> None:
    first = next(replay(trace, LIMITS))
    assert first.available_bytes > 5.8 * GIB
    assert zero_s(trace, first.at_s) - first.at_s > 5.5


@pytest.mark.parametrize("trace", [each for each in SYNTHETIC if "fall" in each.name], ids=name)
def test_a_fall_is_cut_before_the_hard_floor(trace: Trace) -> None:
    kill = next(act for act in replay(trace, LIMITS) if act.action == KILL)
    assert kill.available_bytes > LIMITS.hard_floor_bytes
    assert zero_s(trace, kill.at_s) - kill.at_s > 0.3


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: str(path.stem))
def test_recorded_traces_do_not_trip(path: Path) -> None:
    trace, _ = recorded(path)
    for seed in SEEDS:
        assert list(replay(trace, LIMITS, seed=seed)) == []


def test_the_recorded_page_cache_would_trip_a_guard_on_free_memory() -> None:
    trace, _ = recorded(FIXTURES / "page-cache.json")
    samples = [trace.course(i / 10) for i in range(int(trace.seconds * 10))]
    assert min(each.free or 0 for each in samples) < LIMITS.soft_floor_bytes
    assert min(each.available for each in samples) > 20 * GIB


def test_a_recorded_process_trips_where_the_floor_is_above_what_it_leaves() -> None:
    trace, _ = recorded(FIXTURES / "allocate.json")
    low = min(trace.course(i / 10).available for i in range(int(trace.seconds * 10)))
    limits = Limits(soft_floor_bytes=low + GIB // 2, hard_floor_bytes=low - 2 * GIB)
    acts = list(replay(trace, limits))
    assert [act.action for act in acts] == ["term"]  # the one that stayed for 4 s
