"""The model of the trial run: its coefficients are those of the fit, its terms behave."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from tests.unit.planner.measured import MACHINES, MODELS, OTHERS, batches, models, planned, versions

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.planner import overhead
from sparkwell.planner.overhead import DEFAULT, MIB, Overhead, Trial
from sparkwell.planner.settings import resolve
from sparkwell.planner.starts import Start

Flags = dict[str, FlagValue]
TOOL = Path(__file__).parents[3] / "tools" / "fit_overhead.py"
PEAKS = {name: start for name, start in OTHERS.items() if start.peak_bytes}
GRAPHS = {
    name: start
    for name, start in OTHERS.items()
    if start.graph_bytes and "compilation_config" not in start.flags
}


def trial(model: Described, flags: Flags, version: str = "0.25.0", warm: bool = False) -> Trial:
    rules = rules_for(version)
    return Trial(model, resolve(flags, model, MACHINES["h100-80gb"], rules), rules, warm=warm)


def test_the_codes_values_are_those_of_the_fit() -> None:
    program = [sys.executable, str(TOOL), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", PEAKS)
def test_the_peak_of_every_start_is_met(name: str) -> None:
    parts = planned(PEAKS[name]).parts
    assert parts is not None
    assert abs(parts.activations - (PEAKS[name].peak_bytes or 0)) < 40 * MIB


@pytest.mark.parametrize("name", GRAPHS)
def test_the_engines_estimate_of_its_graphs_is_met_roughly(name: str) -> None:
    """It extrapolates from two graphs itself, so that 100 MiB are its own noise."""
    parts = planned(GRAPHS[name]).parts
    assert parts is not None
    assert abs(parts.graphs - (GRAPHS[name].graph_bytes or 0)) < 100 * MIB


def test_where_the_engine_counts_no_graphs_none_leave_the_budget() -> None:
    dense, experts = (find("8b-16384-64-auto"), find("a3b-16384-64-auto"))
    assert dense.graph_bytes == 0
    assert experts.graph_bytes
    assert [bool(graphs(start)) for start in (dense, experts)] == [False, True]


def find(name: str) -> Start:
    return next(start for start in OTHERS.values() if start.name == name)


def graphs(start: Start) -> int:
    parts = planned(start).parts
    assert parts is not None
    return parts.graphs


def test_eager_mode_captures_no_graphs_and_frees_later() -> None:
    model = MODELS["qwen3-30b-a3b-fp8"]
    assert trial(model, {}).counts_graphs
    assert not trial(model, {"enforce_eager": True}).counts_graphs
    flags: Flags = {"max_num_batched_tokens": 16_384, "max_num_seqs": 64}
    dense = MODELS["qwen3-8b-fp8"]
    eager, compiled = (
        overhead.activation_peak(trial(dense, {**flags, "enforce_eager": each}, warm=True))
        for each in (True, False)
    )
    assert eager > compiled


def test_sleep_mode_hides_scratch_of_dummy_weights_alone() -> None:
    model = MODELS["qwen3-8b-fp8"]
    flags: Flags = {"enable_sleep_mode": True, "load_format": "dummy"}
    hidden = overhead.dummy_scratch(trial(model, flags))
    assert 2 * GIB < hidden < 3 * GIB
    assert overhead.dummy_scratch(trial(model, {"enable_sleep_mode": True})) == 0
    assert overhead.dummy_scratch(trial(model, {"load_format": "dummy"})) == 0
    assert overhead.dummy_scratch(trial(model, flags, "0.10.1.1")) == 0
    assert overhead.dummy_scratch(trial(model, flags, "0.28.0")) == 0


def test_experts_keep_a_workspace_and_no_second_embedding() -> None:
    experts = trial(MODELS["qwen3-30b-a3b-fp8"], {"max_num_batched_tokens": 8192})
    assert overhead.activation_peak(experts) > 512 * MIB
    warm = replace(experts, warm=True)
    assert overhead.activation_peak(warm) == overhead.activation_peak(experts)


def test_only_the_second_runner_keeps_counters_of_tokens() -> None:
    model = MODELS["qwen3-8b-fp8"]
    assert overhead.sampler_state(trial(model, {"max_num_seqs": 512})) == round(
        4.25 * 512 * 151_936
    )
    assert overhead.sampler_state(trial(model, {"max_num_seqs": 512}, "0.20.0")) == 0


@given(models, versions, batches, batches)
def test_more_tokens_and_sequences_never_need_less(
    model: Described, version: str, one: Flags, other: Flags
) -> None:
    names = ("max_num_batched_tokens", "max_num_seqs")
    less = {**one, **{name: min(int(one[name]), int(other[name])) for name in names}}
    more = {**one, **{name: max(int(one[name]), int(other[name])) for name in names}}
    small, large = (trial(model, flags, version) for flags in (less, more))
    assert overhead.activation_peak(small) <= overhead.activation_peak(large)
    assert overhead.graph_estimate(small) <= overhead.graph_estimate(large)
    assert overhead.sampler_state(small) <= overhead.sampler_state(large)


def test_what_is_held_is_neither_pages_nor_what_sleep_mode_hides() -> None:
    terms = Overhead(activations=10, kernels=20, graphs=30, page_cache=5, sleep=-7)
    assert terms.total == 58
    assert terms.held == 60


def test_other_coefficients_make_another_plan() -> None:
    model = MODELS["qwen3-8b-fp8"]
    now = trial(model, {"max_num_batched_tokens": 16_384, "max_num_seqs": 64})
    wider = replace(now, coefficients=replace(DEFAULT, hidden=DEFAULT.hidden + 1))
    more = overhead.activation_peak(wider) - overhead.activation_peak(now)
    assert more == 16_384 * model.shape.hidden_size
