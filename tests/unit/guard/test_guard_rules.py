"""Which rule holds, given the last seconds."""

import pytest

from sparkwell.guard.proc import Sample
from sparkwell.guard.rules import (
    GIB,
    HISTORY_S,
    MIB,
    History,
    Limits,
    Pressure,
    fall_rate,
    floors,
    next_s,
    pressure,
)

LONG_AGO = float("-inf")


def history(*available_gib: float, step_s: float = 0.25, **values: float) -> History:
    return History(
        Sample(i * step_s, int(gib * GIB), **{k: int(v) for k, v in values.items()})
        for i, gib in enumerate(available_gib)
    )


def judged(*available_gib: float, limits: Limits | None = None) -> Pressure | None:
    return pressure(history(*available_gib), limits or Limits(), LONG_AGO)


def test_all_is_well_at_the_soft_floor_and_above() -> None:
    assert judged(*[8.0] * 40) is None


def test_the_soft_floor_takes_its_time() -> None:
    assert judged(12, *[7.9] * 8) is None
    found = judged(12, *[7.9] * 9)
    assert found is not None
    assert not found.hard
    assert found.reason == "7.9 GiB available, under the soft floor of 8.0 GiB for 2.0 s"


def test_one_sample_above_starts_the_time_anew() -> None:
    assert judged(*[7.9] * 8, 8.1, *[7.9] * 8) is None


def test_a_pause_of_the_machine_is_no_time_under_the_floor() -> None:
    low = [Sample(0.0, 7 * GIB), Sample(60.0, 7 * GIB)]
    assert pressure(History(low), Limits(), LONG_AGO) is None


def test_the_hard_floor_acts_on_the_first_sample() -> None:
    found = judged(12, 3.9)
    assert found is not None
    assert found.hard
    assert found.reason == "3.9 GiB available, under the hard floor of 4.0 GiB"


def test_an_even_fall_under_the_soft_floor_is_drawn_on() -> None:
    found = judged(12, 10.5, 9, 7.5, 6)
    assert found is not None
    assert found.hard
    assert "falling by 6.0 GiB a second" in found.reason
    assert "0.3 s away" in found.reason


def test_a_fall_above_the_soft_floor_is_not_drawn_on() -> None:
    assert judged(28, 23, 18, 13, 8.5) is None


def test_a_fall_that_is_over_is_not_drawn_on() -> None:
    assert judged(12, 12, 9, 6, 6) is None
    assert judged(12, 12, 12, 12, 6) is None


def test_memory_that_comes_back_is_waited_for() -> None:
    assert judged(*[5 + 0.1 * i for i in range(20)]) is None
    assert judged(*[5.0] * 20) is not None


def test_what_was_before_the_last_end_does_not_count() -> None:
    low = history(*[7.0] * 20)
    assert pressure(low, Limits(), since=low.last.at - 1.5) is None
    assert pressure(low, Limits(), since=low.last.at - 2.5) is not None
    lower = history(*[3.0] * 20)
    assert pressure(lower, Limits(), since=lower.last.at - 0.5) is None
    assert pressure(lower, Limits(), since=lower.last.at - 1.0) is not None


def test_stalls_under_the_soft_floor_are_hard() -> None:
    def stalled(gib: float, full_s: float) -> Pressure | None:
        samples = [Sample(i / 4, int(gib * GIB), full_us=int(i / 4 * full_s * 1e6))
                   for i in range(8)]  # fmt: skip
        return pressure(History(samples), Limits(), LONG_AGO)

    found = stalled(7, 0.3)
    assert found is not None
    assert found.hard
    assert "30% of the last second" in found.reason
    assert stalled(7, 0.2) is None
    assert stalled(9, 0.9) is None


def test_swap_that_fills_under_the_soft_floor_is_hard() -> None:
    def filling(gib: float, mib_s: float) -> Pressure | None:
        samples = [Sample(i / 4, int(gib * GIB), swap_free=16 * GIB - int(i / 4 * mib_s * MIB))
                   for i in range(9)]  # fmt: skip
        return pressure(History(samples), Limits(debounce_s=60), LONG_AGO)

    assert (found := filling(7, 300))
    assert found.hard
    assert filling(7, 100) is None
    assert filling(9, 1000) is None


@pytest.mark.parametrize(
    ("available", "free", "share", "acts"),
    [(20, 0.5, 0.7, True), (20, 0.5, 0.5, False), (20, 2, 0.9, False), (25, 0.5, 0.9, False)],
)
def test_where_available_lags_tasks_that_wait_all_the_time_count(
    available: float, free: float, share: float, acts: bool
) -> None:
    samples = [
        Sample(i / 4, int(available * GIB), free=int(free * GIB), full_us=int(i / 4 * share * 1e6))
        for i in range(24)
    ]
    found = pressure(History(samples), Limits(), LONG_AGO)
    assert bool(found) == acts
    assert found is None or not found.hard


def test_samples_come_faster_when_the_floor_is_near() -> None:
    assert next_s(History(), Limits()) == 0.25
    assert next_s(history(20), Limits()) == 0.25
    assert next_s(history(9.9), Limits()) == 0.05
    falling = history(*[40 - 5 * i for i in range(5)])  # 20 GiB a second
    assert fall_rate(falling) == 20 * GIB
    assert next_s(falling, Limits()) == 0.05


def test_history_is_bounded() -> None:
    found = History()
    for i in range(1000):
        found.add(Sample(i / 4, GIB))
    assert found.samples[0].at == found.last.at - HISTORY_S
    assert len(found.samples) == HISTORY_S * 4 + 1


def test_a_fall_needs_a_whole_window() -> None:
    assert fall_rate(history(9, 8)) is None


def test_floors_are_at_most_a_share_of_the_machine() -> None:
    assert floors(122 * GIB, 8 * GIB, 4 * GIB) == (8 * GIB, 4 * GIB)
    assert floors(24 * GIB, 8 * GIB, 4 * GIB) == (3 * GIB, 3 * GIB // 2)


def test_the_hard_floor_is_never_above_the_soft_one() -> None:
    assert Limits(soft_floor_bytes=GIB, hard_floor_bytes=2 * GIB).hard_floor_bytes == GIB
