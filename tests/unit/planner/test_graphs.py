"""Which steps run as CUDA graphs, and what those without one take."""

from dataclasses import replace
from typing import Any

import pytest

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.efficiency import CPU, HOPPER
from sparkwell.planner.graphs import graph_tokens
from sparkwell.planner.layers import launches_s, layers_s
from sparkwell.planner.prompts import first_token_s, prefill_s
from sparkwell.planner.settings import resolve
from sparkwell.planner.speed import served_model
from sparkwell.planner.steps import Model

H200, RULES = find_machine("h200-141gb"), rules_for("0.25.0")
DENSE, MIXED = (
    describe_recipe(load_catalog().get(name)) for name in ("qwen3-8b-fp8", "qwen3-30b-a3b-fp8")
)


def tokens(**flags: Any) -> int:
    given: dict[str, FlagValue] = {"max_num_seqs": 64, **flags}
    return graph_tokens(given, resolve(given, DENSE, H200, RULES))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, 128),
        ({"max_num_seqs": 32}, 64),
        ({"max_num_seqs": 256}, 512),
        ({"max_num_seqs": 1024}, 512),
        ({"max_num_seqs": 256, "max_num_batched_tokens": 256}, 256),
        ({"max_cudagraph_capture_size": 1024}, 1024),
        ({"cudagraph_capture_sizes": "1,2,4,8"}, 8),
        ({"compilation_config": '{"cudagraph_capture_sizes": [1, 2, 16]}'}, 16),
        ({"compilation_config": '{"max_cudagraph_capture_size": 256}'}, 256),
        ({"compilation_config": '{"cudagraph_mode": "NONE"}'}, 0),
        ({"compilation_config": '{"cudagraph_mode": "FULL"}'}, 128),
        ({"compilation_config": "3"}, 128),
        ({"compilation_config": "{not json"}, 128),
        ({"compilation_config": '{"cudagraph_mode": "FULL_DECODE_ONLY"}'}, 0),
        ({"compilation_config": '{"cudagraph_mode": 0}'}, 0),
        ({"compilation_config": '{"level": 0}'}, 0),
        ({"compilation_config": '{"mode": "NONE"}'}, 0),
        ({"compilation_config": '{"mode": 3, "cudagraph_mode": "PIECEWISE"}'}, 128),
        ({"compilation_config": '{"cudagraph_capture_sizes": []}'}, 0),
        ({"compilation_config": 0}, 0),
        ({"compilation_config": "[1, 2]"}, 128),
        ({"optimization_level": 0}, 0),
        ({"optimization_level": 2}, 128),
        ({"enforce_eager": True}, 0),
        ({"enforce_eager": True, "max_cudagraph_capture_size": 64}, 0),
    ],
)
def test_the_largest_graph_is_what_the_flags_say(flags: dict[str, Any], expected: int) -> None:
    assert tokens(**flags) == expected


def model(described: Any = DENSE, **flags: Any) -> Model:
    given: dict[str, FlagValue] = {"max_num_seqs": 64, **flags}
    found = served_model(described, H200, given, resolve(given, described, H200, RULES))
    assert found is not None
    return found


def test_a_prompt_without_a_graph_waits_for_its_kernels_to_be_started() -> None:
    launched, captured = model(), model(max_num_seqs=256)
    assert prefill_s(launched, 512, 8192) == pytest.approx(36 * HOPPER.launch_s)
    assert first_token_s(captured, 512, 8192) < first_token_s(launched, 512, 8192) / 2
    assert prefill_s(captured, 513, 8192) == pytest.approx(36 * HOPPER.launch_s)


def test_starting_kernels_overlaps_with_long_work() -> None:
    """A long prompt takes as long as the arithmetic, with graphs or without."""
    launched = model()
    assert prefill_s(launched, 8192, 8192) > 3 * 36 * HOPPER.launch_s
    captured = replace(launched, graph_tokens=1 << 20)
    assert prefill_s(launched, 8192, 8192) == prefill_s(captured, 8192, 8192)


def test_only_chunks_that_no_graph_has_are_counted() -> None:
    """1,300 tokens in chunks of 600 are two without a graph of 512 and one with it."""
    work = replace(model(max_num_seqs=256), pace=model().pace)
    assert prefill_s(work, 1300, 600) == pytest.approx(2 * 36 * HOPPER.launch_s)


def test_layers_of_experts_take_longer() -> None:
    assert layers_s(HOPPER, MIXED) == pytest.approx(48 * (HOPPER.layer_s + 13e-6))
    assert launches_s(HOPPER, MIXED) == pytest.approx(48 * HOPPER.experts.launch_s)
    assert launches_s(HOPPER, DENSE) == pytest.approx(36 * HOPPER.launch_s)
    assert launches_s(CPU, MIXED) == 0.0, "nothing is started beside"


def test_arithmetic_with_experts_reaches_less() -> None:
    assert model(MIXED).matrices == pytest.approx(0.53 * HOPPER.experts.matrices)
    assert model().matrices == 0.53
