"""Texts of /proc to shares; those of a DGX-like machine are as Linux 6.x writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.hardware.facts import MemoryFacts
from sparkwell.hardware.usage import (
    CpuTimes,
    cpu_share,
    cpu_times,
    percent_as_share,
    stalled_share,
    swap_used_bytes,
)

# Recorded on a virtual machine of two processors, Linux 6.1.
STAT = """\
cpu  4513785 3911 412759 4860533 41752 0 13541 56054 0 0
cpu0 2258102 1945 205892 2429815 20411 0 8121 27870 0 0
cpu1 2255683 1966 206867 2430718 21341 0 5420 28184 0 0
intr 512 0 9 0 0
btime 1795230000
"""
PRESSURE = """\
some avg10=7.31 avg60=2.02 avg300=0.48 total=278005
full avg10=4.50 avg60=1.20 avg300=0.30 total=194235
"""


def test_ticks_of_all_processors() -> None:
    found = cpu_times(STAT)
    assert found == CpuTimes(4_513_785 + 3911 + 412_759 + 13_541 + 56_054, 9_902_335)


def test_guests_are_not_counted_twice() -> None:
    assert cpu_times("cpu  10 0 0 10 0 0 0 0 9 9\n") == CpuTimes(10, 20)
    assert cpu_times("cpu 1 2 3 4") == CpuTimes(6, 10)  # an old kernel


@pytest.mark.parametrize(
    "text",
    [None, "", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4 5", "cpu 1 2 x 4", "cpu 1 -2 3 4", "cpu 1 ² 3 4"],
)
def test_no_ticks(text: str | None) -> None:
    assert cpu_times(text) is None


def test_the_share_that_worked() -> None:
    assert cpu_share(CpuTimes(100, 1000), CpuTimes(125, 1100)) == 0.25


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, CpuTimes(1, 2)),
        (CpuTimes(1, 2), None),
        (CpuTimes(1, 2), CpuTimes(1, 2)),
        (CpuTimes(5, 9), CpuTimes(1, 2)),
    ],
)
def test_no_share(before: CpuTimes | None, after: CpuTimes | None) -> None:
    assert cpu_share(before, after) is None


@given(*[st.integers(0, 10**9)] * 4)
def test_a_share_is_one(busy: int, total: int, later: int, more: int) -> None:
    share = cpu_share(CpuTimes(busy, total), CpuTimes(later, total + more))
    assert share is None or 0 <= share <= 1


def test_a_recorded_pressure() -> None:
    assert stalled_share(PRESSURE) == pytest.approx(0.045)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "some avg10=7.31 avg60=2.02 avg300=0.48 total=278005\n",  # the processor's has no other
        "full",
        "full avg10=",
        "full avg10=x",
        "full avg10=nan",
        "full avg10=101",
        "full avg10=-1",
        "full avg60=1.00",
    ],
)
def test_no_pressure(text: str | None) -> None:
    assert stalled_share(text) is None


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    stalled_share(text)
    stalled_share(f"full {text} avg10={text}")
    cpu_times(text)
    cpu_times(f"cpu {text}")


def test_swap() -> None:
    assert swap_used_bytes(MemoryFacts(swap_total_bytes=0, swap_free_bytes=0)) == 0
    assert swap_used_bytes(MemoryFacts(swap_total_bytes=9, swap_free_bytes=2)) == 7
    assert swap_used_bytes(MemoryFacts(swap_total_bytes=9)) is None
    assert swap_used_bytes(MemoryFacts(swap_free_bytes=9)) is None


def test_percentages() -> None:
    assert (percent_as_share(0), percent_as_share(85), percent_as_share(100)) == (0, 0.85, 1)
    assert [percent_as_share(value) for value in (None, "85", -1, 101, float("nan"))] == [None] * 5
