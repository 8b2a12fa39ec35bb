"""How far a start is: known values, and what must hold for all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.phases import BEFORE_LAUNCH, Phase
from sparkwell.monitor.progress import Progress, progress

EXPECTED = {Phase.LAUNCH: 20.0, Phase.WEIGHTS: 60.0, Phase.COMPILE: 10.0, Phase.CANARY: 10.0}


@pytest.mark.parametrize(
    ("phase", "entered", "fraction", "now", "wanted"),
    [
        # at the very beginning
        (Phase.LAUNCH, {Phase.LAUNCH: 100.0}, None, 100.0, (0.0, 0.0, 100.0)),
        # half of the launch by time
        (Phase.LAUNCH, {Phase.LAUNCH: 100.0}, None, 110.0, (10.0, 10.0, 90.0)),
        # longer than expected: the estimate waits at the end of its phase
        (Phase.LAUNCH, {Phase.LAUNCH: 100.0}, None, 124.0, (20.0, 24.0, 80.0)),
        # much longer than expected: nobody knows how long still
        (Phase.LAUNCH, {Phase.LAUNCH: 100.0}, None, 190.0, (20.0, 90.0, None)),
        # what the engine says wins over time
        (
            Phase.WEIGHTS,
            {Phase.LAUNCH: 100.0, Phase.WEIGHTS: 130.0},
            0.25,
            1000.0,
            (35.0, 900.0, 65.0),
        ),
        # a phase that nobody expected adds nothing and takes nothing away
        (
            Phase.GRAPHS,
            {Phase.LAUNCH: 100.0, Phase.GRAPHS: 190.0},
            0.5,
            195.0,
            (90.0, 95.0, 10.0),
        ),
        # the last phase never says 100
        (
            Phase.CANARY,
            {Phase.LAUNCH: 100.0, Phase.CANARY: 190.0},
            None,
            500.0,
            (99.0, 400.0, None),
        ),
        # a clock that was set back
        (Phase.LAUNCH, {Phase.LAUNCH: 100.0}, None, 40.0, (0.0, 0.0, 100.0)),
    ],
)
def test_known_values(
    phase: Phase,
    entered: dict[Phase, float],
    fraction: float | None,
    now: float,
    wanted: tuple[float, float, float | None],
) -> None:
    found = progress(EXPECTED, entered, phase, fraction, now)
    assert (found.percent, found.elapsed_s) == pytest.approx(wanted[:2])
    assert found.left_s == (None if wanted[2] is None else pytest.approx(wanted[2]))
    assert found.phase is phase


def test_ready_is_a_hundred() -> None:
    entered = {Phase.LAUNCH: 100.0, Phase.READY: 130.0}
    assert progress(EXPECTED, entered, Phase.READY, None, 130.0) == Progress(
        Phase.READY, 100.0, 30.0, 0.0
    )


def test_without_expectation_only_time_is_known() -> None:
    found = progress({}, {Phase.LAUNCH: 100.0}, Phase.WEIGHTS, 0.5, 112.0)
    assert found == Progress(Phase.WEIGHTS, None, 12.0, None)


def test_before_anything_was_seen() -> None:
    found = progress(EXPECTED, {}, Phase.LAUNCH, None, 112.0)
    assert (found.percent, found.elapsed_s, found.left_s) == (0.0, 0.0, 100.0)


seconds = st.floats(0, 1e7)
times = st.floats(0, 4e9)
LAUNCHED = [phase for phase in Phase if phase not in BEFORE_LAUNCH]
expectations = st.dictionaries(st.sampled_from(LAUNCHED), seconds)
entries = st.dictionaries(st.sampled_from(LAUNCHED), times)
phases = st.sampled_from([phase for phase in LAUNCHED if phase is not Phase.READY])
fractions = st.none() | st.floats(0, 1)


@given(expectations, entries, phases, fractions, times)
def test_bounds(
    expected: dict[Phase, float],
    entered: dict[Phase, float],
    phase: Phase,
    fraction: float | None,
    now: float,
) -> None:
    found = progress(expected, entered, phase, fraction, now)
    assert found.elapsed_s >= 0
    if found.percent is None or fraction is not None:
        assert (found.percent is None) == (found.left_s is None)
    if found.percent is not None and found.left_s is not None:
        assert 0 <= found.percent < 100
        assert 0 <= found.left_s <= sum(expected.values()) * (1 + 1e-9)


@given(expectations, entries, phases, times, st.floats(0, 1e6))
def test_time_only_brings_it_forward(
    expected: dict[Phase, float],
    entered: dict[Phase, float],
    phase: Phase,
    now: float,
    later: float,
) -> None:
    first = progress(expected, entered, phase, None, now)
    second = progress(expected, entered, phase, None, now + later)
    assert second.elapsed_s >= first.elapsed_s
    if first.percent is not None and second.percent is not None:
        assert second.percent >= first.percent
    if first.left_s is not None and second.left_s is not None:
        assert second.left_s <= first.left_s


@given(expectations, entries, times, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_is_further(
    expected: dict[Phase, float],
    entered: dict[Phase, float],
    now: float,
    one: float,
    other: float,
) -> None:
    low, high = sorted((one, other))
    first = progress(expected, entered, Phase.WEIGHTS, low, now)
    second = progress(expected, entered, Phase.WEIGHTS, high, now)
    if first.percent is not None and second.percent is not None:
        assert second.percent >= first.percent


def test_a_download_goes_on_at_the_pace_that_it_had() -> None:
    entered = {Phase.PREPARE: 100.0, Phase.PULL: 100.0, Phase.DOWNLOAD: 120.0}
    expected = {Phase.LAUNCH: 10.0, Phase.WEIGHTS: 30.0}
    found = progress(expected, entered, Phase.DOWNLOAD, 0.25, 130.0)
    assert found.left_s == pytest.approx(30.0 + 40.0)  # 10 s for a quarter
    assert found.percent == pytest.approx(100 * 30 / 100)


def test_what_was_fetched_counts_as_done() -> None:
    entered = {Phase.PREPARE: 100.0, Phase.DOWNLOAD: 100.0, Phase.LAUNCH: 160.0}
    found = progress({Phase.LAUNCH: 10.0, Phase.WEIGHTS: 30.0}, entered, Phase.LAUNCH, None, 165.0)
    assert found.left_s == pytest.approx(35.0)
    assert found.percent == pytest.approx(65.0)
