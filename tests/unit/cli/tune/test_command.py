"""What `sparkwell tune --json` prints."""

import json
import math

import pytest
from tests.unit.app.tuning.simulated import Run, SimulatedRig

from sparkwell.app.tuning.document import Outcome
from sparkwell.cli.tune.command import _json


def no_json(constant: str) -> None:
    raise ValueError(constant)


@pytest.mark.parametrize("unknown", [math.inf, -math.inf, math.nan])
def test_what_has_no_limit_is_null(unknown: float) -> None:
    """As in the tuning's file: the time of answers that never came is no number of JSON's."""
    tuning = Run(SimulatedRig(), most_trials=1).tuning
    tuning.outcome = Outcome("The gain holds.", 1, True, [{"before": unknown, "after": 0.2}])
    told = json.loads(_json(tuning), parse_constant=no_json)
    assert told["outcome"]["gains"] == [{"before": None, "after": 0.2}]
    assert told["model"] == tuning.model
