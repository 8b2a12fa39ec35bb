"""Whatever stands in a log, the memory checks say something or nothing, and soon."""

import re
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.checks.check import run
from sparkwell.checks.diagnosis import memory
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding

WRITTEN = Path(__file__).parents[3] / "data" / "doctor" / "written"
IDS = {check.id for check in memory.CHECKS}
LINES = sorted(
    {
        line
        for path in WRITTEN.glob("*.log")
        if path.name.startswith(tuple(IDS))
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(char.isdecimal() for char in line)
    }
)
NUMBERS = re.compile(r"\d+(?:\.\d+)?")
FIGURES = st.one_of(
    st.text("0123456789.-", max_size=12),
    st.sampled_from(["0", "0.0", "9" * 400, "1.2.3", "-1", "٣", "nan", "inf", ""]),
)


def found(*lines: str) -> tuple[Finding, ...]:
    return run(memory.CHECKS, Snapshot(0.0, "test", logs=(digest(lines, "a.log"),)))


@settings(deadline=None, max_examples=200)
@given(lines=st.lists(st.sampled_from(LINES), max_size=12), figures=st.lists(FIGURES, min_size=1))
def test_any_figures_do_no_harm(lines: list[str], figures: list[str]) -> None:
    supply = iter(figures * 400)
    changed = [NUMBERS.sub(lambda _: next(supply), line) for line in lines]
    for each in found(*changed):
        assert each.id in IDS
        assert each.remedies


REPEATED = [
    "Free memory on device ", "Free memory on device (1/1 GiB) on startup. ", "Actual usage is ",
    "unable to mmap <", "No space left on device ", "/dev/shm/", "Failed core proc(s): {",
    "starting llama-server -c ", "loaded x in 1 s, 1", "rope_scaling {", '"Load failed" ', "1" * 20,
]  # fmt: skip


@pytest.mark.parametrize("piece", REPEATED)
def test_a_line_of_nothing_but_beginnings_takes_no_time(piece: str) -> None:
    line = (piece * 2000)[:2000]
    began = process_time()
    found(*(f"{number} {line}" for number in range(40)))
    assert process_time() - began < 2.0


def test_there_is_something_to_change() -> None:
    assert len(LINES) > 300
