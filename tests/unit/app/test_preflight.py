"""From a model's name to what is looked at, and from a report to a refusal."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

import sparkwell.app.preflight.report as preflight_module
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.lock import held
from sparkwell.app.models import load_models
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Wish
from sparkwell.app.preflight.plan import summary
from sparkwell.app.preflight.report import Asked, Report, must_pass, preflight, preflight_and_fix
from sparkwell.app.preflight.scope import daemon_pid, scope_of
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import GIB
from sparkwell.supervisor.telling import findings_of
from sparkwell.testing.environment import install_fake_environment


def service(tmp_path: Path, settings: Settings | None = None) -> ModelService:
    environ = {"SPARKWELL_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": "/nowhere"}
    paths = find_paths(environ)
    install_fake_environment(paths.engines)
    chosen = settings or Settings()
    return ModelService(paths, chosen, load_models(paths, chosen, ()), environ)


def asked(models: ModelService, name: str, **wish: str) -> Asked:
    return Asked(models.catalog.get(name), StartWish(**wish))  # type: ignore[arg-type]


async def test_a_demo_model_that_can_be_started(tmp_path: Path) -> None:
    models = service(tmp_path)
    report = await preflight(models, asked(models, "demo-qwen3"))
    assert report.driver == "process"
    assert {each.id for each in report.findings} >= {
        "engine-missing", "weights-missing", "plan-does-not-fit", "host-memory-low",
    }  # fmt: skip
    assert not {each.id for each in report.findings} & {"docker-unreachable", "gpu-missing"}


async def test_what_is_missing_is_found_and_not_raised(tmp_path: Path) -> None:
    models = service(tmp_path)
    report = await preflight(models, asked(models, "qwen3-32b-fp8"))
    assert report.driver == "process"  # there is no docker in this PATH
    assert not report.ok
    errors = {each.id for each in report.findings if each.severity is Severity.ERROR}
    assert "engine-missing" in errors


async def test_flags_that_cannot_be_planned_are_wrong_usage(tmp_path: Path) -> None:
    models = service(tmp_path)
    wish = replace(asked(models, "demo-qwen3"), wish=StartWish({"kv_cache_dtype": "int3"}))
    with pytest.raises(UsageError):
        await preflight(models, wish)


async def test_a_plan_that_takes_too_long_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight_module, "summary_of", lambda *_: time.sleep(1))
    monkeypatch.setattr(preflight_module, "PLAN_LIMIT_S", 0.0)
    models = service(tmp_path)
    report = await preflight(models, asked(models, "demo-qwen3"))
    assert report.snapshot.plan is None
    [gap] = [each for each in report.findings if each.id == "not-looked-at"]
    assert "plan: not done within 0 s" in gap.evidence


async def test_repairs_without_an_end_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight_module, "fixes", lambda _: ("stale-download",))
    monkeypatch.setattr(preflight_module, "apply", lambda *_: time.sleep(1))
    monkeypatch.setattr(preflight_module, "FIX_LIMIT_S", 0.0)
    models = service(tmp_path)
    with pytest.raises(EnvironmentFault, match=r"\(stale-download\) had no end within 0 s"):
        await preflight_and_fix(models, asked(models, "demo-qwen3"))


def test_an_image_is_known_by_its_name(tmp_path: Path) -> None:
    models = service(tmp_path)
    scope = scope_of(models, asked(models, "qwen3-32b-fp8", driver="compose"), None)
    assert scope.request
    assert scope.request.driver == "compose"
    assert scope.image
    assert scope.image.name == "nvcr.io/nvidia/vllm:25.09-py3"
    assert scope.image.cuda_version == "13.0"


def test_the_settings_image_comes_first(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"models": {"qwen3-32b-fp8": {"image": "mine/vllm:v0.20.0", "driver": "compose"}}}
    )
    models = service(tmp_path, settings)
    scope = scope_of(models, asked(models, "qwen3-32b-fp8"), None)
    assert scope.image
    assert scope.image.name == "mine/vllm:v0.20.0"


def test_weights_go_where_pull_puts_them(tmp_path: Path) -> None:
    settings = Settings.model_validate({"folders": {"models": str(tmp_path / "weights")}})
    models = service(tmp_path, settings)
    found = scope_of(models, asked(models, "qwen3-8b-fp8"), None).checkpoint
    assert found
    assert found.target == tmp_path / "weights"
    assert tmp_path / "weights" / "hub" in found.folders
    bundled = scope_of(models, asked(models, "demo-qwen3"), None).checkpoint
    assert bundled
    assert (bundled.bundled, bundled.snapshot is not None) == (True, True)


def test_the_daemon_is_known_by_its_lock(tmp_path: Path) -> None:
    models = service(tmp_path)
    models.paths.make()
    assert daemon_pid(models.paths) is None
    with held(models.paths.lock):
        assert daemon_pid(models.paths)
    assert daemon_pid(models.paths) is None


def test_the_figures_of_a_plan(tmp_path: Path) -> None:
    planning = service(tmp_path).planning
    old = summary(planning.plan("qwen3-32b-fp8", Wish("dgx-spark", "0.10.1.1")))
    assert old.fits
    assert old.counts_page_cache
    assert old.startup_bytes
    assert old.total_bytes * 0.5 < old.startup_bytes < old.total_bytes
    assert old.low_point_bytes is not None
    assert old.low_point_bytes >= old.floor_bytes > 0
    new = summary(planning.plan("qwen3-32b-fp8", Wish("dgx-spark", "0.25.0")))
    assert not new.counts_page_cache
    wide = Wish("dgx-spark", "0.25.0", flags={"gpu_memory_utilization": 0.99})
    assert summary(planning.plan("qwen3-32b-fp8", wide)).problems
    h100 = summary(planning.plan("qwen3-8b-fp8", Wish("h100-80gb", "0.25.0")))
    assert (h100.low_point_bytes, h100.counts_page_cache) == (None, False)
    assert h100.held_bytes < 80 * GIB


def report(*findings: Finding) -> Report:
    return Report("a-model", "compose", findings, None)  # type: ignore[arg-type]


def test_a_report_without_errors_passes() -> None:
    must_pass(report(Finding("x", Severity.WARNING, "Look")))


def test_a_refusal_says_what_where_and_what_next() -> None:
    remedy = Remedy("End it.", "kill 5")
    held_ = Finding("port-in-use", Severity.ERROR, "Port 1 is held", ("in use",), None, (remedy,))
    with pytest.raises(EnvironmentFault) as caught:
        must_pass(report(held_, Finding("y", Severity.ERROR, "More")))
    assert caught.value.message == (
        "a-model cannot be started: Port 1 is held: in use. (1 more: `sparkwell preflight a-model`)"
    )
    assert caught.value.hint == "- End it. `kill 5`\n- --force starts it all the same."
    assert [each.id for each in findings_of(caught.value)] == ["port-in-use", "y"]


def test_the_json_form_is_stable() -> None:
    document = report(Finding("x", Severity.OK, "Fine")).to_json()
    assert list(document) == ["model", "driver", "ok", "findings", "fixed"]
    assert document["ok"] is True
