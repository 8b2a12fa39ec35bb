"""Which unfinished files may be removed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.checks.model_parts import Partial
from sparkwell.checks.partials import OLD_S, QUIET_S, why_removable

HOUR_S = 3600.0
FINE = Partial("/blobs/1.incomplete", 60_000_000_000, HOUR_S, resumable=True)


@pytest.mark.parametrize(
    ("partial", "why"),
    [
        (FINE, None),
        (replace(FINE, age_s=13 * 86_400), None),
        (replace(FINE, age_s=OLD_S), "not written to for 336 h"),
        (replace(FINE, finished=True), "the whole file is there"),
        (replace(FINE, resumable=False), "no download goes on"),
        (replace(FINE, finished=True, age_s=QUIET_S - 1), None),
        (replace(FINE, finished=True, hidden=True), None),
    ],
)
def test_why(partial: Partial, why: str | None) -> None:
    said = why_removable(partial)
    assert (said is None) if why is None else (said or "").startswith(why)


@given(st.builds(Partial, age_s=st.floats(0, 1e9)))
def test_what_somebody_holds_always_stays(partial: Partial) -> None:
    assert why_removable(replace(partial, held_by="hf (process 9)")) is None
    assert why_removable(replace(partial, hidden=True)) is None
