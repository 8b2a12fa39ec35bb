"""Which models can be started here, and how: over folders that look installed."""

import json
from pathlib import Path

import pytest

from sparkwell.app.config import ModelSettings, Settings
from sparkwell.app.paths import Paths, find_paths
from sparkwell.app.service import PACKAGE_MODELS, ModelService, load_models
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.core.launch import Endpoint
from sparkwell.testing.environment import install_fake_environment

CATALOG = load_catalog()
DEMO, QWEN = CATALOG.get("demo-qwen3"), CATALOG.get("qwen3-8b-fp8")
UDS = Endpoint(uds="/run/e.sock")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return find_paths({"SPARKWELL_HOME": str(tmp_path / "h")})


def service(paths: Paths, settings: Settings | None = None) -> ModelService:
    environ = {"HF_HOME": str(paths.data / "hf"), "HOME": str(paths.data)}
    return ModelService(paths, settings or Settings(), CATALOG, environ)


def download(hub: Path, repo: str) -> Path:
    snapshot = hub / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"")
    return snapshot


def test_nothing_is_here(paths: Paths) -> None:
    found = service(paths).availability(DEMO)
    assert not found.startable
    assert found.missing == "The engine environment vllm-cpu is not installed."
    assert found.remedy == "Run `sparkwell engine install vllm-cpu`."
    assert found.checkpoint == PACKAGE_MODELS / "demo/qwen3"


def test_a_bundled_model_needs_only_its_engine(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    found = service(paths).availability(DEMO)
    assert found.startable
    assert found.missing is found.remedy is None
    assert found.checkpoint is not None
    assert (found.checkpoint / "config.json").is_file()


def test_an_environment_of_another_device_does_not_help(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    found = service(paths).availability(QWEN)
    assert found.missing == "The engine environment vllm is not installed."


def test_weights_that_are_not_here_say_how_to_get_them(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm")
    found = service(paths).availability(QWEN)
    assert not found.startable
    assert found.missing == "The weights of Qwen/Qwen3-8B-FP8 are not on this machine."
    assert "`hf download Qwen/Qwen3-8B-FP8`" in (found.remedy or "")


def test_weights_are_found_in_the_users_cache(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm")
    snapshot = download(paths.data / "hf" / "hub", "Qwen/Qwen3-8B-FP8")
    found = service(paths).availability(QWEN)
    assert (found.startable, found.checkpoint) == (True, snapshot)


def test_weights_are_found_in_the_folders_of_the_settings(paths: Paths, tmp_path: Path) -> None:
    install_fake_environment(paths.engines, "vllm")
    snapshot = download(tmp_path / "more", "Qwen/Qwen3-8B-FP8")
    settings = Settings(model_folders=(str(tmp_path / "more"),))
    assert service(paths, settings).availability(QWEN).checkpoint == snapshot


def test_a_download_that_was_cut_is_no_checkpoint(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm")
    snapshot = download(paths.data / "hf" / "hub", "Qwen/Qwen3-8B-FP8")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    assert not service(paths).availability(QWEN).startable


def test_a_launch_spec_puts_it_all_together(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm")
    snapshot = download(paths.data / "hf" / "hub", "Qwen/Qwen3-8B-FP8")
    spec = service(paths).launch_spec(QWEN, "i1", UDS, {})
    assert spec.argv[0] == f"{paths.engines}/vllm/bin/python"
    assert str(snapshot) in spec.argv
    assert (spec.instance, spec.model, spec.endpoint) == ("i1", "qwen3-8b-fp8", UDS)
    assert spec.engine_version == "0.25.0"
    assert spec.labels == {"device": "cuda"}
    assert spec.env["VLLM_CACHE_ROOT"] == f"{paths.cache}/vllm"


def test_flags_of_this_host_win_over_the_recipe_and_lose_to_the_command(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    flags = {"max_num_seqs": 8, "max_model_len": 1024}
    settings = Settings(models={"demo-qwen3": ModelSettings(flags=flags)})
    argv = service(paths, settings).launch_spec(DEMO, "i1", UDS, {"max_model_len": 512}).argv
    assert argv[argv.index("--max-num-seqs") + 1] == "8"
    assert argv[argv.index("--max-model-len") + 1] == "512"


def test_a_wrong_flag_of_this_host_is_traced_to_its_file(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    settings = Settings(models={"demo-qwen3": ModelSettings(flags={"max_num_seqs": "many"})})
    with pytest.raises(UsageError, match=r"^sparkwell.yaml, models.demo-qwen3: The flag max_num"):
        service(paths, settings).launch_spec(DEMO, "i1", UDS, {})


def test_what_is_missing_cannot_be_launched(paths: Paths) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        service(paths).launch_spec(DEMO, "i1", UDS, {})
    assert str(caught.value) == (
        "demo-qwen3 cannot be started: The engine environment vllm-cpu is not installed. "
        "Run `sparkwell engine install vllm-cpu`."
    )


def test_recipes_come_from_the_user_the_settings_and_the_command(
    paths: Paths, tmp_path: Path
) -> None:
    text = (PACKAGE_MODELS / "recipes" / "demo-qwen3.yaml").read_text()
    named = {"mine": paths.recipes, "set": tmp_path / "set", "given": tmp_path / "given"}
    for name, folder in named.items():
        folder.mkdir(parents=True)
        (folder / "r.yaml").write_text(text.replace("name: demo-qwen3", f"name: {name}"))
    settings = Settings(recipes=(str(tmp_path / "set"),))
    catalog = load_models(paths, settings, (str(tmp_path / "given"),))
    assert catalog.names[-3:] == ("mine", "set", "given")
    assert catalog.problems == ()
