"""Trials that need no start."""

import pytest

from sparkwell.tune.trial import End, ruled_out


@pytest.mark.parametrize(("expected", "end"), [(None, "refused"), (0.5, "passed over")])
def test_what_the_plan_rules_out_is_a_trial_of_its_moment(expected: float | None, end: End) -> None:
    found = ruled_out(3, {"max_num_seqs": 8}, "too large", expected, at=12.0)
    assert (found.number, found.end, found.at, found.why) == (3, end, 12.0, "too large")
    assert not found.started
    assert not found.counts
