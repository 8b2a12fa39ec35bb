"""Which model is measured, and how it is asked."""

from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.paths import find_paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import GatewaySettings, Settings
from sparkwell.app.subject import Subject, by_text, elsewhere, own_subject, running
from sparkwell.catalog import load_catalog

OLLAMA = {
    "model": "ollama/qwen3:8b", "state": "ready", "engine": "ollama", "engine_version": "0.12.6",
    "endpoint": "127.0.0.1:11434", "flags": {"num_ctx": 8192},
}  # fmt: skip
STATUS: dict[str, Any] = {"instances": [OLLAMA], "gateway": "http://127.0.0.1:8000"}


def subject(tmp_path: Path, *, direct: bool = False, **changes: Any) -> Subject:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    models = ModelService(paths, Settings(), load_catalog(), {"HOME": str(tmp_path)})
    return own_subject(models, GatewaySettings(), STATUS, {**OLLAMA, **changes}, direct=direct)


def test_a_model_of_ollamas_is_measured_with_text(tmp_path: Path) -> None:
    found = subject(tmp_path)
    assert running(STATUS, None) == OLLAMA
    assert found.text
    assert found.target.path == "/v1/chat/completions"
    assert (found.model, found.served, found.plan) == ("ollama/qwen3:8b", None, None)
    assert found.machine is not None


def test_its_own_server_knows_it_by_another_name(tmp_path: Path) -> None:
    found = subject(tmp_path, direct=True)
    assert (found.target.host, found.target.port) == ("127.0.0.1", 11434)
    assert found.served == "sparkwell/qwen3:8b-ctx8192"
    assert found.model == "ollama/qwen3:8b"


@pytest.mark.parametrize(("context", "most"), [(32_768, 32_441), (2048, 2016), (32, 16)])
def test_lengths_that_are_near_have_some_room(tmp_path: Path, context: int, most: int) -> None:
    assert subject(tmp_path, flags={"num_ctx": context}).most_tokens == most


def test_another_endpoint_is_asked_as_is_wished() -> None:
    ids = elsewhere("http://box:8000/v1/", "m", "key")
    text = by_text(ids)
    assert (ids.target.path, ids.text) == ("/v1/completions", False)
    assert (text.target.path, text.text) == ("/v1/chat/completions", True)
    assert (text.target.key, text.most_tokens) == ("key", None)
    assert by_text(text) == text
