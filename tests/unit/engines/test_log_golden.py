"""What is read from a whole log of each version, against ``NAME.marks`` beside the written logs.

A change of a reading shows here as a difference of texts; look at it, then copy what is new.
"""

import pytest
from tests.unit.engines.log_data import LOGS, WRITTEN, Log

from sparkwell.core.phases import Phase

FAMILIES = {
    *("0.10.0", "0.10.2", "0.11.0", "0.12.0", "0.13.0", "0.17.1", "0.19.0", "0.20.2", "0.22.0"),
    *("0.24.0", "0.25.0", "0.28.0", "0.32.0", "0.33.0"),
}
NAMES = [log.name for log in LOGS]


@pytest.mark.parametrize("log", LOGS, ids=NAMES)
def test_what_is_read(log: Log) -> None:
    assert log.read() == (WRITTEN / f"{log.name}.marks").read_text(encoding="utf-8")


@pytest.mark.parametrize("log", LOGS, ids=NAMES)
def test_neither_phases_nor_shares_go_back(log: Log) -> None:
    marks = [mark for mark in log.marks() if mark.phase is not Phase.DOWNLOAD]
    steps = [(list(Phase).index(mark.phase), mark.fraction or 0.0) for mark in marks]
    assert steps == sorted(steps)


@pytest.mark.parametrize("log", [log for log in LOGS if log.is_written], ids=lambda log: log.name)
def test_a_written_log_says_so_and_goes_all_the_way(log: Log) -> None:
    assert log.lines()[0].startswith("# Written, not recorded: ")
    said = {mark.phase for mark in log.marks()}
    phases = "init weights compile profile graphs warm-up"
    assert said - {Phase.DOWNLOAD} == set(map(Phase, phases.split()))


def test_every_family_of_versions_has_a_log() -> None:
    assert {".".join(map(str, log.version)) for log in LOGS} == FAMILIES


def test_no_reading_is_left_over() -> None:
    assert {path.stem for path in WRITTEN.glob("*.marks")} == set(NAMES)
