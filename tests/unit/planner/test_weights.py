"""What an engine holds for the weights: as it was measured, and shared out."""

from dataclasses import replace

import pytest
from tests.unit.planner.measured import MACHINES, MODELS, OTHERS, planned

from sparkwell.engines.vllm.rules import rules_for
from sparkwell.planner import weights
from sparkwell.planner.overhead import MIB
from sparkwell.planner.settings import Settings, resolve

ONE = "qwen3-32b-fp8"


def settings(model: str, **flags: int) -> Settings:
    eight = replace(MACHINES["h200-141gb"], gpus=8)
    return resolve(flags, MODELS[model], eight, rules_for("0.25.0"))


@pytest.mark.parametrize("name", OTHERS)
def test_the_weights_of_every_start_are_planned_within_half_a_percent(name: str) -> None:
    start = OTHERS[name]
    assert start.weights_bytes is not None
    assert abs(planned(start).weights / start.weights_bytes - 1) < 0.005


@pytest.mark.parametrize("model", MODELS)
def test_more_is_held_than_the_parts_and_little_more(model: str) -> None:
    parts = MODELS[model].parts.total
    added = weights.held_bytes(MODELS[model], settings(model)) - parts
    assert weights.WORKSPACE_BYTES <= added < 0.04 * parts
    assert added == weights.allocator_bytes(MODELS[model], settings(model))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("devices", [2, 4])
def test_matrices_are_divided_and_the_rest_is_whole(model: str, devices: int) -> None:
    described = MODELS[model]
    added = [
        weights.allocator_bytes(described, settings(model, tensor_parallel_size=each))
        for each in (1, devices)
    ]
    held = [
        weights.held_bytes(described, settings(model, tensor_parallel_size=each)) - more
        for each, more in zip((1, devices), added, strict=True)
    ]
    parts = described.parts
    whole = parts.router_bytes + parts.norm_bytes + parts.rotary_bytes
    assert held[1] - whole == pytest.approx((held[0] - whole) / devices, abs=1)


def test_stages_of_a_pipeline_divide_all_but_the_rotary_table() -> None:
    described, parts = MODELS[ONE], MODELS[ONE].parts
    stage = settings(ONE, pipeline_parallel_size=2)
    held = weights.held_bytes(described, stage) - weights.allocator_bytes(described, stage)
    assert held == pytest.approx((parts.total - parts.rotary_bytes) / 2 + parts.rotary_bytes, abs=1)


def test_repacking_is_for_weights_in_four_bits() -> None:
    awq, fp8 = ("qwen3-32b-awq", ONE)
    added = {model: weights.allocator_bytes(MODELS[model], settings(model)) for model in (awq, fp8)}
    assert added[awq] > 300 * MIB > added[fp8]
