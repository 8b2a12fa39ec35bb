"""Advice: what would make a plan fit does, and what is warned of is there."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import shipped_machines
from sparkwell.planner.advice import problems
from sparkwell.planner.cautions import warnings
from sparkwell.planner.fit import Case, fits, largest_safe_utilization
from sparkwell.planner.memory import Calibration, Memory
from sparkwell.planner.online import as_served, in_format, loading_peak_bytes
from sparkwell.planner.question import Question
from sparkwell.planner.settings import Settings
from sparkwell.planner.trouble import Advice

CATALOG = load_catalog()
MODELS = {recipe.name: describe_recipe(recipe) for recipe in CATALOG}
MACHINES = {machine.name: machine for machine in shipped_machines()}
GPUS = [name for name, machine in MACHINES.items() if machine.device == "cuda"]
SIBLINGS = {"fp8": "Qwen/Qwen3-32B-FP8", "awq": "Qwen/Qwen3-32B-AWQ"}
SMALL: Mapping[str, FlagValue] = {"max_num_batched_tokens": 8192, "max_num_seqs": 32}
GUIDE = CATALOG.get("qwen3-32b-fp8").guide
assert GUIDE is not None


def small(**flags: FlagValue) -> dict[str, FlagValue]:
    return {**SMALL, **flags}


def asked(
    flags: Mapping[str, FlagValue],
    model: str = "qwen3-32b-fp8",
    machine: str = "dgx-spark",
    version: str = "0.10.1.1",
    beside_gib: int = 0,
) -> Question:
    return Question(
        MODELS[model],
        MACHINES[machine],
        rules_for(version),
        flags,
        siblings=SIBLINGS if model == "qwen3-32b" else {},
        others=tuple(MACHINES.values()),
        beside_bytes=beside_gib * GIB,
    )


def case_of(question: Question) -> Case:
    return Case(question.described, question.machine, question.rules, question.beside_bytes)


def planned(question: Question) -> tuple[Settings, Memory]:
    return case_of(question).plan(question.flags)


def ways(question: Question) -> dict[str, Advice]:
    return {advice.id: advice for advice in problems(question, *planned(question))}


def warned(question: Question) -> dict[str, Advice]:
    return {advice.id: advice for advice in warnings(question, *planned(question))}


def mended(question: Question, advice: Advice) -> bool:
    """Whether the plan fits with what the advice says, planned anew."""
    case = case_of(question)
    if advice.id == "alone":
        case = replace(case, beside_bytes=0)
    if advice.id == "other-machine":
        name = next(name for name in MACHINES if f"On {name} (" in advice.remedy)
        case = replace(case, machine=MACHINES[name], beside_bytes=0)
    if advice.id == "quantized-repository":
        name = next(name for name, repo in SIBLINGS.items() if f"Take {repo}" in advice.remedy)
        case = replace(case, described=in_format(case.described, name) or case.described)
    return case.fits({**question.flags, **advice.flags})


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(GPUS),
    st.sampled_from(("0.10.1.1", "0.25.0", "0.33.0")),
    st.sampled_from((0, 0, 20, 60)),
    st.fixed_dictionaries(
        {},
        optional={
            "gpu_memory_utilization": st.integers(5, 100).map(lambda percent: percent / 100),
            "max_model_len": st.integers(16, 1_024_000),
            "max_num_batched_tokens": st.sampled_from([256, 8192, 65_536]),
            "max_num_seqs": st.sampled_from([1, 64, 4096]),
            "kv_cache_dtype": st.sampled_from(["auto", "fp8", "bfloat16"]),
            "kv_cache_memory_bytes": st.sampled_from([GIB, 20 * GIB, 90 * GIB]),
        },
    ),
)
def test_every_remedy_mends(
    model: str, machine: str, version: str, beside: int, flags: dict[str, FlagValue]
) -> None:
    assume(int(flags.get("kv_cache_memory_bytes", 0)) <= MACHINES[machine].total_bytes)
    question = asked(flags, model, machine, version, beside)
    found = problems(question, *planned(question))
    assert bool(found) != case_of(question).fits(flags)
    assert len({advice.message for advice in found}) <= 1
    for advice in found:
        assert advice.id == "does-not-fit" or mended(question, advice), advice


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(MODELS)),
    st.sampled_from(GPUS),
    st.sampled_from(("0.10.1.1", "0.25.0")),
    st.integers(0, 60),
)
def test_the_largest_safe_share_is_safe_and_one_percent_more_is_not(
    model: str, machine: str, version: str, beside: int
) -> None:
    case = case_of(asked({}, model, machine, version, beside))
    flags: dict[str, FlagValue] = {**SMALL, "max_model_len": 2048}
    share = largest_safe_utilization(case, flags, ceiling=1.0)
    safe = [
        percent / 100
        for percent in range(1, 101)
        if fits(case.plan({**flags, "gpu_memory_utilization": percent / 100})[1])
    ]
    assert share == max(safe, default=None)


def test_the_guides_share_is_refused_with_the_largest_safe_one() -> None:
    assert GUIDE is not None
    question = asked(GUIDE.flags)
    assert largest_safe_utilization(case_of(question), GUIDE.flags) == 0.85
    found = ways(question)["utilization"]
    assert found.flags == {"gpu_memory_utilization": 0.85}
    assert "guard's floor of 8.0 GiB" in found.message


def test_a_share_that_is_too_small_is_raised_and_nothing_else_advised() -> None:
    found = ways(asked({"gpu_memory_utilization": 0.3}))
    assert list(found) == ["utilization"]
    assert "take more than" in found["utilization"].message


def test_a_context_that_does_not_fit() -> None:
    flags = small(gpu_memory_utilization=0.85, max_model_len=131_072)
    old = ways(asked(flags, "llama33-70b-fp8"))
    assert "40.0 GiB of KV cache" in old["context"].message
    assert 90_000 < int(old["context"].flags["max_model_len"]) < 100_000
    assert "fp8-kv-cache" not in old
    assert "h200-141gb" in old["other-machine"].remedy
    new = ways(asked({**flags, "kv_cache_dtype": "bfloat16"}, "llama33-70b-fp8", version="0.25.0"))
    assert new["fp8-kv-cache"].flags["kv_cache_dtype"] == "fp8"


def test_a_context_is_never_advised_beyond_the_window() -> None:
    found = ways(asked(small(gpu_memory_utilization=0.85), "mistral-nemo-12b-fp8"))
    assert found["context"].flags["max_model_len"] == 131_072


def test_weights_that_are_too_large_point_to_the_quantized_repository() -> None:
    card = replace(MACHINES["h100-80gb"], name="card", total_bytes=48 * GIB)
    question = replace(asked(small(max_model_len=8192), "qwen3-32b"), machine=card)
    found = {advice.id: advice for advice in problems(question, *planned(question))}
    assert "Qwen/Qwen3-32B-FP8" in found["quantized-repository"].remedy
    assert "dgx-spark" in found["other-machine"].remedy or "h100" in found["other-machine"].remedy


def test_what_fits_nowhere_is_said() -> None:
    question = replace(asked({}, "llama33-70b-fp8"), machine=MACHINES["h100-80gb"], others=())
    tiny = replace(question, machine=replace(question.machine, total_bytes=16 * GIB))
    (only,) = problems(tiny, *planned(tiny))
    assert (only.id, only.flags) == ("does-not-fit", {})


def test_several_changes_together_where_one_is_not_enough() -> None:
    flags = {"max_num_batched_tokens": 65_536, "max_num_seqs": 1024, "max_model_len": 16_384}
    question = replace(asked(flags, "llama33-70b-fp8", "h100-80gb", "0.33.0"), others=())
    (found,) = problems(question, *planned(question))
    assert found.id == "together"
    assert found.flags.keys() >= {"max_num_batched_tokens", "max_num_seqs"}
    assert mended(question, found)


def test_a_cache_in_bytes_still_needs_a_share_that_is_free() -> None:
    flags = small(kv_cache_memory_bytes=20 * GIB, gpu_memory_utilization=0.9)
    question = asked(flags, version="0.25.0", beside_gib=20)
    found = ways(question)
    assert "refuses to start" in found["utilization"].message
    assert float(found["utilization"].flags["gpu_memory_utilization"]) < 0.6
    assert mended(question, found["utilization"])


def test_a_plan_that_fits_has_no_problems() -> None:
    assert ways(asked(small(gpu_memory_utilization=0.85))) == {}


def test_a_calibration_counts_for_remedies_that_do_not_change_what_was_measured() -> None:
    flags = small(gpu_memory_utilization=0.9)
    plain = asked(flags)
    memory = planned(plain)[1]
    measured = Calibration(memory.overhead + 4 * GIB, memory.weights)
    question = replace(plain, calibration=measured)
    case = Case(question.described, question.machine, question.rules, 0, measured, flags)
    assert case.plan(flags)[1].measured
    assert case.plan({**flags, "max_model_len": 1024})[1].measured
    assert not case.plan({**flags, "max_num_batched_tokens": 2048})[1].measured
    assert problems(question, *case.plan(flags))


@pytest.mark.parametrize(
    ("warning", "question"),
    [
        ("utilization-high", asked(small(gpu_memory_utilization=0.9))),
        ("fp8-kv-cache-old-engine", asked(small(kv_cache_dtype="fp8"))),
        ("sleep-mode", asked(small(enable_sleep_mode=True))),
        ("batched-tokens-large", asked({"max_num_batched_tokens": 16_384})),
        ("sequences-exceed-cache", asked({"max_num_seqs": 512, "gpu_memory_utilization": 0.6})),
        ("trust-remote-code", asked(small(trust_remote_code=True))),
        ("kv-cache-declared", asked(SMALL, "llama33-70b-fp8")),
        ("context-beyond-window", asked(SMALL, "mistral-nemo-12b-fp8")),
        ("quantized-while-loading", asked(small(quantization="fp8"), "qwen3-32b")),
        ("rope-scaling", asked(small(rope_scaling='{"rope_type":"yarn","factor":4.0}'))),
        ("chunked-prefill-off", asked(small(enable_chunked_prefill=False))),
        (
            "kv-bytes-without-share",
            asked(small(kv_cache_memory_bytes=20 * GIB), version="0.25.0"),
        ),
    ],
)
def test_a_warning_is_there_and_gone_once_heeded(warning: str, question: Question) -> None:
    advice = warned(question)[warning]
    assert advice.message.endswith(".")
    assert advice.remedy.endswith(".")
    if advice.flags:
        heeded = replace(question, flags={**question.flags, **advice.flags})
        assert warning not in warned(heeded)


def test_nothing_is_warned_of_without_a_reason() -> None:
    plain = small(gpu_memory_utilization=0.85, max_model_len=32_768)
    asleep = {**plain, "enable_sleep_mode": True}
    assert warned(asked(plain, version="0.25.0")) == {}
    assert warned(asked(plain)).keys() == {"page-cache-counts-as-used"}
    uncounted = asked({**plain, "cpu_offload_gb": 10}, version="0.25.0")
    assert "cpu_offload_gb" in warned(uncounted)["flags-not-counted"].message
    assert warned(asked(asleep, machine="h100-80gb", version="0.25.0")) == {}
    assert warned(asked({"kv_cache_dtype": "auto"}, "llama33-70b-fp8", "cpu")) == {}


def test_weights_quantized_while_loading_are_planned_as_they_end_and_their_peak_checked() -> None:
    flags = small(quantization="fp8", gpu_memory_utilization=0.85, max_model_len=16_384)
    question = asked(flags, "qwen3-32b")
    assert planned(question)[1].weights < 33 * GIB
    assert loading_peak_bytes(question.described, flags) == question.described.parts.total
    assert as_served(question.described, flags).weights_bytes == question.described.weights_bytes
    assert as_served(MODELS["qwen3-32b-fp8"], flags) is MODELS["qwen3-32b-fp8"]
    fifty = replace(question, machine=replace(MACHINES["h100-80gb"], total_bytes=50 * GIB))
    found = problems(fifty, *planned(fifty))
    assert "While loading" in found[0].message
    assert "Qwen/Qwen3-32B-FP8" in warned(question)["quantized-while-loading"].remedy
