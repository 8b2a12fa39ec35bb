"""What the dashboard saved is what the next start takes, without a new daemon."""

from pathlib import Path

import pytest

from sparkwell.app.daemon import back_ends
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.editing.editing import Editing
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.ways import Way, Ways
from sparkwell.app.paths import find_paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import DocumentError
from sparkwell.core.units import GIB
from sparkwell.drivers.environments import Installed
from sparkwell.hardware.description import find_machine
from sparkwell.web.services import RecipeEdit

CATALOG = load_catalog()
NAME = "qwen3-8b-fp8"
INSTALLED = Installed("vllm", "vllm", "cuda", "0.25.0", "/e", "/e/bin/python", "")
PROCESS = Way("0.25.0", "cuda", environment=INSTALLED)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelService:
    monkeypatch.setattr(Ways, "way", lambda *_of_what: PROCESS)
    monkeypatch.setattr(back_ends, "host_total_bytes", lambda: 126 * GIB)
    made = ModelService(
        find_paths({"SPARKWELL_HOME": str(tmp_path / "home")}),
        Settings.model_validate({"gateway": {"port": 8123}}),
        CATALOG,
        {"HOME": str(tmp_path)},
    )
    made.planning.__dict__["here"] = find_machine("dgx-spark")
    return made


async def test_the_next_start_goes_by_what_was_saved(models: ModelService, tmp_path: Path) -> None:
    file = tmp_path / "sparkwell.yaml"
    terms = TermsMaker(models, lambda *_of_what: {})
    recipe = CATALOG.get(NAME)
    sizes = terms._sizes.of(recipe, PROCESS, StartWish())

    def adopt(settings: Settings) -> None:
        for model in models.use(settings):
            terms.forget(model)

    editing = Editing(models, file, adopt=adopt)
    form = await editing.recipe(NAME)
    flags, limits = {"gpu_memory_utilization": "0.5", "max_num_seqs": "4"}, {"pinned": "true"}
    preview = await editing.save(NAME, RecipeEdit("", flags, limits, form.revision))
    assert preview.plan is not None
    chosen = models.choose_flags(recipe, PROCESS, StartWish())
    assert chosen.flags == preview.plan["flags"]
    assert chosen.flags["max_num_seqs"] == 4
    assert models.changes(recipe).pinned
    assert models.settings.gateway.port == 8123
    assert terms._sizes.of(recipe, PROCESS, StartWish()) != sizes


def test_settings_without_a_sense_change_nothing(models: ModelService) -> None:
    before = models.settings
    with pytest.raises(DocumentError):
        models.use(Settings.model_validate({"models": {"nobody": {}}}))
    assert models.settings is before
    names = models.use(Settings.model_validate({"models": {NAME: {"flags": {"seed": 1}}}}))
    assert names == [NAME]
    assert models.use(models.settings) == []
    assert models.use(Settings()) == [NAME]
