"""Plans for this host: which model, machine, version and flags a question is made of."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.app.guides.check import claims_of
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish, default_version, parse_flags
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import UnknownModelError, UsageError
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.phases import Phase
from sparkwell.hardware.description import find_machine
from sparkwell.planner.report import contract

CATALOG = load_catalog()
SPARK = find_machine("dgx-spark")
H100 = find_machine("h100-80gb")


@pytest.fixture
def planning(tmp_path: Path) -> Planning:
    planning = Planning(find_paths({"HOME": str(tmp_path)}), CATALOG, {})
    planning.__dict__["here"] = SPARK
    return planning


@pytest.mark.parametrize("name", CATALOG.names)
@pytest.mark.parametrize("profile", ["balanced", "throughput", "latency", "quality"])
def test_every_recipe_fits_a_spark_with_every_profile(
    planning: Planning, name: str, profile: str
) -> None:
    plan = planning.plan(name, Wish("dgx-spark", profile=profile))
    assert plan.fits, plan.problems
    memory = plan.memory
    assert memory.headroom is not None
    assert memory.headroom >= 0
    assert memory.weights + memory.overhead + memory.kv_cache == memory.budget


@pytest.mark.parametrize("name", CATALOG.names)
def test_the_document_follows_the_contract(planning: Planning, name: str) -> None:
    plan = planning.plan(name, Wish("dgx-spark"))
    document = json.loads(json.dumps(contract(plan, claims_of(planning, plan))))
    assert document["model"] == name
    assert document["hardware"] == "dgx-spark"
    assert set(document["engine"]) >= {"name", "version"}
    assert isinstance(document["flags"]["max_model_len"], int)
    assert document["fits"] is True
    assert set(document["memory"]) >= {
        "total_bytes",
        "budget_bytes",
        "weights_bytes",
        "overhead_bytes",
        "kv_cache_bytes",
        "kv_bytes_per_token",
        "kv_cache_tokens",
        "max_concurrency",
        "headroom_bytes",
    }
    speed = document["speed"]
    assert set(speed) >= {"roofline_tokens_per_s", "single_tokens_per_s", "ttft_s", "context"}
    assert speed["single_tokens_per_s"] < speed["roofline_tokens_per_s"]
    assert set(speed["batched"][0]) >= {"concurrency", "context", "tokens_per_s"}
    startup = document["startup"]
    assert set(startup) >= {"download_bytes", "disk_bytes", "cold_s", "warm_s", "phases"}
    assert {"name", "cold_s", "warm_s", "source"} <= startup["phases"][0].keys()
    claims = document["guide"]
    assert all(
        {"claim", "guide_says", "sparkwell_says", "verdict", "why"} <= each.keys()
        for each in claims
    )
    assert claims or CATALOG.get(name).guide is None
    assert all({"id", "message", "remedy"} <= each.keys() for each in document["warnings"])


def test_the_version_is_the_images_on_a_spark_and_the_pinned_one_elsewhere() -> None:
    recipe = CATALOG.get("qwen3-32b-fp8")
    assert default_version(recipe, SPARK) == "0.10.1.1"
    assert default_version(recipe, H100) == "0.25.0"
    assert default_version(None, SPARK) == "0.25.0"
    assert default_version(recipe, find_machine("cpu")) == "0.32.0"


def test_siblings_are_the_same_model_in_other_formats(planning: Planning) -> None:
    described = planning.target("qwen3-32b").described
    assert planning.siblings(described) == {
        "fp8": "Qwen/Qwen3-32B-FP8",
        "awq": "Qwen/Qwen3-32B-AWQ",
    }


def test_a_folder_with_a_checkpoint_is_planned(planning: Planning) -> None:
    folder = Path(__file__).parents[4] / "src/sparkwell/catalog/demo/qwen3"
    plan = planning.plan(str(folder), Wish("h100-80gb"))
    assert plan.question.described.weights_bytes == CATALOG.get("demo-qwen3").weights_bytes


def test_a_flag_that_the_version_has_not_is_an_error_with_its_replacement(
    planning: Planning,
) -> None:
    wish = Wish("dgx-spark", "0.33.0", flags={"swap_space": 0})
    with pytest.raises(UsageError, match="swap_space") as caught:
        planning.plan("qwen3-32b-fp8", wish)
    assert caught.value.hint


@pytest.mark.parametrize("share", [0.0, 1.5, -1.0])
def test_a_share_out_of_range_is_refused(planning: Planning, share: float) -> None:
    with pytest.raises(UsageError, match=r"gpu_memory_utilization takes a number from 0\.01 to 1"):
        planning.plan("qwen3-32b-fp8", Wish("dgx-spark", flags={"gpu_memory_utilization": share}))


def test_a_context_beyond_the_models_says_which_scaling_would_allow_it(planning: Planning) -> None:
    with pytest.raises(UsageError, match=r"takes 40,960") as caught:
        planning.plan("qwen3-32b-fp8", Wish("dgx-spark", flags={"max_model_len": 131_072}))
    assert "rope_scaling" in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("name", "error"),
    [("qwen4", UnknownModelError), ("./nowhere", UsageError), ("/nowhere.gguf", UsageError)],
)
def test_models_that_there_are_not(planning: Planning, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        planning.plan(name, Wish("dgx-spark"))


def test_one_flag_twice_is_refused_only_when_it_differs() -> None:
    assert parse_flags(["seed=1", "seed=1"]) == {"seed": 1}
    with pytest.raises(UsageError, match="twice"):
        parse_flags(["seed=1", "seed=2"])


def test_a_broken_store_keeps_nobody_from_planning(planning: Planning, tmp_path: Path) -> None:
    """It may break while a daemon runs: the requests that come then are planned all the same."""
    store = find_paths({"HOME": str(tmp_path)}).store
    store.parent.mkdir(parents=True)
    store.write_bytes(b"This is no database. " * 500)
    assert planning.plan("demo-qwen3", Wish()).fits


def test_a_first_start_is_expected_before_there_is_a_history(planning: Planning) -> None:
    recipe = CATALOG.get("qwen3-32b-fp8")
    spec = LaunchSpec("i", recipe.name, "vllm", "0.10.1.1", ("x",), Endpoint(port=1))
    seconds = planning.first_start(recipe, replace(spec, labels={"device": "cuda"}))
    assert seconds[Phase.WEIGHTS] == pytest.approx(204, rel=0.1)  # the guide's 3.4 minutes
    on_cpu = planning.first_start(recipe, replace(spec, labels={"device": "cpu"}))
    assert Phase.GRAPHS not in on_cpu
    assert Phase.PULL not in seconds
