"""What comes at once: a queue that grows, requests that come one at a time."""

from dataclasses import replace

import pytest
from tests.unit.checks.test_serving import GOOD, INFO, OTHER, WARNING, but, found, severity

from sparkwell.checks.serving import interpret
from sparkwell.checks.serving_cache import ROOMY
from sparkwell.checks.serving_parts import Slowed
from sparkwell.checks.serving_queue import GROWING, LOW_BATCHING
from sparkwell.checks.serving_speed import GPU, SINGLE
from sparkwell.checks.serving_window import Moment, window_of
from sparkwell.core.findings import Remedy

ALONE = {"running": 1.0, "running_max": 1.0, "requests": 20.0, "kv_used_max": 0.01,
         "kv_used_mean": 0.01, "gpu_used": 0.3}  # fmt: skip


@pytest.mark.parametrize(
    ("thirds", "grows"),
    [
        ((0.0, 2.0, 4.0), True),
        ((0.0, 2.0, 3.9), False),
        ((0.0, 0.9, 9.0), False),  # a burst at the end may be worked off
        ((0.0, 9.0, 9.9), False),  # one that is worked off
        ((9.0, 5.0, 1.0), False),
        ((50.0, 50.0, 50.0), False),  # long, and no longer
    ],
)
def test_a_queue_grows_from_third_to_third(thirds: tuple[float, float, float], grows: bool) -> None:
    assert severity(but(waiting_thirds=thirds), GROWING) is (WARNING if grows else None)
    assert found(but(waiting_thirds=thirds, busy=0.4), GROWING) is None


def test_why_a_queue_grows() -> None:
    growing = but(waiting_thirds=(0.0, 5.0, 10.0))
    full = found(but(growing, kv_used_mean=0.97), GROWING)
    listed = found(but(growing, running_max=64.0), GROWING)
    neither = found(growing, GROWING)
    assert full
    assert listed
    assert neither
    assert "KV cache" in str(full.cause)
    assert "gpu_memory_utilization" in str(full.remedies[0].command)
    assert "No more than 64" in str(listed.cause)
    assert "max_num_seqs=96" in str(listed.remedies[0].command)
    assert len(neither.remedies) == 2


def test_one_at_a_time_is_said_once() -> None:
    alone = but(GOOD, **ALONE)
    assert severity(alone, LOW_BATCHING) is INFO
    assert [found(alone, each) for each in (ROOMY, GPU)] == [None, None]
    few = but(alone, requests=19.0)
    assert severity(few, LOW_BATCHING) is None
    assert [severity(few, each) for each in (ROOMY, GPU)] == [INFO, INFO]
    assert severity(but(alone, running_max=2.0), LOW_BATCHING) is None


def test_each_finding_says_of_which_model_it_is() -> None:
    assert {each.about for each in interpret(GOOD)} == {OTHER}


def test_a_slow_stream_names_what_the_engine_says_that_slows_it() -> None:
    slow = but(single_tokens_per_s=3.0)
    plain = found(slow, SINGLE)
    why = Slowed("line 3: enforce_eager=True", "CUDA graphs are off.", Remedy("Switch them on."))
    known = found(replace(slow, slowed_by=(why,)), SINGLE)
    assert plain
    assert known
    assert "Something else" in str(plain.cause)
    assert known.cause == "CUDA graphs are off."
    assert known.remedies[0] == why.remedy
    assert why.evidence in known.evidence


def test_a_slow_plan_does_not_excuse_what_slows_it() -> None:
    as_planned = but(single_tokens_per_s=4.9)
    planned = replace(as_planned, planned=replace(GOOD.planned, single_tokens_per_s=5.0))
    why = Slowed("x", "CUDA graphs are off.", Remedy("Switch them on."))
    assert severity(planned, SINGLE) is INFO
    assert severity(replace(planned, slowed_by=(why,)), SINGLE) is WARNING


def test_the_thirds_of_a_window() -> None:
    def window(*waiting: float) -> tuple[float, float, float] | None:
        moments = [
            Moment(5.0 * at, {"running": 1.0, "waiting": each}) for at, each in enumerate(waiting)
        ]
        return window_of(moments).waiting_thirds

    assert window(1.0, 2.0) is None
    assert window(0.0, 3.0, 6.0) == (0.0, 3.0, 6.0)
    assert window(0.0, 2.0, 4.0, 6.0) == (0.0, 3.0, 6.0)  # the middle has the rest
    assert window(1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 9.0, 9.0) == (1.0, 2.0, 9.0)
