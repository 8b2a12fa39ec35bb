"""A request's start downloads nothing: what is not on this machine is refused."""

from pathlib import Path

import pytest
from tests.unit.app.test_ollama_starts import Make, make, named, ollama
from tests.unit.catalog.files import write_gguf
from tests.unit.catalog.test_gguf import metadata, sizes
from tests.unit.drivers.test_ollama_store import MODEL, layer, put

from sparkwell.core.errors import NotReadyError, SparkwellError
from sparkwell.drivers.ollama import OllamaApi
from sparkwell.testing.fake_ollama.running import RunningOllama

__all__ = ["make", "ollama"]


async def test_what_the_server_has_may_start(make: Make) -> None:
    starts = make()
    await starts.held_bytes(named(), {})
    await starts.must_be_here(named())


async def test_what_nobody_has_is_not_downloaded(make: Make) -> None:
    starts = make()
    model = named("ollama/llama3.2=3GiB")  # a size that was said is no model
    await starts.held_bytes(model, {})
    with pytest.raises(NotReadyError, match="is not on this machine") as refused:
        await starts.must_be_here(model)
    assert refused.value.hint == "`sparkwell pull ollama/llama3.2` fetches it."


async def test_what_lies_in_the_folder_may_start_without_a_server(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours ends with the last of its models."""

    async def away(_api: OllamaApi) -> list[object]:
        raise SparkwellError("Nobody answers.")

    root = tmp_path / "models"
    (root / "blobs").mkdir(parents=True)
    write_gguf(root / "blobs/sha256-aa", metadata(), sizes())
    put(root, "registry.ollama.ai/library/tiny/latest", [layer(MODEL, "sha256:aa")])
    monkeypatch.setattr(OllamaApi, "tags", away)
    starts = make()
    model = named("ollama/tiny")
    await starts.held_bytes(model, {})
    await starts.must_be_here(model)


async def test_where_nobody_answers_nothing_is_taken_for_here(
    make: Make, monkeypatch: pytest.MonkeyPatch, ollama: RunningOllama
) -> None:
    async def away(_api: OllamaApi) -> list[object]:
        raise SparkwellError("Nobody answers.")

    starts = make()
    model = named("ollama/llama3.2=3GiB")
    await starts.held_bytes(model, {})
    monkeypatch.setattr(OllamaApi, "tags", away)
    with pytest.raises(NotReadyError):
        await starts.must_be_here(model)
