"""A plan that fits never exceeds the machine, whatever was asked for."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.unit.planner.measured import MACHINES, MODELS

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.engines.vllm import rules_for
from sparkwell.planner.plan import make_plan
from sparkwell.planner.question import Question

FLAGS = st.fixed_dictionaries(
    {},
    optional={
        "gpu_memory_utilization": st.integers(5, 100).map(lambda percent: percent / 100),
        "max_model_len": st.one_of(st.integers(16, 40_960), st.just("auto")),
        "max_num_batched_tokens": st.sampled_from([256, 8192, 65_536]),
        "max_num_seqs": st.sampled_from([1, 64, 1024]),
        "kv_cache_dtype": st.sampled_from(["auto", "fp8"]),
        "kv_cache_memory_bytes": st.sampled_from([GIB, 20 * GIB, 90 * GIB]),
        "tensor_parallel_size": st.sampled_from([1, 2, 3, 8]),
        "enforce_eager": st.booleans(),
    },
)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(sorted(MACHINES)),
    st.sampled_from(("0.10.1.1", "0.25.0", "0.33.0")),
    st.sampled_from((1, 2, 8)),
    st.sampled_from((0, 20, 60)),
    FLAGS,
)
def test_a_plan_that_fits_never_exceeds_the_machine(
    model: str, name: str, version: str, gpus: int, beside: int, flags: dict[str, FlagValue]
) -> None:
    machine = replace(MACHINES[name], gpus=gpus)
    question = Question(
        MODELS[model], machine, rules_for(version), flags, beside_bytes=beside * GIB
    )
    try:
        plan = make_plan(question)
    except UsageError:
        assume(False)
    if not plan.fits:
        return
    memory = plan.memory
    kept = (machine.system_bytes or 0) + machine.floor_bytes if machine.unified else 0
    assert memory.held + question.beside_bytes + kept <= memory.total
    assert memory.of_gpus <= machine.gpus
    assert memory.max_concurrency >= 1
    assert memory.startup_free is None or memory.budget <= memory.startup_free


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"tensor_parallel_size": 2}, "has 1 device"),
        ({"pipeline_parallel_size": 2}, "has 1 device"),
        ({"kv_cache_memory_bytes": 10**15}, "kv_cache_memory_bytes is"),
        ({"kv_cache_dtype": "nvfp4"}, "is not known"),
    ],
)
def test_what_cannot_be_is_refused(flags: dict[str, FlagValue], said: str) -> None:
    question = Question(MODELS["qwen3-32b-fp8"], MACHINES["dgx-spark"], rules_for("0.25.0"), flags)
    with pytest.raises(UsageError, match=said):
        make_plan(question)


def test_heads_that_do_not_divide_are_refused() -> None:
    machine = replace(MACHINES["h100-80gb"], gpus=3)
    flags: dict[str, FlagValue] = {"tensor_parallel_size": 3}
    with pytest.raises(UsageError, match="64 attention heads, which 3 devices"):
        make_plan(Question(MODELS["qwen3-32b-fp8"], machine, rules_for("0.25.0"), flags))


def test_a_context_that_is_to_be_fitted_is_as_long_as_the_cache() -> None:
    flags: dict[str, FlagValue] = {
        "max_model_len": "auto",
        "gpu_memory_utilization": 0.9,
        "max_num_batched_tokens": 2048,
        "max_num_seqs": 8,
    }
    machine = MACHINES["h100-80gb"]
    plan = make_plan(Question(MODELS["qwen3-32b"], machine, rules_for("0.25.0"), flags))
    assert plan.fits
    assert 16 <= plan.memory.context < 40_960
    assert plan.memory.max_concurrency == pytest.approx(1, abs=0.01)
