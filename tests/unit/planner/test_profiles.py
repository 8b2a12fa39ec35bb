"""Profiles: what they choose fits, and is what they are for."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue, Recipe
from sparkwell.catalog.tuned import goal_of
from sparkwell.core.errors import UsageError
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import shipped_machines
from sparkwell.hardware.machine import Machine
from sparkwell.planner import fit, pick
from sparkwell.planner.fit import Case, fits
from sparkwell.planner.ladders import COMMON_CONTEXT, FEWEST, SHORT_TOKENS, TYPICAL_TOKENS
from sparkwell.planner.memory import Memory
from sparkwell.planner.memory import plan_memory as real_plan_memory
from sparkwell.planner.profile_names import PROFILES
from sparkwell.planner.profiles import COMPUTED, Choice, choose
from sparkwell.planner.settings import Settings

CATALOG = load_catalog()
MACHINES = {machine.name: machine for machine in shipped_machines()}
GPUS = [machine for machine in MACHINES.values() if machine.device == "cuda"]
SPARK, H100 = MACHINES["dgx-spark"], MACHINES["h100-80gb"]
VERSIONS = ("0.10.1.1", "0.25.0", "0.33.0")
OPEN = [profile for profile in PROFILES if profile != "guide" and goal_of(profile) is None]
SIBLINGS = {"bf16": "Qwen/Qwen3-32B", "fp8": "Qwen/Qwen3-32B-FP8", "awq": "Qwen/Qwen3-32B-AWQ"}

recipes = st.sampled_from(list(CATALOG))
machines = st.sampled_from(GPUS)
versions = st.sampled_from(VERSIONS)
profiles = st.sampled_from(OPEN)
quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def picked(
    profile: str,
    recipe: Recipe | str,
    machine: Machine = SPARK,
    version: str = "0.10.1.1",
    beside_bytes: int = 0,
    **overrides: FlagValue,
) -> Choice:
    known = CATALOG.get(recipe) if isinstance(recipe, str) else recipe
    return choose(
        profile,
        Case(describe_recipe(known), machine, rules_for(version), beside_bytes),
        guide_flags=known.guide.flags if known.guide else None,
        overrides=overrides,
        base=known.serve.flags,
        siblings=SIBLINGS if known.name.startswith("qwen3-32b") else {},
        with_guide=[each.name for each in CATALOG if each.guide],
    )


def planned(
    recipe: Recipe | str, choice: Choice, machine: Machine = SPARK, version: str = "0.10.1.1"
) -> tuple[Settings, Memory]:
    known = CATALOG.get(recipe) if isinstance(recipe, str) else recipe
    return Case(describe_recipe(known), machine, rules_for(version)).plan(choice.flags)


@pytest.mark.parametrize("recipe", list(CATALOG), ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_profile_of_every_model_fits_on_a_dgx_spark(recipe: Recipe, version: str) -> None:
    for profile in OPEN:
        choice = picked(profile, recipe, SPARK, version)
        memory = planned(recipe, choice, SPARK, version)[1]
        assert fits(memory), profile
        assert memory.held + (SPARK.system_bytes or 0) + SPARK.floor_bytes <= memory.total
        assert float(choice.flags["gpu_memory_utilization"]) <= (SPARK.max_utilization or 0)
        assert choice.reasons.keys() == choice.flags.keys()
        assert all(reason.endswith(".") for reason in choice.reasons.values())


@quick
@given(recipes, machines, versions, profiles, st.integers(0, 12))
def test_a_choice_beside_others_fits_or_nothing_would(
    recipe: Recipe, machine: Machine, version: str, profile: str, beside: int
) -> None:
    choice = picked(profile, recipe, machine, version, beside * GIB)
    case = Case(describe_recipe(recipe), machine, rules_for(version), beside * GIB)
    memory = case.plan(choice.flags)[1]
    smallest: dict[str, FlagValue] = {
        "max_num_batched_tokens": 2048,
        "max_num_seqs": 4,
        "max_model_len": 1024,
        "kv_cache_dtype": choice.flags["kv_cache_dtype"],
    }
    possible = fit.largest_safe_utilization(case, {**choice.flags, **smallest})
    assert fits(memory) or possible is None
    if fits(memory):
        assert memory.held + beside * GIB <= memory.total
        sequences = int(choice.flags["max_num_seqs"])
        length = min(SHORT_TOKENS, int(choice.flags["max_model_len"]))
        assert sequences == FEWEST or memory.kv_tokens >= sequences * length


overrides = st.fixed_dictionaries(
    {},
    optional={
        "gpu_memory_utilization": st.integers(30, 95).map(lambda percent: percent / 100),
        "max_model_len": st.sampled_from([1024, 8192, 20_000, 32_768]),
        "max_num_batched_tokens": st.sampled_from([512, 4096, 20_480]),
        "max_num_seqs": st.sampled_from([1, 7, 300]),
        "kv_cache_dtype": st.sampled_from(["auto", "fp8"]),
        "enable_prefix_caching": st.just(False),
        "seed": st.just(3),
    },
)


@quick
@given(recipes, machines, versions, st.sampled_from([*OPEN, "guide"]), overrides)
def test_what_the_user_sets_stays(
    recipe: Recipe,
    machine: Machine,
    version: str,
    profile: str,
    given_flags: dict[str, FlagValue],
) -> None:
    if profile == "guide" and recipe.guide is None:
        profile = "balanced"
    if recipe.name.startswith("demo"):
        given_flags.pop("max_model_len", None)
    choice = picked(profile, recipe, machine, version, 0, **given_flags)
    assert given_flags.items() <= choice.flags.items()
    assert all(choice.reasons[name] == "You set it." for name in given_flags)


def _context(settings: Settings, memory: Memory) -> tuple[float, ...]:
    return (fits(memory), settings.cache_type == "bf16", settings.max_model_len)


def _sequences(settings: Settings, memory: Memory) -> tuple[float, ...]:
    return (fits(memory), min(TYPICAL_TOKENS, settings.max_model_len), settings.max_num_seqs)


def _any_context(settings: Settings, memory: Memory) -> tuple[float, ...]:
    return (fits(memory), settings.max_model_len)


@quick
@given(
    recipes,
    machines,
    versions,
    st.sampled_from(["balanced", "quality", "concurrency", "long-context"]),
    st.floats(0.5, 2.0),
    st.floats(1.0, 1.6),
)
def test_more_memory_never_gives_less(
    recipe: Recipe, machine: Machine, version: str, profile: str, size: float, more: float
) -> None:
    """On one GPU: of two, the second stays free as soon as the model fits on one."""
    goal = {"concurrency": _sequences, "long-context": _any_context}.get(profile, _context)
    total = int(machine.total_bytes * size)
    small = replace(machine, total_bytes=total, gpus=1, nodes=1, seen_totals=())
    large = replace(small, total_bytes=int(small.total_bytes * more))
    found = [
        goal(*planned(recipe, picked(profile, recipe, each, version), each, version))
        for each in (small, large)
    ]
    assert found[1] >= found[0]


def test_balanced_takes_the_own_window_where_several_fit() -> None:
    choice = picked("balanced", "qwen3-32b-fp8")
    assert choice.flags == {
        "gpu_memory_utilization": 0.85,
        "max_model_len": 32_768,
        "max_num_batched_tokens": 8192,
        "max_num_seqs": 48,
        "kv_cache_dtype": "auto",
        "enable_prefix_caching": True,
    }
    assert "own window" in choice.reasons["max_model_len"]
    assert "not advised" in choice.reasons["gpu_memory_utilization"]


def test_balanced_takes_a_round_context_where_the_window_is_too_large() -> None:
    choice = picked("balanced", "qwen3-30b-a3b-fp8")
    settings, memory = planned("qwen3-30b-a3b-fp8", choice)
    assert settings.max_model_len == 131_072
    assert memory.max_concurrency >= 4
    assert memory.kv_tokens < 4 * 262_144
    assert "262,144" in choice.reasons["max_model_len"]


def test_a_common_context_is_kept_where_only_two_of_it_fit() -> None:
    settings, memory = planned("llama33-70b-fp8", picked("balanced", "llama33-70b-fp8"))
    assert settings.max_model_len == COMMON_CONTEXT
    assert 2 <= memory.max_concurrency < 4


def test_a_window_that_config_json_exaggerates_is_not_taken() -> None:
    for profile in ("balanced", "long-context"):
        assert picked(profile, "mistral-nemo-12b-fp8").flags["max_model_len"] == 131_072


def test_fp8_keys_and_values_only_where_the_version_has_them_on_a_gb10() -> None:
    for profile in OPEN:
        assert picked(profile, "llama33-70b-fp8").flags["kv_cache_dtype"] == "auto"
    old = picked("long-context", "llama33-70b-fp8")
    assert any("V0" in each or "old engine" in each for each in old.corrections)
    new = picked("long-context", "llama33-70b-fp8", SPARK, "0.25.0")
    assert new.flags["kv_cache_dtype"] == "fp8"
    assert new.flags["max_model_len"] == 131_072
    assert not new.corrections


def test_balanced_gives_up_16_bits_only_where_no_window_fits_in_them() -> None:
    described = CATALOG.get("qwen3-30b-a3b-fp8")
    assert picked("balanced", described, H100, "0.25.0").flags["kv_cache_dtype"] == "auto"
    small = replace(H100, total_bytes=48 * GIB)
    choice = picked("balanced", described, small, "0.25.0")
    assert choice.flags["kv_cache_dtype"] == "fp8"
    assert "not one sequence" in choice.reasons["kv_cache_dtype"]


def test_quality_keeps_16_bits_and_names_the_better_weights() -> None:
    choice = picked("quality", "llama33-70b-fp8", SPARK, "0.25.0")
    assert choice.flags["kv_cache_dtype"] == "bfloat16"
    assert planned("llama33-70b-fp8", choice, SPARK, "0.25.0")[0].cache_type == "bf16"
    assert any(
        "Qwen/Qwen3-32B is" in each for each in picked("quality", "qwen3-32b-fp8").corrections
    )
    assert not picked("quality", "qwen3-32b").corrections


def test_throughput_is_no_slower_than_balanced_and_concurrency_holds_more() -> None:
    for name in ("qwen3-32b-fp8", "qwen3-8b-fp8", "qwen3-30b-a3b-fp8"):
        fast, usual, many, few = (
            picked(profile, name, H100, "0.25.0").flags
            for profile in ("throughput", "balanced", "concurrency", "latency")
        )
        assert int(few["max_num_seqs"]) < int(usual["max_num_seqs"]) <= int(many["max_num_seqs"])
        assert int(fast["max_num_batched_tokens"]) >= int(usual["max_num_batched_tokens"])
        assert int(few["max_num_batched_tokens"]) <= int(usual["max_num_batched_tokens"])


def test_throughput_takes_fp8_keys_and_values_only_for_a_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert picked("throughput", "qwen3-32b-fp8", H100, "0.25.0").flags["kv_cache_dtype"] == "fp8"
    monkeypatch.setattr(pick, "WORTH_FP8", 10.0)
    assert picked("throughput", "qwen3-32b-fp8", H100, "0.25.0").flags["kv_cache_dtype"] == "auto"


def test_sequences_that_take_of_the_cache_themselves_are_counted() -> None:
    """vLLM 0.33 counts the sampler's state, so more sequences leave a smaller cache."""
    for total in range(72 * 4, 80 * 4):
        machine = replace(H100, total_bytes=total * GIB // 4)
        choice = picked("concurrency", "llama33-70b-fp8", machine, "0.33.0")
        settings_, memory = planned("llama33-70b-fp8", choice, machine, "0.33.0")
        length = min(SHORT_TOKENS, settings_.max_model_len)
        enough = memory.kv_tokens >= settings_.max_num_seqs * length
        assert enough or settings_.max_num_seqs == FEWEST


def test_steps_stay_short_on_unified_memory() -> None:
    for profile in OPEN:
        assert int(picked(profile, "qwen3-8b-fp8").flags["max_num_batched_tokens"]) <= 8192


def test_long_context_scales_as_the_version_wants_it() -> None:
    old = picked("long-context", "qwen3-32b-fp8").flags
    new = picked("long-context", "qwen3-32b-fp8", SPARK, "0.33.0").flags
    assert old["max_model_len"] == new["max_model_len"] == 131_072
    assert '"factor":4.0' in str(old["rope_scaling"])
    assert "rope_scaling" not in new
    assert '"max_position_embeddings":131072' in str(new["hf_overrides"])
    assert '"rope_theta":1000000' in str(new["hf_overrides"])
    half = picked("long-context", "qwen3-32b-fp8", max_model_len=65_536)
    assert '"factor":2.0' in str(half.flags["rope_scaling"])


def test_other_profiles_refuse_what_needs_scaling() -> None:
    with pytest.raises(UsageError) as error:
        picked("balanced", "qwen3-32b-fp8", max_model_len=65_536)
    assert "--profile long-context" in str(error.value.hint)
    assert "rope_scaling" in str(error.value.hint)
    assert "16.0 GiB" in str(error.value.hint)
    with pytest.raises(UsageError, match="131,072"):
        picked("long-context", "qwen3-32b-fp8", max_model_len=200_000)


def test_the_users_own_overrides_of_the_config_are_not_replaced() -> None:
    mine = '{"rope_theta": 1000000}'
    choice = picked("long-context", "qwen3-32b-fp8", SPARK, "0.33.0", hf_overrides=mine)
    assert choice.flags["hf_overrides"] == mine
    assert choice.flags["max_model_len"] == 32_768
    assert choice.corrections


def test_a_cache_in_bytes_gets_a_share_that_lets_it_start() -> None:
    size = 20 * GIB
    choice = picked("balanced", "qwen3-32b-fp8", SPARK, "0.25.0", kv_cache_memory_bytes=size)
    settings, memory = planned("qwen3-32b-fp8", choice, SPARK, "0.25.0")
    assert memory.kv_cache == size
    assert memory.budget <= settings.utilization * memory.total
    assert settings.utilization < 0.6


def test_the_recipes_other_flags_survive_and_tiny_models_take_little() -> None:
    choice = picked("balanced", "demo-qwen3")
    assert choice.flags["enforce_eager"] is True
    assert choice.reasons["enforce_eager"] == "The recipe sets it for this model."
    assert picked("balanced", "demo-qwen3", enforce_eager=False).flags["enforce_eager"] is False
    assert float(choice.flags["gpu_memory_utilization"]) < 0.1
    assert planned("demo-qwen3", choice)[1].max_concurrency >= 128


def test_two_gpus_share_what_one_does_not_hold() -> None:
    pair = MACHINES["dgx-spark-x2"]
    assert "tensor_parallel_size" not in picked("balanced", "llama33-70b-fp8", pair).flags
    small = replace(pair, total_bytes=70 * GIB, seen_totals=())
    choice = picked("balanced", "llama33-70b-fp8", small)
    assert choice.flags["tensor_parallel_size"] == 2
    assert fits(planned("llama33-70b-fp8", choice, small)[1])


def test_a_discrete_gpu_gives_more_than_the_default_only_where_it_must() -> None:
    usual = picked("balanced", "qwen3-32b-fp8", H100).flags["gpu_memory_utilization"]
    assert usual == 0.9
    tight = picked("quality", "llama33-70b-fp8", H100)
    assert 0.9 < float(tight.flags["gpu_memory_utilization"]) <= 0.97
    assert any("0.90" in each for each in tight.corrections)


def test_the_guides_flags_are_taken_exactly() -> None:
    recipe = CATALOG.get("qwen3-32b-fp8")
    assert recipe.guide
    assert picked("guide", recipe).flags == recipe.guide.flags
    changed = picked("guide", recipe, max_num_seqs=8).flags
    assert changed == {**recipe.guide.flags, "max_num_seqs": 8}


def test_a_model_without_a_guide_names_those_that_have_one() -> None:
    with pytest.raises(UsageError) as error:
        picked("guide", "llama31-8b-fp8")
    assert "qwen3-32b-fp8" in str(error.value.hint)
    with pytest.raises(UsageError, match="fastest"):
        picked("fastest", "llama31-8b-fp8")


def test_a_cpu_takes_the_recipes_flags() -> None:
    recipe = CATALOG.get("demo-llama")
    choice = picked("throughput", recipe, MACHINES["cpu"], "0.32.0", max_num_seqs=4)
    assert choice.flags == {**recipe.serve.flags, "max_num_seqs": 4}


def test_computed_flags_come_first_and_the_recipes_values_for_them_do_not_count() -> None:
    choice = picked("balanced", "qwen3-32b-fp8")
    assert tuple(choice.flags)[: len(COMPUTED)] == COMPUTED
    assert (
        choice.flags["max_model_len"] != CATALOG.get("qwen3-32b-fp8").serve.flags["max_model_len"]
    )


def test_a_choice_takes_few_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan takes about 0.1 ms of CPU, a choice may take 30."""
    counted = 0

    def counting(*args: object, **keywords: object) -> Memory:
        nonlocal counted
        counted += 1
        return real_plan_memory(*args, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(fit, "plan_memory", counting)
    for profile in OPEN:
        counted = 0
        picked(profile, "qwen3-8b-fp8", H100, "0.25.0")
        assert counted <= 150, profile
