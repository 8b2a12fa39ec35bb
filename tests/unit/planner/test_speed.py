"""Speed estimates: what must hold of every one, and of each part of them."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine
from sparkwell.planner.settings import resolve
from sparkwell.planner.speed import (
    Speed,
    closed_loop_tokens_per_s,
    concurrencies,
    estimate_speed,
    fitting,
    served_model,
)
from sparkwell.planner.steps import Model, decode_s

CATALOG = load_catalog()
MODELS = {
    name: describe_recipe(CATALOG.get(name))
    for name in (
        "qwen3-32b",
        "qwen3-32b-fp8",
        "qwen3-32b-awq",
        "qwen3-30b-a3b-fp8",
        "llama33-70b-fp8",
        "demo-qwen3",
    )
}
MACHINES = {
    name: find_machine(name) for name in ("dgx-spark", "dgx-spark-x2", "h100-80gb", "h200-141gb")
}
SPARK = MACHINES["dgx-spark"]

models = st.sampled_from(list(MODELS.values()))
machines = st.sampled_from(list(MACHINES.values()))
contexts = st.integers(1, 300_000)


def kv_bytes(described: Described) -> int:
    shape = described.shape
    return 4 * shape.num_hidden_layers * shape.key_value_size


def model_on(
    described: Described, machine: Machine, kv: float, devices: int | None = None
) -> Model:
    assert machine.bandwidth_bytes_per_s is not None
    return Model(described, machine, machine.bandwidth_bytes_per_s, devices or machine.gpus, kv)


def speed(
    described: Described,
    machine: Machine,
    context: int = 1024,
    *,
    kv_cache_tokens: int | None = None,
    max_num_seqs: int = 64,
    prompt_tokens: int = 512,
    devices: int | None = None,
    kv: float | None = None,
) -> Speed:
    size = kv_bytes(described) if kv is None else kv
    return estimate_speed(
        model_on(described, machine, size, devices),
        kv_cache_tokens=kv_cache_tokens,
        context=context,
        prompt_tokens=prompt_tokens,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=8192,
    )


# ── what holds of every estimate ────────────────────────────────────────────────────────────


@given(models, machines, contexts, st.integers(1, 2048))
def test_an_estimate_is_above_nothing_and_never_above_its_limit(
    model: Described, machine: Machine, context: int, sequences: int
) -> None:
    found = speed(model, machine, context, max_num_seqs=sequences)
    assert 0 < found.fraction_of_limit <= 1
    assert found.ttft_s > found.prompt_tokens / found.prefill_tokens_per_s > 0
    for each in found.batched:
        assert 0 < each.tokens_per_s <= each.limit_tokens_per_s


@given(models, machines, contexts, st.floats(1.0, 20.0))
def test_more_bandwidth_is_never_slower(
    model: Described, machine: Machine, context: int, factor: float
) -> None:
    bandwidth = machine.bandwidth_bytes_per_s or 0.0
    faster = replace(machine, bandwidth_bytes_per_s=bandwidth * factor)
    before, after = speed(model, machine, context), speed(model, faster, context)
    assert after.single_tokens_per_s >= before.single_tokens_per_s
    assert after.roofline_tokens_per_s >= before.roofline_tokens_per_s
    assert after.ttft_s <= before.ttft_s


@given(models, machines, contexts, st.integers(0, 100_000))
def test_a_longer_context_is_never_faster(
    model: Described, machine: Machine, context: int, more: int
) -> None:
    before, after = speed(model, machine, context), speed(model, machine, context + more)
    assert after.single_tokens_per_s <= before.single_tokens_per_s
    for short, long in zip(before.batched, after.batched, strict=True):
        assert long.tokens_per_s <= short.tokens_per_s
        assert long.limit_tokens_per_s <= short.limit_tokens_per_s


@given(models, machines, contexts)
def test_a_larger_batch_never_lowers_the_sum_or_its_limit(
    model: Described, machine: Machine, context: int
) -> None:
    batched = speed(model, machine, context, max_num_seqs=512).batched
    for smaller, larger in pairwise(batched):
        assert larger.limit_tokens_per_s >= smaller.limit_tokens_per_s * (1 - 1e-12)
        assert larger.tokens_per_s >= smaller.tokens_per_s * (1 - 1e-12)


@given(models, machines, st.integers(1, 100_000), st.integers(1, 100_000))
def test_a_longer_prompt_waits_longer(
    model: Described, machine: Machine, prompt: int, more: int
) -> None:
    short = speed(model, machine, prompt_tokens=prompt)
    long = speed(model, machine, prompt_tokens=prompt + more)
    assert long.ttft_s >= short.ttft_s


@given(models, contexts)
def test_a_smaller_kv_cache_entry_is_never_slower(model: Described, context: int) -> None:
    wide = speed(model, SPARK, context)
    narrow = speed(model, SPARK, context, kv=kv_bytes(model) / 2)
    assert narrow.single_tokens_per_s >= wide.single_tokens_per_s


# ── as it is served ─────────────────────────────────────────────────────────────────────────


def served(described: Described, machine: Machine, **flags: FlagValue) -> Model | None:
    settings = resolve(flags, described, machine, rules_for("0.25.0"))
    return served_model(described, machine, flags, settings)


def test_weights_that_become_fp8_while_they_load_are_read_as_fp8() -> None:
    model = served(MODELS["qwen3-32b"], SPARK, quantization="fp8")
    own = served(MODELS["qwen3-32b-fp8"], SPARK)
    assert model is not None
    assert own is not None
    assert decode_s(model, 1024, 1) == pytest.approx(decode_s(own, 1024, 1), rel=0.01)


@pytest.mark.parametrize(
    ("flags", "devices", "times"),
    [
        ({}, 1, 1),
        ({"kv_cache_dtype": "fp8"}, 1, 0.5),
        ({"tensor_parallel_size": 4}, 4, 1),
        ({"tensor_parallel_size": 8}, 8, 2),
        ({"tensor_parallel_size": 2, "pipeline_parallel_size": 4}, 2, 1),
        ({"pipeline_parallel_size": 8}, 1, 1),
    ],
)
def test_the_kv_cache_counts_on_all_devices_and_heads_that_several_hold_as_often(
    flags: dict[str, FlagValue], devices: int, times: float
) -> None:
    """A model with four KV heads: on eight devices each head is held, and read, twice."""
    described = MODELS["qwen3-30b-a3b-fp8"]
    model = served(described, replace(MACHINES["h200-141gb"], gpus=8), **flags)
    assert model is not None
    assert model.devices == devices
    assert model.kv_bytes_per_token == times * kv_bytes(described)


# ── concurrency ─────────────────────────────────────────────────────────────────────────────


@given(st.integers(0, 5000))
def test_concurrencies_rise_in_powers_of_two_to_the_most(most: int) -> None:
    found = concurrencies(most)
    assert list(found) == sorted(set(found))
    assert found == () if most == 0 else (found[0], found[-1]) == (1, most)
    assert all(count.bit_count() == 1 for count in found[:-1])


def test_the_kv_cache_limits_how_many_run_at_once() -> None:
    assert fitting(64, 10_000, 1000) == 10
    assert fitting(64, 10_000, 10_001) == 0
    assert fitting(64, None, 10_001) == 64
    found = speed(MODELS["qwen3-32b-fp8"], SPARK, 1000, kv_cache_tokens=10_500)
    assert [each.concurrency for each in found.batched] == [1, 2, 4, 8, 10]


def test_a_context_that_does_not_fit_has_no_batch() -> None:
    assert speed(MODELS["qwen3-32b-fp8"], SPARK, 1000, kv_cache_tokens=999).batched == ()


def test_prefill_takes_its_share_of_a_closed_loop() -> None:
    model = model_on(MODELS["qwen3-32b-fp8"], SPARK, 262_144)
    rates = [
        closed_loop_tokens_per_s(
            model, concurrency=8, prompt_tokens=prompt, output_tokens=100, chunk_tokens=8192
        )
        for prompt in (10, 1000, 10_000)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[2] < rates[0] / 3


# ── what binds, and what is not known ───────────────────────────────────────────────────────


def test_without_a_bandwidth_there_is_no_estimate() -> None:
    assert served(MODELS["demo-qwen3"], find_machine("cpu")) is None


def test_one_stream_is_bound_by_bandwidth_and_many_short_ones_by_compute() -> None:
    batched = speed(MODELS["qwen3-32b"], MACHINES["h100-80gb"], 1, max_num_seqs=1024).batched
    assert batched[0].bound == "bandwidth"
    assert batched[-1].bound == "compute"


def test_unknown_arithmetic_leaves_the_bandwidth_alone() -> None:
    blind = replace(SPARK, dense_flops={})
    found = speed(MODELS["qwen3-32b"], blind, 1, max_num_seqs=1024)
    assert {each.bound for each in found.batched} == {"bandwidth"}


def test_fp8_weights_need_the_machines_fp8() -> None:
    slow = replace(SPARK, dense_flops={"bf16": SPARK.dense_flops["bf16"]})
    model = MODELS["qwen3-32b-fp8"]
    assert speed(model, slow).ttft_s > speed(model, SPARK).ttft_s


# ── the class and its source ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("model", "machine", "kind", "measured"),
    [
        ("qwen3-32b-fp8", "dgx-spark", "8-bit weights on GB10", True),
        ("qwen3-32b", "h100-80gb", "16-bit weights on Hopper", True),
        ("qwen3-32b-awq", "h200-141gb", "4-bit weights on Hopper", True),
        ("qwen3-32b-fp8", "dgx-spark-x2", "8-bit weights on GB10, 2 devices", False),
    ],
)
def test_the_class_says_where_its_figures_come_from(
    model: str, machine: str, kind: str, measured: bool
) -> None:
    found = speed(MODELS[model], MACHINES[machine]).efficiency
    assert (found.kind, found.measured) == (kind, measured)
    assert ("not measured on this machine" in found.source) is not measured


def test_an_unknown_gpu_is_marked() -> None:
    unknown = replace(MACHINES["h100-80gb"], compute_capability=(8, 0))
    found = speed(MODELS["qwen3-32b-fp8"], unknown).efficiency
    assert not found.measured
    assert found.source.startswith("not measured on this machine")


def test_a_cpu_with_a_known_bandwidth_is_estimated_and_marked() -> None:
    host = replace(find_machine("cpu"), bandwidth_bytes_per_s=20e9)
    found = speed(MODELS["demo-qwen3"], host)
    assert not found.efficiency.measured
    assert 100 < found.single_tokens_per_s < 200  # the fixed step of 5.2 ms


# ── several devices ─────────────────────────────────────────────────────────────────────────


def test_devices_share_the_bytes_and_pay_for_the_exchange() -> None:
    model, pair = MODELS["qwen3-32b-fp8"], MACHINES["dgx-spark-x2"]
    one, two = speed(model, pair, devices=1), speed(model, pair)
    assert two.roofline_tokens_per_s == pytest.approx(2 * one.roofline_tokens_per_s)
    assert one.single_tokens_per_s < two.single_tokens_per_s < 2 * one.single_tokens_per_s
    assert one.single_tokens_per_s == speed(model, SPARK).single_tokens_per_s


def test_the_exchange_is_two_all_reduces_a_layer() -> None:
    described, pair = MODELS["qwen3-32b-fp8"], MACHINES["dgx-spark-x2"]
    model = model_on(described, pair, 262_144)
    reduces = 2 * 64
    sent = 1000 * 5120 * 2  # a ring of two sends each byte once
    assert model.exchange_s(1000) == pytest.approx(reduces * (50e-6 + sent / 25e9))
    unknown = replace(model, machine=replace(pair, interconnect_bytes_per_s=None))
    assert unknown.exchange_s(1000) == pytest.approx(reduces * 50e-6)
