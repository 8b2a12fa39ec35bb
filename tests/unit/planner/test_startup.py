"""Starts before there is a history: bytes, and seconds of each phase."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.core.phases import Phase
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine
from sparkwell.planner.startup import (
    OTHER_FILES_BYTES,
    THIS_MACHINE,
    PhaseEstimate,
    Startup,
    estimate_startup,
)

CATALOG = load_catalog()
SPARK, H100, HOST = (find_machine(name) for name in ("dgx-spark", "h100-80gb", "cpu"))


def described(name: str) -> Described:
    return describe_recipe(CATALOG.get(name))


def phase(startup: Startup, name: Phase) -> PhaseEstimate:
    return next(each for each in startup.phases if each.name is name)


def seconds(startup: Startup, name: Phase) -> tuple[float, float]:
    found = phase(startup, name)
    assert found.cold_s is not None
    assert found.warm_s is not None
    return found.cold_s, found.warm_s


# ── against measured starts ─────────────────────────────────────────────────────────────────


def test_the_h100s_cold_and_warm_start() -> None:
    found = estimate_startup(described("qwen3-8b-fp8"), H100)
    assert found.cold_s == pytest.approx(380, rel=0.05)
    assert found.warm_s == pytest.approx(73, rel=0.05)


@pytest.mark.parametrize(
    ("model", "name", "measured_s"),
    [
        ("qwen3-32b-fp8", Phase.WEIGHTS, 204),
        ("qwen3-32b", Phase.WEIGHTS, 348),
        ("qwen3-32b-fp8", Phase.COMPILE, 17),
        ("qwen3-32b", Phase.COMPILE, 19),
        ("qwen3-8b-fp8", Phase.COMPILE, 15),
    ],
)
def test_the_guides_phases_on_a_spark(model: str, name: Phase, measured_s: float) -> None:
    cold_s, _ = seconds(estimate_startup(described(model), SPARK), name)
    assert cold_s == pytest.approx(measured_s, rel=0.1)


def test_kv_cache_and_graphs_on_a_spark_take_about_six_seconds() -> None:
    found = estimate_startup(described("qwen3-32b-fp8"), SPARK)
    both = seconds(found, Phase.PROFILE)[0] + seconds(found, Phase.GRAPHS)[0]
    assert both == pytest.approx(6, rel=0.2)


def test_kernels_that_must_be_compiled_are_named() -> None:
    wide, fp8 = (estimate_startup(described(name), SPARK) for name in ("qwen3-32b", "qwen3-8b-fp8"))
    assert seconds(wide, Phase.PROFILE) == (44, 2)
    assert seconds(fp8, Phase.PROFILE) == (2, 2)
    assert "42 s for kernels" in phase(wide, Phase.PROFILE).source
    tensor, block, experts = (
        estimate_startup(described(name), H100)
        for name in ("llama31-8b-fp8", "qwen3-8b-fp8", "qwen3-30b-a3b-fp8")
    )
    assert tensor.cold_s < 0.4 * block.cold_s
    assert seconds(experts, Phase.PROFILE)[0] > seconds(block, Phase.PROFILE)[0]


# ── bytes ───────────────────────────────────────────────────────────────────────────────────


def test_what_is_there_is_not_fetched_again() -> None:
    model = described("qwen3-32b-fp8")
    whole = model.weights_bytes + OTHER_FILES_BYTES
    assert estimate_startup(model, SPARK).download_bytes == whole
    half = estimate_startup(model, SPARK, present_bytes=whole // 2)
    assert half.download_bytes == whole - whole // 2
    assert half.disk_bytes == whole
    there = estimate_startup(model, SPARK, present_bytes=whole + 1)
    assert there.download_bytes == 0
    assert Phase.DOWNLOAD not in [each.name for each in there.phases]


def test_a_model_without_a_repository_is_not_fetched() -> None:
    found = estimate_startup(described("demo-qwen3"), HOST)
    assert found.download_bytes == 0
    assert found.disk_bytes == described("demo-qwen3").weights_bytes


def test_the_download_takes_unknown_time_without_a_rate() -> None:
    model = described("qwen3-32b-fp8")
    unknown = estimate_startup(model, SPARK)
    assert phase(unknown, Phase.DOWNLOAD).cold_s is None
    given_rate = estimate_startup(model, SPARK, download_bytes_per_s=100e6)
    pull_s = (model.weights_bytes + OTHER_FILES_BYTES) / 100e6
    assert seconds(given_rate, Phase.DOWNLOAD) == (pull_s, 0.0)
    assert given_rate.cold_s == pytest.approx(unknown.cold_s + pull_s)
    assert given_rate.warm_s == unknown.warm_s


# ── phases ──────────────────────────────────────────────────────────────────────────────────


@given(
    st.sampled_from(["qwen3-32b", "qwen3-8b-fp8", "qwen3-30b-a3b-fp8", "demo-llama"]),
    st.sampled_from([SPARK, H100, HOST]),
    st.integers(0, 200),
    st.booleans(),
)
def test_every_start_adds_up_in_order_and_is_never_faster_cold(
    name: str, machine: Machine, graphs: int, eager: bool
) -> None:
    found = estimate_startup(described(name), machine, graphs=graphs, eager=eager)
    names = [each.name for each in found.phases]
    assert names == [each for each in Phase if each in names]
    assert found.cold_s == pytest.approx(sum(each.cold_s or 0 for each in found.phases))
    assert found.cold_s >= found.warm_s > 0
    assert all(each.source for each in found.phases)
    for each in found.phases:
        assert each.name is Phase.DOWNLOAD or (each.cold_s or 0) >= (each.warm_s or 0) >= 0


def test_eager_neither_compiles_nor_captures() -> None:
    found = estimate_startup(described("qwen3-32b"), SPARK, eager=True)
    assert not {Phase.COMPILE, Phase.GRAPHS} & {each.name for each in found.phases}


def test_more_graphs_take_longer() -> None:
    model = described("qwen3-32b")
    few, many = (estimate_startup(model, SPARK, graphs=count) for count in (10, 100))
    assert many.warm_s > few.warm_s


# ── this machine's own history ──────────────────────────────────────────────────────────────


def test_the_machines_own_history_wins() -> None:
    model = described("qwen3-32b-fp8")
    seen = {Phase.WEIGHTS: 40.0, Phase.COMPILE: 3.0, Phase.DOWNLOAD: 500.0}
    plain, found = estimate_startup(model, SPARK), estimate_startup(model, SPARK, history=seen)
    assert phase(found, Phase.WEIGHTS) == PhaseEstimate(Phase.WEIGHTS, 40.0, 40.0, THIS_MACHINE)
    cold_s, warm_s = seconds(plain, Phase.COMPILE)
    assert seconds(found, Phase.COMPILE) == pytest.approx((3.0 + cold_s - warm_s, 3.0))
    assert phase(found, Phase.LAUNCH) == phase(plain, Phase.LAUNCH)
    assert phase(found, Phase.DOWNLOAD) == phase(plain, Phase.DOWNLOAD)


def test_a_phase_that_only_the_history_knows_is_there() -> None:
    found = estimate_startup(
        described("demo-qwen3"), HOST, eager=True, history={Phase.COMPILE: 7.0, Phase.READY: 1.0}
    )
    assert seconds(found, Phase.COMPILE) == (7.0, 7.0)
    assert Phase.READY not in [each.name for each in found.phases]


# ── the figures alone, for who watches a start ──────────────────────────────────────────────


def test_figures_by_kind_of_machine() -> None:
    found = estimate_startup(described("qwen3-32b-fp8"), find_machine("dgx-spark"))
    names = [each.name for each in found.phases]
    assert names == [each for each in Phase if each in names]
    cold, warm = seconds(found, Phase.WEIGHTS)
    assert cold == warm == pytest.approx(190, rel=0.01)
    cold, warm = seconds(found, Phase.COMPILE)
    assert cold is not None
    assert warm is not None
    assert cold > warm
    on_cpu = estimate_startup(described("demo-qwen3"), find_machine("cpu"), eager=True)
    assert Phase.COMPILE not in [each.name for each in on_cpu.phases]


def test_an_unknown_gpu_takes_the_h100s_figures() -> None:
    model = described("llama31-8b-fp8")
    other = replace(H100, compute_capability=(8, 0))
    assert estimate_startup(model, other).warm_s == estimate_startup(model, H100).warm_s
