"""Compose files: equal to the guides' where nothing is corrected, explained where something is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engines.guide_facts import PROSE, SERVICES, options

from sparkwell.app.composing.making import ComposeFile, Composing
from sparkwell.app.composing.wish import ComposeWish, check_address
from sparkwell.app.paths import find_paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import ContainerSettings, FolderSettings, ModelSettings, Settings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import (
    ConflictError,
    EnvironmentFault,
    UnknownModelError,
    UsageError,
)
from sparkwell.engines.compose.corrections import CHANGES, check_names, corrections
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine

CATALOG = load_catalog()
EXACT = frozenset(CHANGES)
SPARK, H100, CPU = (find_machine(name) for name in ("dgx-spark", "h100-80gb", "cpu"))
NGC = "nvcr.io/nvidia/vllm:25.09-py3"
MODELS = {recipe.guide.service: recipe.name for recipe in CATALOG if recipe.guide}
# Which correction may change which options of a guide's service; an option that is not here must
# be as the guide has it.
EXPECTED = {
    "flags": {
        "command --max-model-len",
        "command --gpu-memory-utilization",
        "command --max-num-batched-tokens",
        "command --max-num-seqs",
        "command --kv-cache-dtype",
    },
    "remote-code": {"command --trust-remote-code"},
    "loopback": {"ports"},
    "restart": {"restart"},
    "shared-memory": {"ipc", "ulimits"},
    "caches": {
        "environment VLLM_CACHE_ROOT",
        "environment TRITON_CACHE_DIR",
        "environment FLASHINFER_WORKSPACE_BASE",
        "environment TRTLLM_DG_CACHE_DIR",
        "environment CUDA_CACHE_PATH",
        "volumes",
    },
    "one-folder": {"environment HF_HUB_CACHE"},
    "secret": {"environment HF_TOKEN", "environment HUGGING_FACE_HUB_TOKEN"},
    "health": {"healthcheck"},
    "grace": {"stop_grace_period"},
    "init": {"init"},
    "no-new-privileges": {"security_opt"},
    "profiles": {"profiles"},
}


def composing(
    folder: Path, machine: Machine = CPU, own: Settings | None = None, digest: str | None = None
) -> Composing:
    """A composer on a host whose home is ``folder``."""
    paths = find_paths({"SPARKWELL_HOME": str(folder / "h")})
    models = ModelService(
        paths, own or Settings(), CATALOG, {"HOME": str(folder), "HF_HOME": str(folder / "hf")}
    )
    models.planning.__dict__["here"] = machine
    return Composing(models, lambda _image: digest)


def rendered(made: ComposeFile) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(made.text)
    return document


def only(made: ComposeFile) -> dict[str, Any]:
    (service,) = rendered(made)["services"].values()
    found: dict[str, Any] = service
    return found


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> ComposeFile:
    return composing(tmp_path_factory.mktemp("face")).compose(ComposeWish())


def download(folder: Path, repo: str) -> Path:
    snapshot = folder / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (snapshot / name).write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"weights")
    return snapshot


# ── without corrections ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("service", SERVICES)
def test_exact_is_the_guides_service_option_by_option(service: str, tmp_path: Path) -> None:
    wish = ComposeWish((MODELS[service],), without=EXACT)
    assert options(only(composing(tmp_path).compose(wish))) == SERVICES[service]


def test_exact_has_nothing_beside_the_services(tmp_path: Path) -> None:
    made = composing(tmp_path).compose(ComposeWish(without=EXACT))
    document = rendered(made)
    assert set(document) == {"services"}
    assert set(SERVICES) < set(document["services"])
    assert not any(service.corrected.differences for service in made.services)
    assert any("No guide has a service for llama31-8b-fp8" in note for note in made.notes)


def test_ollama_is_as_the_guides_describe_it(tmp_path: Path) -> None:
    found = options(only(composing(tmp_path).compose(ComposeWish(("ollama",), without=EXACT))))
    assert {key: found[key] for key in PROSE} == PROSE


# ── with them ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("service", SERVICES)
def test_every_difference_from_a_guide_has_its_reason(service: str, face: ComposeFile) -> None:
    """What the file really has is compared with the facts, not with what is said of it."""
    ours, theirs = options(rendered(face)["services"][service]), SERVICES[service]
    missing = object()
    differ = {
        option
        for option in {*ours, *theirs}
        if ours.get(option, missing) != theirs.get(option, missing)
    }
    (composed,) = [each for each in face.services if each.model == MODELS[service]]
    told: dict[str, set[str]] = {}
    for each in composed.corrected.differences:
        assert len(each.why) > 10
        first, _, rest = each.path.partition(" ")
        whole = first if first in ("volumes", "ulimits") else f"{first} {rest}".strip()
        told.setdefault(each.correction, set()).add(whole)
    assert differ == {option for named in told.values() for option in named}
    for correction, named in told.items():
        assert named <= EXPECTED[correction], correction


def test_all_services_of_the_guides_are_there(face: ComposeFile) -> None:
    assert list(rendered(face)["services"]) == [
        "vllm-qwen3-32b",
        "vllm-qwen3-32b-fp8",
        "vllm-qwen3-8b-fp8",
        "vllm-qwen3-30b-a3b-fp8",
        "vllm-llama33-70b-fp8",
        "vllm-mistral-nemo-12b-fp8",
        "vllm-llama31-8b-fp8",
        "ollama",
    ]


def test_a_plain_up_starts_what_the_guide_says_and_one_vllm(face: ComposeFile) -> None:
    services = rendered(face)["services"]
    started = [name for name, service in services.items() if "profiles" not in service]
    assert started == ["vllm-qwen3-32b", "ollama"]
    assert services["vllm-qwen3-32b-fp8"]["profiles"] == ["fp8"]


def test_flags_have_the_plans_reasons_and_fit(face: ComposeFile) -> None:
    for composed in face.services[:-1]:
        assert composed.fits is True
        assert composed.version == "0.10.1.1"
    reasons = {
        each.path: each.why
        for each in face.services[1].corrected.differences
        if each.correction == "flags"
    }
    assert "GiB" in reasons["command --gpu-memory-utilization"]


def test_the_file_says_for_which_machine_it_is(face: ComposeFile) -> None:
    assert face.hardware == "dgx-spark"
    head = [line for line in face.text.splitlines() if line.startswith("#")]
    assert head[0].startswith("# Written by `sparkwell compose` for dgx-spark;")
    assert any("no NVIDIA GPU" in line for line in head)
    assert any("docker compose --profile '*' down" in line for line in head)
    assert max(map(len, head)) <= 100


@pytest.mark.parametrize("name", CHANGES)
def test_each_correction_can_be_left_out(name: str, tmp_path: Path) -> None:
    """Then the options that it alone touches are the guide's."""
    wish = ComposeWish(("qwen3-8b-fp8",), without=frozenset({name}))
    made = composing(tmp_path).compose(wish)
    assert name not in made.services[0].corrected.corrections
    ours, theirs = options(only(made)), SERVICES["vllm-qwen3-8b-fp8"]
    for option in EXPECTED.get(name, set()) - {"volumes"}:
        assert ours.get(option, "-") == theirs.get(option, "-")


@settings(max_examples=25, deadline=None)
@given(without=st.frozensets(st.sampled_from(sorted(CHANGES))))
def test_any_choice_of_corrections_is_explained(
    without: frozenset[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    composer = composing(tmp_path_factory.mktemp("any"))
    made = composer.compose(ComposeWish(("qwen3-32b-fp8",), without=without, token=True))
    (composed,) = made.services
    ours = options(only(made))
    unexplained = {
        option
        for option in {*ours, *SERVICES["vllm-qwen3-32b-fp8"]}
        if ours.get(option, "-") != SERVICES["vllm-qwen3-32b-fp8"].get(option, "-")
    } - {each.path for each in composed.corrected.differences}
    assert unexplained <= {"volumes", "ulimits"}
    assert not set(composed.corrected.corrections) & without


def test_the_table_of_corrections_is_complete() -> None:
    assert list(corrections()) == list(CHANGES)
    for correction in corrections().values():
        assert correction.what
        assert correction.why.endswith(".")
        assert correction.source
    with pytest.raises(UsageError, match="no correction 'loopbak'"):
        check_names(["loopbak"])


# ── the token ───────────────────────────────────────────────────────────────────────────────


def test_a_token_in_the_env_file_becomes_a_secret(tmp_path: Path) -> None:
    made = composing(tmp_path).compose(ComposeWish(("qwen3-8b-fp8",), token=True))
    service, document = only(made), rendered(made)
    assert document["secrets"] == {"hf_token": {"environment": "HF_TOKEN"}}
    assert service["secrets"] == ["hf_token"]
    assert service["environment"]["HF_TOKEN_PATH"] == "/run/secrets/hf_token"
    assert "HF_TOKEN" not in service["environment"]
    assert "HUGGING_FACE_HUB_TOKEN" not in service["environment"]


def test_a_public_model_without_a_token_has_none(tmp_path: Path) -> None:
    made = composing(tmp_path).compose(ComposeWish(("qwen3-8b-fp8",)))
    assert "secrets" not in rendered(made)
    assert "HF_TOKEN" not in repr(made.document.mapping["services"])


def test_a_gated_model_wants_the_secret_in_any_case(tmp_path: Path) -> None:
    recipe = CATALOG.get("qwen3-8b-fp8")
    gated = recipe.model_copy(update={"licence": recipe.licence.model_copy(update={"gated": True})})
    composer = composing(tmp_path)
    composer._models.catalog = replace(CATALOG, recipes=(gated,))
    made = composer.compose(ComposeWish(("qwen3-8b-fp8",)))
    assert only(made)["secrets"] == ["hf_token"]


@pytest.mark.parametrize("where", ["serve", "guide"])
def test_a_recipe_with_a_token_gets_no_file(where: str, tmp_path: Path) -> None:
    recipe = CATALOG.get("qwen3-8b-fp8")
    part = getattr(recipe, where)
    bad = part.model_copy(update={"flags": {**part.flags, "hf_token": "hf_x"}})
    composer = composing(tmp_path)
    composer._models.catalog = replace(CATALOG, recipes=(recipe.model_copy(update={where: bad}),))
    for without in (frozenset[str](), EXACT):
        with pytest.raises(UsageError, match="recipe qwen3-8b-fp8: The flag hf_token cannot be"):
            composer.compose(ComposeWish(("qwen3-8b-fp8",), without=without))


# ── what is on this host ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("layout", "target"),
    [("", "/root/.cache/huggingface"), ("hub", "/root/.cache/huggingface/hub")],
)
def test_weights_that_are_here_need_neither_network_nor_token(
    layout: str, target: str, tmp_path: Path
) -> None:
    folder = tmp_path / "hf" / layout
    download(folder, "Qwen/Qwen3-8B-FP8")
    made = composing(tmp_path, SPARK).compose(ComposeWish(("qwen3-8b-fp8",), token=True))
    service = only(made)
    assert "secrets" not in rendered(made)
    assert service["environment"]["HF_HUB_OFFLINE"] == "1"
    assert service["environment"]["HF_HUB_CACHE"] == target
    repo = "models--Qwen--Qwen3-8B-FP8"
    mounted = [each for each in service["volumes"] if each.startswith("/")]
    assert mounted == [f"{folder / repo}:{target}/{repo}:ro"]  # no token that is saved beside it
    found = options(service)
    assert found["command"] == "vllm serve Qwen/Qwen3-8B-FP8"
    assert found["command --download-dir"] == target
    assert found["command --served-model-name"] == "Qwen/Qwen3-8B-FP8"


def test_a_file_for_another_machine_knows_nothing_of_this_one(tmp_path: Path) -> None:
    download(tmp_path / "hf", "Qwen/Qwen3-8B-FP8")
    own = Settings(folders=FolderSettings(models="/data/hf"))
    composer = composing(tmp_path, SPARK, own, digest="sha256:" + "a" * 64)
    service = only(composer.compose(ComposeWish(("qwen3-8b-fp8",), hardware="dgx-spark")))
    assert "HF_HUB_OFFLINE" not in service["environment"]
    assert service["image"] == NGC
    assert "/opt/hf:/root/.cache/huggingface" in service["volumes"]


def test_settings_of_this_host_count_for_this_host(tmp_path: Path) -> None:
    own = Settings(
        folders=FolderSettings(models="/data/hf", ollama="/data/ollama"),
        containers=ContainerSettings(images={"ollama": "ollama/ollama:0.40.2"}),
        models={
            "qwen3-8b-fp8": ModelSettings(
                image="nvcr.io/nvidia/vllm:26.10-py3", flags={"max_num_seqs": 7}
            )
        },
    )
    made = composing(tmp_path, SPARK, own).compose(ComposeWish(("qwen3-8b-fp8", "ollama")))
    vllm, ollama = rendered(made)["services"].values()
    assert vllm["image"] == "nvcr.io/nvidia/vllm:26.10-py3"
    assert options(vllm)["command --max-num-seqs"] == "7"
    assert "/data/hf:/root/.cache/huggingface" in vllm["volumes"]
    assert ollama["image"] == "ollama/ollama:0.40.2"
    assert ollama["volumes"] == ["/data/ollama:/root/.ollama"]


def test_a_known_digest_pins_the_image(tmp_path: Path) -> None:
    digest = "sha256:" + "a" * 64
    made = composing(tmp_path, SPARK, digest=digest).compose(ComposeWish(("qwen3-8b-fp8",)))
    assert only(made)["image"] == f"{NGC}@{digest}"
    made = composing(tmp_path, SPARK, digest=digest).compose(
        ComposeWish(("qwen3-8b-fp8",), without=frozenset({"digest"}))
    )
    assert only(made)["image"] == NGC


def test_the_demo_model_needs_no_gpu_and_a_closed_file_system(tmp_path: Path) -> None:
    own = Settings(containers=ContainerSettings(images={"vllm-cpu": "local/vllm-cpu:0.32.0"}))
    made = composing(tmp_path, CPU, own).compose(ComposeWish(("demo-qwen3",), token=True))
    service = only(made)
    assert "deploy" not in service
    assert service["read_only"] is True
    assert "secrets" not in service
    assert any(mount.endswith(":/models/demo-qwen3:ro") for mount in service["volumes"])
    assert made.notes == ()


def test_without_an_image_the_demo_model_has_none_to_name(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        composing(tmp_path).compose(ComposeWish(("demo-qwen3",)))
    assert "containers.images.vllm-cpu" in f"{caught.value}"


# ── other machines and wishes ───────────────────────────────────────────────────────────────


def test_on_a_hopper_gpu_the_image_is_one_that_was_measured_there(tmp_path: Path) -> None:
    made = composing(tmp_path).compose(ComposeWish(("qwen3-8b-fp8",), hardware="h100-80gb"))
    service = only(made)
    assert service["image"] == "vllm/vllm-openai:v0.25.0"
    assert service["entrypoint"] == []
    assert service["command"][:2] == ["vllm", "serve"]
    assert made.services[0].version == "0.25.0"
    assert "image" in made.services[0].corrected.corrections


def test_what_cannot_work_is_refused_and_can_be_forced(tmp_path: Path) -> None:
    wish = ComposeWish(("qwen3-32b",), image="vllm/vllm-openai:latest")
    with pytest.raises(ConflictError, match="names no version") as caught:
        composing(tmp_path).compose(wish)
    assert f"--image {NGC}" in (caught.value.hint or "")
    made = composing(tmp_path).compose(replace(wish, force=True))
    assert only(made)["image"] == "vllm/vllm-openai:latest"


def test_an_unknown_image_is_taken_with_a_note(tmp_path: Path) -> None:
    made = composing(tmp_path).compose(ComposeWish(("qwen3-32b",), image="ghcr.io/me/vllm:1"))
    assert only(made)["image"] == "ghcr.io/me/vllm:1"
    assert any("Nothing is known of the image" in note for note in made.notes)
    assert any("the flags are for 0.10.1.1" in note for note in made.notes)


def test_set_and_publish_and_profile(tmp_path: Path) -> None:
    wish = ComposeWish(
        ("qwen3-8b-fp8",), profile="latency", flags={"max_model_len": 4096}, publish="0.0.0.0"
    )
    found = options(only(composing(tmp_path).compose(wish)))
    assert found["ports"] == ["8000:8000"]
    assert found["command --max-model-len"] == "4096"
    assert found["command --max-num-batched-tokens"] == "2048"


def test_exact_takes_set_too_and_checks_it(tmp_path: Path) -> None:
    wish = ComposeWish(("qwen3-8b-fp8",), without=EXACT, flags={"max_num_seqs": 3})
    assert options(only(composing(tmp_path).compose(wish)))["command --max-num-seqs"] == "3"
    with pytest.raises(UsageError, match="no flag 'max_len'"):
        composing(tmp_path).compose(replace(wish, flags={"max_len": 3}))


def test_flags_that_do_not_fit_are_said(tmp_path: Path) -> None:
    made = composing(tmp_path).compose(ComposeWish(("qwen3-32b-fp8",), profile="guide"))
    assert made.services[0].fits is False
    assert any("does not fit on dgx-spark" in note for note in made.notes)
    assert any("does not fit" in line for line in made.text.splitlines())


def test_all_services_with_the_guides_profile_where_there_is_a_guide(tmp_path: Path) -> None:
    made = composing(tmp_path).compose(ComposeWish(profile="guide"))
    assert any("No guide says how to start llama31-8b-fp8" in note for note in made.notes)


def test_names_are_recipes_repositories_or_ollama_each_once(tmp_path: Path) -> None:
    wish = ComposeWish(("Qwen/Qwen3-8B-FP8", "qwen3-8b-fp8", "ollama/qwen3:8b", "ollama"))
    services = rendered(composing(tmp_path).compose(wish))["services"]
    assert list(services) == ["vllm-qwen3-8b-fp8", "ollama"]
    with pytest.raises(UnknownModelError):
        composing(tmp_path).compose(ComposeWish(("qwen9",)))


def test_of_several_the_first_is_started_by_a_plain_up(tmp_path: Path) -> None:
    wish = ComposeWish(("llama31-8b-fp8", "qwen3-8b-fp8"))
    services = rendered(composing(tmp_path).compose(wish))["services"]
    assert "profiles" not in services["vllm-llama31-8b-fp8"]
    assert services["vllm-qwen3-8b-fp8"]["profiles"] == ["qwen3-8b-fp8"]


def test_a_machine_without_a_gpu_cannot_have_it(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="needs an NVIDIA GPU"):
        composing(tmp_path).compose(ComposeWish(("qwen3-32b",), hardware="cpu"))


def test_addresses_are_checked() -> None:
    assert check_address("0.0.0.0") == "0.0.0.0"
    assert check_address("[::1]") == "::1"
    with pytest.raises(UsageError, match="an IP address"):
        check_address("everywhere")
