"""Tuned profiles on this host: whose overlay is taken, and where one can be asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.catalog.overlays import overlay

from sparkwell.app.composing.making import Composing
from sparkwell.app.composing.wish import ComposeWish
from sparkwell.app.daemon import back_ends
from sparkwell.app.editing.trial import try_out
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.ways import Way, Ways
from sparkwell.app.models import load_models
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Wish
from sparkwell.app.preflight.plan import summary_of
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog
from sparkwell.catalog.tuned_files import write_tuned
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.core.units import GIB
from sparkwell.drivers.environments import Installed
from sparkwell.hardware.description import find_machine
from sparkwell.planner.question import Question

CATALOG = load_catalog()
NAME, DEMO = "qwen3-8b-fp8", "demo-qwen3"
UNTUNED = "mistral-nemo-12b-fp8"
"""No overlay of it comes with Sparkwell."""
TUNED = "tuned-throughput"
OF_DEMO = {
    "recipe": DEMO,
    "machine": "cpu",
    "total_bytes": find_machine("cpu").total_bytes,
    "version": "0.32.0",
    "flags": {"max_num_seqs": 77, "enforce_eager": True},
    "before_profile": "guide",
}
Make = Callable[..., ModelService]


def way(device: str = "cuda", version: str = "0.25.0") -> Way:
    return Way(version, device, environment=Installed("e", "vllm", device, version, "/e", "/p", ""))


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Models of a machine that has vLLM as a process."""
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way())
    monkeypatch.setattr(back_ends, "host_total_bytes", lambda: 126 * GIB)

    def made(hardware: str = "dgx-spark", **settings: Any) -> ModelService:
        paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
        chosen = Settings.model_validate(settings)
        models = ModelService(
            paths, chosen, load_models(paths, chosen, ()), {"HOME": str(tmp_path)}
        )
        models.planning.__dict__["here"] = find_machine(hardware)
        return models

    return made


@pytest.fixture
def on_cpu(make: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Models of a machine that has the CPU build."""
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way("cpu", "0.32.0"))
    return lambda **settings: make("cpu", **settings)


def tuned(models: ModelService, **changes: Any) -> dict[str, Any]:
    """Write an overlay among the user's own, and return its flags."""
    made = overlay(**changes)
    write_tuned(models.paths.tuned, made)
    return made.flags


def asked(models: ModelService, wish: Wish, name: str = NAME) -> Question:
    target = models.planning.target(name)
    return models.planning.question(target, as_started(models, target, wish))


def started(models: ModelService, wish: StartWish, name: str = NAME) -> dict[str, Any]:
    recipe = models.catalog.get(name)
    return models.choose_flags(recipe, models.ways.way(recipe), wish).flags


# ── whose it is ─────────────────────────────────────────────────────────────────────────────


def test_a_plan_and_a_start_take_its_flags(make: Make) -> None:
    models = make()
    flags = tuned(models)
    question = asked(models, Wish(profile=TUNED))
    assert question.flags == flags
    assert question.tuned == overlay()
    assert started(models, StartWish(profile=TUNED)) == flags
    assert started(models, StartWish({"seed": 3}, profile=TUNED)) == {**flags, "seed": 3}


def test_one_that_was_written_since_is_taken_at_once(make: Make) -> None:
    """A daemon does not have to be started again for what `tune` has found."""
    models = make()
    for flags in ({"max_num_seqs": 5}, {"max_num_seqs": 6}):
        tuned(models, flags=flags)
        assert asked(models, Wish(profile=TUNED)).flags == flags


def test_without_any_the_hint_says_how_to_get_some(make: Make) -> None:
    with pytest.raises(UsageError) as caught:
        asked(make(), Wish(profile=TUNED), UNTUNED)
    said = caught.value
    assert said.message.startswith(f"{UNTUNED} was not tuned for throughput on dgx-spark (")
    assert "with vLLM 0.25.0" in said.message
    assert f"{UNTUNED} was tuned for nothing" in (said.hint or "")
    assert f"`sparkwell tune {UNTUNED} --goal throughput`" in (said.hint or "")


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ({"machine": "h100-80gb"}, "tuned-throughput on h100-80gb with vLLM 0.25.0"),
        ({"version": "0.24.0"}, "tuned-throughput on dgx-spark with vLLM 0.24.0"),
        ({"goal": "latency"}, "tuned-latency on dgx-spark with vLLM 0.25.0"),
        ({"gpus": 2}, "tuned-throughput on 2 x dgx-spark with vLLM 0.25.0"),
        ({"total_bytes": 64 * GIB}, "on dgx-spark (64.0 GiB) with vLLM 0.25.0"),
    ],
)
def test_one_for_somebody_else_is_named_and_not_taken(
    make: Make, changes: dict[str, Any], there: str
) -> None:
    models = make()
    tuned(models, **changes)
    for refused in (Wish(profile=TUNED), Wish("dgx-spark", "0.25.0", TUNED)):
        with pytest.raises(UsageError) as caught:
            asked(models, refused)
        assert there in (caught.value.hint or "")


def test_a_file_that_was_left_out_is_named(make: Make) -> None:
    models = make()
    models.paths.tuned.mkdir(parents=True)
    (models.paths.tuned / "mine.yaml").write_text("goal: [")
    with pytest.raises(UsageError) as caught:
        asked(models, Wish(profile=TUNED))
    assert "mine.yaml:1: this is not YAML" in (caught.value.hint or "")


def test_a_described_machine_has_its_own(make: Make) -> None:
    models = make("cpu")
    flags = tuned(models, machine="h100-80gb")
    assert models.planning.plan(NAME, Wish("h100-80gb", "0.25.0", TUNED)).question.flags == flags


def test_flags_that_the_version_does_not_have_are_refused(make: Make) -> None:
    models = make()
    tuned(models, flags={"max_num_sequences": 5})
    with pytest.raises(UsageError, match=f"overlay {TUNED} of {NAME}: .*max_num_sequences"):
        asked(models, Wish(profile=TUNED))
    tuned(models, flags={"port": 80})
    with pytest.raises(UsageError, match="The flag port cannot be set"):
        asked(models, Wish(profile=TUNED))


def test_a_model_outside_the_catalog_has_none(make: Make) -> None:
    models = make()
    target = replace(models.planning.target(NAME), recipe=None)
    with pytest.raises(UsageError, match="only those are tuned"):
        models.planning.question(target, Wish("dgx-spark", "0.25.0", TUNED))


# ── settings, checks, the way back ──────────────────────────────────────────────────────────


def test_the_settings_can_name_it(make: Make) -> None:
    models = make(models={NAME: {"profile": TUNED, "flags": {"seed": 9}}})
    flags = tuned(models)
    assert started(models, StartWish()) == {**flags, "seed": 9}
    assert asked(models, Wish()).flags == {**flags, "seed": 9}
    assert asked(models, Wish(profile="balanced")).tuned is None


def test_what_does_not_fit_is_refused_with_the_way_back(make: Make) -> None:
    models = make()
    tuned(models, flags={"gpu_memory_utilization": 0.97}, before_profile="concurrency")
    with pytest.raises(ConflictError, match="does not fit on this machine") as caught:
        started(models, StartWish(profile=TUNED))
    back = f"- `sparkwell up {NAME} --profile concurrency` takes other flags."
    assert back in (caught.value.hint or "")
    assert started(models, StartWish(profile=TUNED, force=True))


def test_a_start_knows_the_way_back(on_cpu: Make) -> None:
    models = on_cpu()
    tuned(models, **OF_DEMO)
    recipe, how = models.catalog.get(DEMO), way("cpu", "0.32.0")
    assert models.choose_flags(recipe, how, StartWish(profile=TUNED)).way_back == "guide"
    assert models.choose_flags(recipe, how, StartWish()).way_back is None


def test_on_a_cpu_it_is_taken_too(on_cpu: Make) -> None:
    models = on_cpu()
    flags = tuned(models, **OF_DEMO)
    assert started(models, StartWish(profile=TUNED), DEMO) == flags
    assert asked(models, Wish(profile=TUNED), DEMO).flags == flags
    with pytest.raises(UsageError, match="was not tuned for latency on cpu"):
        started(models, StartWish(profile="tuned-latency"), DEMO)


def test_preflight_looks_at_the_same_plan(on_cpu: Make) -> None:
    """The recipe's flags do not come between: they are not the user's."""
    models = on_cpu()
    recipe, wish = models.catalog.get(DEMO), StartWish(profile=TUNED)
    tuned(models, **{**OF_DEMO, "flags": {"kv_cache_memory_bytes": 2 * GIB}})
    more = summary_of(models, recipe, wish, way("cpu", "0.32.0"))
    tuned(models, **{**OF_DEMO, "flags": {"kv_cache_memory_bytes": GIB}})
    less = summary_of(models, recipe, wish, way("cpu", "0.32.0"))
    assert more is not None
    assert less is not None
    assert more.held_bytes - less.held_bytes == pytest.approx(GIB, rel=0.1)


# ── where it is offered ─────────────────────────────────────────────────────────────────────


def test_the_form_offers_those_that_apply(make: Make) -> None:
    models = make()
    tuned(models)
    tuned(models, goal="goodput")
    tuned(models, goal="latency", version="0.24.0")
    trial = try_out(models, {}, models.catalog.get(NAME))
    assert trial.tuned_profiles == (TUNED, "tuned-goodput")
    assert try_out(models, {}, models.catalog.get("qwen3-32b-fp8")).tuned_profiles == ()


def test_the_form_says_that_the_profile_sets_its_flags(on_cpu: Make) -> None:
    models = on_cpu()
    tuned(models, **OF_DEMO)
    recipe = models.catalog.get(DEMO)
    own = Settings.model_validate({"models": {DEMO: {"profile": TUNED}}}).models
    assert try_out(models, own, recipe).source("max_num_seqs") == "profile"
    assert try_out(models, {}, recipe).source("max_num_seqs") == "recipe"


def test_a_compose_file_of_one_model_has_its_flags(make: Make) -> None:
    models = make()
    tuned(models, version="0.10.1.1")
    made = Composing(models).compose(ComposeWish((NAME,), "dgx-spark", TUNED))
    (service,) = yaml.safe_load(made.text)["services"].values()
    words = service["command"]
    assert words[words.index("--max-num-seqs") + 1] == "192"
    with pytest.raises(UsageError, match="was not tuned for latency"):
        Composing(models).compose(ComposeWish((NAME,), "dgx-spark", "tuned-latency"))


def test_a_compose_file_of_all_says_who_has_none(make: Make) -> None:
    models = make()
    tuned(models, version="0.10.1.1")
    notes = Composing(models).compose(ComposeWish((), "dgx-spark", TUNED)).notes
    assert f"qwen3-32b-fp8 has no profile {TUNED}: its flags are balanced." in notes
    assert not any(note.startswith(f"{NAME} has no") for note in notes)
