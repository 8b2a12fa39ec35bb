"""What sleep mode makes an engine hold: never less than was seen, and nothing without it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB
from sparkwell.engines.vllm import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine
from sparkwell.planner.fit import Case, Flags, largest_safe_utilization
from sparkwell.planner.memory import Calibration, Memory, plan_memory
from sparkwell.planner.placement import Engine, place
from sparkwell.planner.settings import resolve
from sparkwell.planner.sleep import GAINED_BYTES, RELOADED_BYTES, pinned_bytes

QWEN = describe_recipe(load_catalog().get("qwen3-8b-fp8"))
H100, SPARK, CPU = (find_machine(name) for name in ("h100-80gb", "dgx-spark", "cpu"))
SLEEPS: dict[str, FlagValue] = {"enable_sleep_mode": True}
RULES = rules_for("0.25.0")


def memory(
    machine: Machine,
    flags: Flags,
    level: int | None = None,
    calibration: Calibration | None = None,
) -> Memory:
    settings = resolve(flags, QWEN, machine, RULES)
    return plan_memory(QWEN, machine, RULES, settings, calibration=calibration, sleep_level=level)


@pytest.mark.parametrize("level", [None, 1, 2])
@pytest.mark.parametrize("machine", [H100, SPARK, CPU])
def test_without_sleep_mode_nothing_is_added(machine: Machine, level: int | None) -> None:
    assert memory(machine, {}, level) == memory(machine, {})
    assert memory(machine, {}, level).sleep == 0


@pytest.mark.parametrize(
    ("machine", "level", "expected"),
    [
        (H100, None, GAINED_BYTES),
        (H100, 1, GAINED_BYTES),
        (H100, 2, GAINED_BYTES + RELOADED_BYTES),
        (SPARK, 2, GAINED_BYTES + RELOADED_BYTES),
        (CPU, 1, 0),
    ],
)
def test_what_is_added(machine: Machine, level: int | None, expected: int) -> None:
    seen = memory(machine, SLEEPS, level)
    assert seen.sleep == expected
    assert seen.held == memory(machine, {}).held + expected


def test_on_unified_memory_the_copy_stays_beside_the_weights() -> None:
    seen = memory(SPARK, SLEEPS, 1)
    assert seen.sleep == GAINED_BYTES + pinned_bytes(seen.weights)
    assert pinned_bytes(seen.weights) > seen.weights


# Seen on 2026-11-21 (docs/switching-back-ends.md): GPU memory in use with sleep mode, awake.


def test_a_start_with_graphs_on_an_h100_held_no_more_than_its_plan() -> None:
    """It was 73.2 GiB, and 74.5 GiB after weights were loaded again."""
    flags: dict[str, FlagValue] = {
        "gpu_memory_utilization": 0.9,
        "max_num_batched_tokens": 16384,
        "max_num_seqs": 64,
        "max_model_len": 32768,
    }
    assert memory(H100, {**flags, **SLEEPS}, 1).held >= 73.2 * GIB
    assert memory(H100, {**flags, **SLEEPS}, 2).held >= 74.5 * GIB
    assert memory(H100, flags).held < 73.2 * GIB


def test_an_eager_start_on_an_h100_held_no_more_than_its_plan() -> None:
    """It was 58.4 GiB, and 2.4 GiB more than its plan said, which knew nothing of sleep mode."""
    flags: dict[str, FlagValue] = {
        "gpu_memory_utilization": 0.7,
        "max_model_len": 8192,
        "enforce_eager": True,
    }
    assert memory(H100, {**flags, **SLEEPS}, 1).held >= 58.4 * GIB
    assert memory(H100, flags).held < 58.4 * GIB


def test_what_dummy_weights_hide_is_counted_once() -> None:
    dummy: dict[str, FlagValue] = {"load_format": "dummy"}
    assert memory(H100, {**dummy, **SLEEPS}).sleep == 0
    assert memory(H100, {**dummy, **SLEEPS}).held > memory(H100, dummy).held


def test_a_start_that_was_measured_here_holds_it_too() -> None:
    """Its overhead is its budget less its KV cache, which the gain is not in."""
    seen = Calibration(overhead_bytes=-GIB, weights_bytes=9 * GIB)
    sleeps = memory(H100, SLEEPS, calibration=seen)
    assert sleeps.held == memory(H100, {}, calibration=seen).held + GAINED_BYTES


@given(st.sampled_from([H100, SPARK]), st.sampled_from([1, 2]), st.integers(0, 60))
def test_a_share_that_is_found_leaves_room_for_it(
    machine: Machine, level: int, beside_gib: int
) -> None:
    case = Case(QWEN, machine, RULES, beside_gib * GIB, sleep_level=level)
    flags: dict[str, FlagValue] = {**SLEEPS, "max_model_len": 8192}
    share = largest_safe_utilization(case, flags)
    if share is None:
        return
    _, found = case.plan({**flags, "gpu_memory_utilization": share})
    assert found.headroom is not None
    assert found.headroom >= 0
    awake = largest_safe_utilization(replace(case, sleep_level=None), {"max_model_len": 8192})
    assert awake is not None
    assert share <= awake


def test_several_that_sleep_are_placed_with_it() -> None:
    flags: dict[str, FlagValue] = {**SLEEPS, "max_model_len": 8192}
    both = [Engine(name, QWEN, RULES, flags, 2) for name in ("a", "b")]
    placement = place(both, H100)
    assert placement.fits
    assert all(each.memory and each.memory.sleep > 0 for each in placement.entries)
    assert sum(each.held_bytes for each in placement.entries) <= placement.free_bytes
