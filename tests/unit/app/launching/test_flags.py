"""With which flags a model starts: computed on a GPU, refused where they do not fit."""

import logging
from pathlib import Path

import pytest

from sparkwell.app.launching.flags import Chosen, StartWish, choose_flags
from sparkwell.app.launching.ways import Way
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.catalog import Recipe, load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.core.units import GIB
from sparkwell.drivers.environments import Installed
from sparkwell.hardware.description import find_machine

CATALOG = load_catalog()
QWEN = CATALOG.get("qwen3-32b-fp8")
DEMO = CATALOG.get("demo-qwen3")


def way(device: str, version: str = "0.25.0") -> Way:
    installed = Installed(f"vllm-{device}", "vllm", device, version, "/folder", "/python")
    return Way(version, device, environment=installed)


def flags_of(planning: Planning, recipe: Recipe, how: Way, wish: StartWish) -> dict[str, FlagValue]:
    return choose_flags(planning, recipe, how, wish).flags


@pytest.fixture
def spark(tmp_path: Path) -> Planning:
    """A planner that finds itself on a DGX Spark."""
    planning = Planning(find_paths({"HOME": str(tmp_path)}), CATALOG, {})
    planning.__dict__["here"] = find_machine("dgx-spark")
    return planning


def test_on_a_gpu_the_flags_are_the_balanced_profiles(spark: Planning) -> None:
    flags = flags_of(spark, QWEN, way("cuda"), StartWish())
    assert 0.5 < float(flags["gpu_memory_utilization"]) <= 0.85
    assert flags["max_num_batched_tokens"] == 8192
    assert flags["enable_prefix_caching"] is True


def test_what_the_user_sets_wins(spark: Planning) -> None:
    wish = StartWish({"max_model_len": 4096, "seed": 7})
    flags = flags_of(spark, QWEN, way("cuda"), wish)
    assert (flags["max_model_len"], flags["seed"]) == (4096, 7)


def test_the_guides_flags_are_exact(spark: Planning) -> None:
    recipe = CATALOG.get("llama33-70b-fp8")
    wish = StartWish(profile="guide")
    flags = flags_of(spark, recipe, way("cuda", "0.10.1.1"), wish)
    assert recipe.guide is not None
    assert flags == recipe.guide.flags


def test_a_guide_that_crosses_the_guards_floor_is_refused(spark: Planning) -> None:
    wish = StartWish(profile="guide")
    with pytest.raises(ConflictError, match=r"floor of 8\.0 GiB") as caught:
        flags_of(spark, QWEN, way("cuda", "0.10.1.1"), wish)
    assert "gpu_memory_utilization to 0.85" in str(caught.value.hint)
    assert "--force" in str(caught.value.hint)


def test_force_starts_it_and_is_logged(spark: Planning, caplog: pytest.LogCaptureFixture) -> None:
    wish = StartWish(profile="guide", force=True)
    with caplog.at_level(logging.WARNING):
        flags = flags_of(spark, QWEN, way("cuda", "0.10.1.1"), wish)
    assert flags["gpu_memory_utilization"] == 0.9
    assert "although it does not fit" in caplog.text


def test_a_share_of_the_users_that_is_too_large_is_refused(spark: Planning) -> None:
    with pytest.raises(ConflictError, match="does not fit on this machine"):
        flags_of(spark, QWEN, way("cuda"), StartWish({"gpu_memory_utilization": 0.95}))


def test_on_a_cpu_the_recipes_flags_hold(spark: Planning) -> None:
    flags = flags_of(spark, DEMO, way("cpu", "0.32.0"), StartWish({"seed": 1}))
    assert flags == {**DEMO.serve.flags, "seed": 1}


@pytest.mark.parametrize(
    ("profile", "said"), [("throughput", "computed for GPUs"), ("guide", "No guide says")]
)
def test_profiles_that_a_cpu_has_not(spark: Planning, profile: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        flags_of(spark, DEMO, way("cpu", "0.32.0"), StartWish(profile=profile))


def test_what_a_start_will_hold_is_said(spark: Planning) -> None:
    chosen = choose_flags(spark, QWEN, way("cuda"), StartWish())
    assert chosen.held_bytes is not None
    share = float(chosen.flags["gpu_memory_utilization"])
    assert chosen.held_bytes == pytest.approx(share * spark.here.total_bytes, rel=0.1)


def test_beside_another_model_there_is_less_room(spark: Planning) -> None:
    alone = choose_flags(spark, QWEN, way("cuda"), StartWish())
    beside = choose_flags(spark, QWEN, way("cuda"), StartWish(beside={"m": 20 * GIB}))
    share = "gpu_memory_utilization"
    assert float(beside.flags[share]) < float(alone.flags[share])


def test_who_is_in_the_way_is_named(spark: Planning) -> None:
    wish = StartWish(beside={"llama33-70b-fp8": 90 * GIB})
    with pytest.raises(ConflictError, match=r"beside llama33-70b-fp8 \(90\.0 GiB\)") as caught:
        choose_flags(spark, QWEN, way("cuda"), wish)
    assert "`sparkwell down llama33-70b-fp8` makes room" in str(caught.value.hint)


def test_the_plan_of_a_cpu_build_on_a_gpu_machine_is_not_known(spark: Planning) -> None:
    assert choose_flags(spark, DEMO, way("cpu", "0.32.0"), StartWish()) == Chosen(
        DEMO.serve.flags, None
    )
