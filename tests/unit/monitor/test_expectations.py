"""The guide's time of a start beside this machine's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog.guide_claims import claims_for
from sparkwell.core.phases import Phase
from sparkwell.monitor.expectations import GuideTime, expectation_text, guide_time


@pytest.mark.parametrize(
    ("guide", "last_s", "text"),
    [
        (
            GuideTime(204, 204),
            174.0,
            "the guide says 3.4 min, this machine took 2.9 last time",
        ),
        (GuideTime(204, 204), None, "the guide says 3.4 min"),
        (None, 174.0, "this machine took 2.9 min last time"),
        (None, None, None),
        (GuideTime(30, 60), 44.6, "the guide says 30 to 60 s, this machine took 45 last time"),
        (
            GuideTime(60, 90),
            429.0,
            "the guide says 60 to 90 s, this machine took 7.2 min last time",
        ),
        (
            GuideTime(90, 180),
            0.4,
            "the guide says 90 s to 3.0 min, this machine took 0.4 s last time",
        ),
        (
            GuideTime(7200, 10_800),
            0.0,
            "the guide says 2.0 to 3.0 h, this machine took 0.0 s last time",
        ),
        (GuideTime(float("nan"), 60), 60.0, "this machine took 60 s last time"),
        (GuideTime(60, 60), float("nan"), "the guide says 60 s"),
        (None, -1.0, None),
    ],
)
def test_words(guide: GuideTime | None, last_s: float | None, text: str | None) -> None:
    assert expectation_text(guide, last_s) == text


@given(st.floats() | st.none(), st.floats(), st.floats())
def test_any_times_are_taken(last_s: float | None, low: float, high: float) -> None:
    text = expectation_text(GuideTime(low, high), last_s)
    assert text is None or ("nan" not in text and "inf" not in text and "-" not in text)


@pytest.mark.parametrize(
    ("model", "phase", "first", "expected"),
    [
        ("qwen3-32b-fp8", Phase.WEIGHTS, False, GuideTime(204, 204)),
        ("qwen3-32b", Phase.WEIGHTS, True, GuideTime(348, 348)),
        ("llama33-70b-fp8", None, False, GuideTime(60, 90)),
        ("llama33-70b-fp8", None, True, None),
        ("qwen3-30b-a3b-fp8", None, False, GuideTime(30, 60)),
        ("qwen3-32b-fp8", Phase.COMPILE, False, None),
        ("demo-qwen3", Phase.WEIGHTS, False, None),
    ],
)
def test_what_the_guides_say(
    model: str, phase: Phase | None, first: bool, expected: GuideTime | None
) -> None:
    assert guide_time(claims_for(model), phase, first=first) == expected
