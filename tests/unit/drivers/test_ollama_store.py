"""Ollama's folder of models, read; and what a model will take, by file, server or word."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalog.files import write_gguf
from tests.unit.catalog.test_gguf import metadata, sizes

from sparkwell.catalog.local import describe_gguf
from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.errors import DocumentError, EnvironmentFault, UsageError
from sparkwell.drivers.ollama import Kept, OllamaApi, plan_from_file, plan_model
from sparkwell.drivers.ollama_store import describe_stored, find_files, folders
from sparkwell.planner.placement import RUNNER_BYTES, ollama

MODEL, PROJECTOR = (
    "application/vnd.ollama.image.model",
    "application/vnd.ollama.image.projector",
)


def layer(kind: str, digest: str, size: int = 1) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": size}


def put(root: Path, path: str, layers: Any) -> None:
    manifest = root / "manifests" / path
    manifest.parent.mkdir(parents=True, exist_ok=True)
    text = layers if isinstance(layers, str) else json.dumps({"layers": layers})
    manifest.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "blobs").mkdir()
    write_gguf(tmp_path / "blobs/sha256-aa", metadata(), sizes())
    layers = [layer(MODEL, "sha256:aa"), layer(PROJECTOR, "sha256:bb", 600)]
    put(tmp_path, "registry.ollama.ai/library/qwen3/8b", layers)
    put(tmp_path, "hf.co/org/m-GGUF/latest", [layer(MODEL, "sha256:aa")])
    return tmp_path


def env(root: Path) -> dict[str, str]:
    return {"OLLAMA_MODELS": str(root)}


def test_the_file_behind_a_name(root: Path) -> None:
    assert find_files(parse_ollama("qwen3:8b"), env(root)).gguf == root / "blobs/sha256-aa"
    assert find_files(parse_ollama("ollama/hf.co/org/m-GGUF"), env(root)).gguf.is_file()
    files = find_files(parse_ollama("qwen3:8b"), env(root))
    assert files.beside_bytes == 600


def test_a_folder_that_a_container_has(root: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "opt"
    mounted.mkdir()
    (mounted / "models").symlink_to(root)
    assert find_files(parse_ollama("qwen3:8b"), {}, [str(mounted)]).gguf.is_file()
    assert folders({}, ["/opt/ollama"])[0] == Path("/opt/ollama/models")


def test_what_is_not_there_is_said_with_two_ways_out(root: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no model qwen3:4b") as caught:
        find_files(parse_ollama("qwen3:4b"), env(root))
    assert "ollama pull qwen3:4b" in str(caught.value.hint)
    assert "ollama/qwen3:4b=20GiB" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["../../etc/passwd", "*", "a/../b", ""])
def test_a_name_does_not_lead_elsewhere(root: Path, name: str) -> None:
    with pytest.raises(UsageError):
        find_files(parse_ollama(name), env(root))


@pytest.mark.parametrize("text", ["", "[]", '{"layers": 1}', '{"layers": [{}]}', "null"])
def test_a_damaged_manifest_is_named(root: Path, text: str) -> None:
    put(root, "registry.ollama.ai/library/bad/latest", text)
    with pytest.raises(DocumentError, match="bad/latest: this is no manifest"):
        find_files(parse_ollama("bad"), env(root))


def test_a_model_without_a_gguf_file(root: Path) -> None:
    put(root, "registry.ollama.ai/library/mlx/latest", [layer("application/other", "sha256:cc")])
    with pytest.raises(DocumentError, match="no GGUF file"):
        find_files(parse_ollama("mlx"), env(root))


def test_a_stored_model_is_described_with_what_it_takes_in_ollama(root: Path) -> None:
    described = describe_stored(parse_ollama("qwen3:8b"), env(root))
    assert described.name == "ollama/qwen3:8b"
    assert "context of 4,096 tokens" in described.notes[-1]


# ── plans ───────────────────────────────────────────────────────────────────────────────────


async def test_memory_by_the_file(root: Path) -> None:
    described = describe_gguf(root / "blobs/sha256-aa")
    plan = await plan_model("ollama/qwen3:8b", Kept(env(root)))
    assert (plan.num_ctx, plan.source) == (4096, "file")  # all that the model has
    assert plan.held_bytes == ollama("x", described, 4096).held_bytes + 600
    short = await plan_model("ollama/qwen3:8b", Kept(env(root)), wanted_ctx=1024)
    assert short.num_ctx == 1024
    assert short.held_bytes == ollama("x", described, 1024).held_bytes + 600
    assert plan_from_file("ollama/qwen3:8b", Kept(env(root))) == plan


async def test_a_context_that_is_too_long_is_corrected_and_said(root: Path) -> None:
    plan = await plan_model("ollama/qwen3:8b", Kept(env(root)), wanted_ctx=131_072)
    assert plan.num_ctx == 4096
    assert plan.correction == (
        "num_ctx is 4,096, not 131,072: ollama/qwen3:8b has no longer context."
    )
    for wanted in (None, 1024, 4096):
        plan = await plan_model("ollama/qwen3:8b", Kept(env(root)), wanted_ctx=wanted)
        assert plan.correction is None


async def test_memory_that_is_said_wins(root: Path) -> None:
    plan = await plan_model("ollama/qwen3:8b=20GiB", Kept(env(root)))
    assert (plan.held_bytes, plan.source, plan.num_ctx) == (20 * 2**30, "given", 4096)
    assert plan_from_file("ollama/qwen3:8b=20GiB", Kept(env(root))) == plan
    plan = await plan_model("ollama/other=9GB", Kept({}))
    assert plan_from_file("ollama/other=9GB", Kept({})) == plan
    assert (plan.held_bytes, plan.num_ctx) == (9 * 10**9, 32_768)


async def test_memory_that_nobody_can_tell(tmp_path: Path) -> None:
    plan = await plan_model("ollama/other", Kept(env(tmp_path)), api=OllamaApi(1))
    assert (plan.held_bytes, plan.source, plan.num_ctx) == (None, "unknown", 32_768)
    with pytest.raises(EnvironmentFault, match="Ollama has no model other"):
        plan_from_file("ollama/other", Kept(env(tmp_path)))


async def test_a_damaged_file_is_not_a_guess(root: Path) -> None:
    (root / "blobs/sha256-aa").write_bytes(b"not a GGUF file")
    plan = await plan_model("ollama/qwen3:8b", Kept(env(root)))
    assert (plan.held_bytes, plan.source) == (None, "unknown")
    with pytest.raises(DocumentError):
        plan_from_file("ollama/qwen3:8b", Kept(env(root)))


def test_the_runners_own_part_is_counted() -> None:
    assert RUNNER_BYTES > 0
