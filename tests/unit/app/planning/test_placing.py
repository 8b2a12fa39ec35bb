"""Models of Ollama in a plan for several: the same sum as a start's."""

from pathlib import Path

import pytest
from tests.unit.catalog.files import write_gguf
from tests.unit.catalog.test_gguf import metadata, sizes
from tests.unit.drivers.test_ollama_store import MODEL, PROJECTOR, layer, put

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.placing import place_models
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.app.settings.config import FolderSettings, ModelSettings, Settings
from sparkwell.catalog import load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.drivers.ollama import Kept, plan_from_file

NAME = "ollama/qwen3:8b"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of the settings: a model for pictures, 4,096 tokens long."""
    root = tmp_path / "ollama/models"
    (root / "blobs").mkdir(parents=True)
    write_gguf(root / "blobs/sha256-aa", metadata(), sizes())
    layers = [layer(MODEL, "sha256:aa"), layer(PROJECTOR, "sha256:bb", 600_000_000)]
    put(root, "registry.ollama.ai/library/qwen3/8b", layers)
    return tmp_path / "ollama"


def held(
    store: Path, *names: str, own: dict[str, FlagValue] | None = None, **given: FlagValue
) -> list[int]:
    """What a plan for a DGX Spark says, in the order of the names."""
    planning = Planning(find_paths({"HOME": str(store)}), load_catalog(), {})
    models = {NAME: ModelSettings(flags=own)} if own else {}
    settings = Settings(folders=FolderSettings(ollama=str(store)), models=models)
    wish = Wish("dgx-spark", None, "balanced", given)
    placed = place_models(planning, names, wish, settings, {})
    return [entry.held_bytes for entry in placed.entries]


def counted(store: Path, num_ctx: int | None = None) -> int | None:
    return plan_from_file(NAME, Kept({}, (str(store),)), num_ctx).held_bytes


def test_projector_folder_and_context_are_those_of_a_start(store: Path) -> None:
    assert held(store, "qwen3-8b-fp8", NAME)[1] == counted(store)
    assert held(store, "qwen3-8b-fp8", NAME, own={"num_ctx": 1024})[1] == counted(store, 1024)
    given = held(store, NAME, "qwen3-8b-fp8", own={"num_ctx": 1024}, num_ctx=512)
    assert given[0] == counted(store, 512)
    assert (counted(store) or 0) > (counted(store, 1024) or 0) > 600_000_000


def test_flags_of_the_first_do_not_reach_the_others(store: Path) -> None:
    assert held(store, "qwen3-8b-fp8", NAME, max_model_len=8192)[1] == counted(store)


def test_other_flags_and_unknown_models_are_refused(store: Path) -> None:
    with pytest.raises(UsageError, match="has no flag max_model_len"):
        held(store, NAME, "qwen3-8b-fp8", max_model_len=8192)
    with pytest.raises(EnvironmentFault, match="Ollama has no model other") as caught:
        held(store, "qwen3-8b-fp8", "ollama/other")
    assert "ollama/other=20GiB" in str(caught.value.hint)
