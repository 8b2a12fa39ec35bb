"""The collection on this machine, whatever it is, and with everything missing."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.checks.docker_parts import Image
from sparkwell.checks.model_parts import Environment, Repo, Request
from sparkwell.checks.preflight import preflight
from sparkwell.checks.snapshot import Snapshot, from_json, to_json
from sparkwell.core.errors import EnvironmentFault
from sparkwell.doctor import collect as module
from sparkwell.doctor.collect import collect
from sparkwell.doctor.scope import Checkpoint, Scope

TOKEN = "hf_" + "Zq7" * 11 + "x"
WRONG_TOKEN = "sk-" + "Zq7" * 11


@pytest.fixture
def scope(tmp_path: Path) -> Scope:
    return Scope(
        environ={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HF_TOKEN": TOKEN},
        request=Request("qwen3-32b-fp8", "compose", "cuda", "vllm"),
        environment=Environment("vllm"),
        image=Image("h-d/nowhere:1"),
        repo=Repo("org/model", gated=True),
        checkpoint=Checkpoint(10**9, folders=(tmp_path / "hf",), target=tmp_path / "hf"),
        ports=(("127.0.0.1", 0),),
        state=tmp_path,
        deep=True,
    )


async def test_this_machine(scope: Scope, tmp_path: Path) -> None:
    found = await collect(scope)
    assert found.gaps == ()
    assert found.system
    assert found.system.memory.total_bytes
    assert found.system.kernel == os.uname().release
    assert found.machine
    assert found.docker
    assert found.token
    assert (found.token.present, found.token.where) == (True, "HF_TOKEN")
    assert found.weights
    assert found.weights.missing_bytes == 10**9
    assert found.folders
    assert found.folders[0].path == str(tmp_path / "hf")
    assert found.engines is not None
    assert from_json(to_json(found)) == found


@pytest.mark.parametrize("token", [TOKEN, WRONG_TOKEN, f"{TOKEN} "])
async def test_the_token_is_nowhere(scope: Scope, token: str) -> None:
    found = await collect(replace(scope, environ={**scope.environ, "HF_TOKEN": token}))
    findings = preflight(found)
    everything = to_json(found) + repr(found) + repr(findings) + repr(scope.request)
    everything += repr([finding.to_json() for finding in findings])
    assert token.strip() not in everything
    assert "Zq7Zq7" not in everything
    assert "HF_TOKEN" in everything


async def test_without_docker_it_is_told_and_not_raised(scope: Scope) -> None:
    found = await collect(replace(scope, environ={"PATH": "/nowhere"}))
    assert found.docker
    assert found.docker.trouble == "missing"
    errors = {each.id for each in preflight(found) if each.severity == "error"}
    assert "docker-unreachable" in errors


async def test_a_daemon_that_is_not_there(scope: Scope) -> None:
    environ = {**scope.environ, "DOCKER_HOST": "unix:///nowhere"}
    found = await collect(replace(scope, environ=environ))
    assert found.docker
    assert found.docker.trouble in ("unreachable", "missing")


async def test_without_anything_to_look_at() -> None:
    found = await collect(Scope(environ={"PATH": "/nowhere"}))
    assert (found.request, found.image, found.weights, found.ports) == (None, None, None, ())
    assert found.gaps == ()
    assert {each.id for each in preflight(found)} <= {"two-engines"}


async def test_a_part_that_hangs_is_a_gap(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(module, "LIMIT_S", 0.3)
    monkeypatch.setattr(module, "look_at_folder", lambda *_: release.wait())
    began = time.monotonic()
    found = await collect(scope)
    release.set()
    assert time.monotonic() - began < 5
    assert found.folders is None
    assert [gap.part for gap in found.gaps] == ["folders"]
    assert "no answer" in found.gaps[0].why


async def test_a_part_that_fails_is_a_gap(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(module, "list_processes", fail)
    found = await collect(scope)
    assert found.engines is None
    assert [(gap.part, gap.why) for gap in found.gaps] == [
        ("processes", "RuntimeError: no such thing")
    ]


async def test_a_machine_that_nobody_recognises(
    scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise EnvironmentFault("The memory cannot be read.")

    monkeypatch.setattr(module, "recognise", refuse)
    found = await collect(scope)
    assert found.machine is None
    assert found.system
    assert [gap.why for gap in found.gaps] == ["The memory cannot be read."]


async def test_it_is_quick(scope: Scope) -> None:
    await collect(scope)
    began = time.process_time()
    found: Snapshot = await collect(scope)
    assert time.process_time() - began < 1
    assert found.docker
