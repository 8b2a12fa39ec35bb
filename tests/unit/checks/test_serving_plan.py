"""What the real planner says of a window, and of the changes that a finding names."""

from dataclasses import replace

import pytest
from tests.unit.checks.test_serving import FLAGS, LOADED, SEVENTY

from sparkwell.catalog.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.serving import interpret
from sparkwell.checks.serving_parts import Serving, Window
from sparkwell.checks.serving_plan import planned_of, planned_serving, what_if
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.question import Question

CATALOG = load_catalog()
THIRTY_TWO = "qwen3-32b-fp8"


def question(name: str = THIRTY_TWO, **flags: FlagValue) -> Question:
    described = describe_recipe(CATALOG.get(name))
    return Question(described, find_machine("dgx-spark"), rules_for("0.25.0"), FLAGS | flags)


def plan(name: str = THIRTY_TWO, **flags: FlagValue) -> Plan:
    return make_plan(question(name, max_model_len=32768, **flags))


def window(**figures: float | None) -> Window:
    return replace(LOADED, **figures)  # type: ignore[arg-type]


def test_more_at_once_is_more_together_up_to_what_may_run() -> None:
    def together(running: float, waiting: float = 0.0) -> float:
        found = planned_of(plan(), window(running=running, waiting=waiting)).tokens_per_s
        assert found is not None
        return found

    assert together(1) < together(8) < together(32) < together(64)
    assert together(64) == together(64, 100.0)  # --max-num-seqs 64
    assert together(1) == pytest.approx(plan().speed.single_tokens_per_s, rel=0.1)  # type: ignore[union-attr]


def test_a_longer_prompt_takes_longer_to_the_first_token() -> None:
    def ttft_s(tokens: float) -> float:
        found = planned_of(plan(), window(prompt_tokens=tokens)).ttft_s
        assert found is not None
        return found

    assert ttft_s(500) < 2 < ttft_s(18_000)


def test_without_requests_nothing_is_planned_of_them() -> None:
    found = planned_of(plan(), Window(samples=10, seconds=60.0))
    assert (found.tokens_per_s, found.ttft_s) == (None, None)
    assert found.kv_cache_tokens == plan().memory.kv_tokens


def test_a_machine_of_unknown_bandwidth_has_no_speeds() -> None:
    asked = question(max_model_len=32768)
    machine = replace(asked.machine, bandwidth_bytes_per_s=None)
    found = planned_of(make_plan(replace(asked, machine=machine)), LOADED)
    assert (found.single_tokens_per_s, found.tokens_per_s, found.ttft_s) == (None, None, None)
    assert found.kv_cache_tokens


def test_what_each_change_gives() -> None:
    flags = {**FLAGS, "max_model_len": 32768}
    asked = question(max_model_len=32768)
    serving = Serving(THIRTY_TWO, LOADED, flags=flags)
    now = planned_of(make_plan(asked), LOADED)
    effects = what_if(asked, serving)
    assert set(effects) == {
        "more-sequences", "fewer-sequences", "larger-share", "shorter-context", "fp8-cache",
        "larger-batch",
    }  # fmt: skip
    tokens = {name: change.planned.kv_cache_tokens or 0 for name, change in effects.items()}
    assert now.kv_cache_tokens
    assert tokens["fp8-cache"] == pytest.approx(2 * now.kv_cache_tokens, rel=0.05)
    assert tokens["larger-share"] > now.kv_cache_tokens * 1.05
    assert tokens["shorter-context"] == pytest.approx(now.kv_cache_tokens, rel=0.01)


def test_a_flag_that_cannot_be_planned_is_left_out() -> None:
    asked = replace(question(), flags={**FLAGS, "tensor_parallel_size": 3})
    assert what_if(asked, Serving(THIRTY_TWO, LOADED, flags=FLAGS)) == {}


def test_the_70b_is_as_slow_as_planned() -> None:
    asked = question(SEVENTY, max_model_len=32768)
    slow = Serving(SEVENTY, replace(LOADED, single_tokens_per_s=2.8), flags=asked.flags)
    known = planned_serving(slow, asked, make_plan(asked))
    (finding,) = [each for each in interpret(known) if each.id == "slow-single-stream"]
    assert finding.severity.value == "info"
    assert known.planned.single_tokens_per_s == pytest.approx(2.8, rel=0.1)
