"""With which flags a model starts: computed on a GPU, refused where they do not fit."""

import logging
from pathlib import Path

import pytest

from sparkwell.app.paths import find_paths
from sparkwell.app.planning import Planning
from sparkwell.app.starting import StartWish, start_flags
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.drivers.environments import Installed
from sparkwell.hardware.description import find_machine

CATALOG = load_catalog()
QWEN = CATALOG.get("qwen3-32b-fp8")
DEMO = CATALOG.get("demo-qwen3")


def environment(device: str, version: str = "0.25.0") -> Installed:
    return Installed(f"vllm-{device}", "vllm", device, version, "/folder", "/python")


@pytest.fixture
def spark(tmp_path: Path) -> Planning:
    """A planner that finds itself on a DGX Spark."""
    planning = Planning(find_paths({"HOME": str(tmp_path)}), CATALOG, {})
    planning.__dict__["here"] = find_machine("dgx-spark")
    return planning


def test_on_a_gpu_the_flags_are_the_balanced_profiles(spark: Planning) -> None:
    flags = start_flags(spark, QWEN, environment("cuda"), StartWish())
    assert 0.5 < float(flags["gpu_memory_utilization"]) <= 0.85
    assert flags["max_num_batched_tokens"] == 8192
    assert flags["enable_prefix_caching"] is True


def test_what_the_user_sets_wins(spark: Planning) -> None:
    wish = StartWish({"max_model_len": 4096, "seed": 7})
    flags = start_flags(spark, QWEN, environment("cuda"), wish)
    assert (flags["max_model_len"], flags["seed"]) == (4096, 7)


def test_the_guides_flags_are_exact(spark: Planning) -> None:
    recipe = CATALOG.get("llama33-70b-fp8")
    wish = StartWish(profile="guide")
    flags = start_flags(spark, recipe, environment("cuda", "0.10.1.1"), wish)
    assert recipe.guide is not None
    assert flags == recipe.guide.flags


def test_a_guide_that_crosses_the_guards_floor_is_refused(spark: Planning) -> None:
    wish = StartWish(profile="guide")
    with pytest.raises(ConflictError, match=r"floor of 8\.0 GiB") as caught:
        start_flags(spark, QWEN, environment("cuda", "0.10.1.1"), wish)
    assert "gpu_memory_utilization to 0.85" in str(caught.value.hint)
    assert "--force" in str(caught.value.hint)


def test_force_starts_it_and_is_logged(spark: Planning, caplog: pytest.LogCaptureFixture) -> None:
    wish = StartWish(profile="guide", force=True)
    with caplog.at_level(logging.WARNING):
        flags = start_flags(spark, QWEN, environment("cuda", "0.10.1.1"), wish)
    assert flags["gpu_memory_utilization"] == 0.9
    assert "although it does not fit" in caplog.text


def test_a_share_of_the_users_that_is_too_large_is_refused(spark: Planning) -> None:
    with pytest.raises(ConflictError, match="does not fit on this machine"):
        start_flags(spark, QWEN, environment("cuda"), StartWish({"gpu_memory_utilization": 0.95}))


def test_on_a_cpu_the_recipes_flags_hold(spark: Planning) -> None:
    flags = start_flags(spark, DEMO, environment("cpu", "0.32.0"), StartWish({"seed": 1}))
    assert flags == {**DEMO.serve.flags, "seed": 1}


@pytest.mark.parametrize(
    ("profile", "said"), [("throughput", "computed for GPUs"), ("guide", "No guide says")]
)
def test_profiles_that_a_cpu_has_not(spark: Planning, profile: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        start_flags(spark, DEMO, environment("cpu", "0.32.0"), StartWish(profile=profile))
