"""A whole report stays one, and goes without the hosts of this machine's settings."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.app.verifying.parts import MODEL, bench, gathered, plan

from sparkwell.app.paths import find_paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.app.verifying.gathered import Step
from sparkwell.app.verifying.scrub import Private
from sparkwell.app.verifying.shape import Report
from sparkwell.app.verifying.whole import private_to, whole_report
from sparkwell.catalog import load_catalog

CATALOG = load_catalog()
RECIPE = CATALOG.get(MODEL)
SETTINGS = {
    "containers": {"images": {"vllm": "registry.corp.example:5000/ai/vllm:1"}},
    "models": {"demo-qwen3": {"image": "box.lan/vllm:2"}},
    "gateway": {"names": ["spark.corp.example"], "cors_origins": ["https://chat.corp.example"]},
}


def service(folder: Path, **settings: object) -> ModelService:
    environ = {"HOME": str(folder), "PATH": ""}
    return ModelService(find_paths(environ), Settings.model_validate(settings), CATALOG, environ)


def test_registries_and_names_of_the_settings_go_whatever_happened(tmp_path: Path) -> None:
    models = service(tmp_path, **SETTINGS)
    said = (
        "Image registry.corp.example:5000/ai/vllm:1 is not here, nor is box.lan/vllm:2; asked as "
    )
    said += "spark.corp.example from https://chat.corp.example"
    found = gathered(plan(), None, Step("up", "failed", 1.0, said))
    found.instance = None
    private = private_to(models, RECIPE, None)
    text = json.dumps(whole_report(models, RECIPE, found, private, requests=False))
    assert "[host]/ai/vllm:1" in text
    assert "corp.example" not in text
    assert "box.lan" not in text


@pytest.mark.parametrize(
    "word", ["plan", "name", "bench", "model", "vllm", "process", "kind", "figures", "sparkwell"]
)
@pytest.mark.parametrize("as_what", ["users", "hosts", "secrets"])
def test_a_name_that_is_a_word_of_the_format_leaves_it_whole(
    word: str, as_what: str, tmp_path: Path
) -> None:
    found = gathered(plan(), bench(plan()), Step("bench", "done"))
    found.instance = {**(found.instance or {}), "driver": "process"}
    words: Any = {as_what: (word,)}
    private = Private(**words)
    report = whole_report(service(tmp_path), RECIPE, found, private, requests=False)
    msgspec.convert(json.loads(json.dumps(report)), Report)
    assert report["kind"] == "sparkwell-verify"
    assert (report["engine"]["engine"], report["engine"]["driver"]) == ("vllm", "process")
    assert report["plan"]["model"]
    assert {"plan", "guides"} == report["summary"].keys()


def test_a_host_called_shape_leaves_the_plan_as_it_is(tmp_path: Path) -> None:
    found = gathered(plan(), None, Step("bench", "done"))
    report = whole_report(
        service(tmp_path), RECIPE, found, Private(hosts=("shape",)), requests=False
    )
    bare = whole_report(service(tmp_path), RECIPE, found, Private(), requests=False)
    assert report["question"]["described"].keys() == bare["question"]["described"].keys()
