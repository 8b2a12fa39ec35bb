"""The doctor on a host that runs: failed starts, strangers, crash loops, over the fake engine."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sparkwell.app.diagnosing.whole import examine
from sparkwell.app.models import load_models
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import load_settings
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.snapshot import Snapshot, from_json, to_json
from sparkwell.core.findings import Finding
from sparkwell.store.breakers import Breakers
from sparkwell.store.database import reading
from tests.acceptance.conftest import Home, Json, wait_for

MODEL = "demo-qwen3"
SECRET = "hf_" + "Zq7" * 11 + "x"
WRITTEN = Path(__file__).parents[1] / "data" / "doctor" / "written"
REPLAY = """
import json, sys
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.snapshot import from_json
print(json.dumps([each.to_json() for each in judge(from_json(sys.stdin.buffer.read()))]))
"""


def look(home: Home, model: str | None = None) -> Snapshot:
    settings = load_settings(home.paths.config_file)
    environ = {**home.environ, "HF_TOKEN": SECRET}
    models = ModelService(home.paths, settings, load_models(home.paths, settings, ()), environ)
    began = time.monotonic()
    snapshot = asyncio.run(examine(models, model=model))
    assert time.monotonic() - began < 15
    assert from_json(to_json(snapshot)) == snapshot
    assert SECRET not in to_json(snapshot)
    return snapshot


def of(snapshot: Snapshot, check: str, severity: str = "error") -> Finding:
    found = [each for each in judge(snapshot) if (each.id, each.severity) == (check, severity)]
    assert found, [(each.id, each.severity.value) for each in judge(snapshot)]
    return found[0]


def instance(home: Home) -> Json:
    found: Json = home.json("status")["instances"][0]
    return found


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An engine that somebody has started by hand, as far as anybody can see."""
    folder = tmp_path / "by-hand"
    folder.mkdir()
    (folder / "serve").write_text("import time\ntime.sleep(60)\n")
    words = ["vllm", "serve", "org/by-hand"]
    with subprocess.Popen(words, executable=sys.executable, cwd=folder) as process:
        yield process
        process.kill()


def test_a_start_that_fails_says_why_everywhere(home: Home, script: Callable[..., None]) -> None:
    script(fail_at_phase="init", fail_log=str(WRITTEN / "memory-startup-check-spark-0.10.2.log"))
    done = home.run("up", MODEL, "--json")
    assert done.returncode == 2
    assert "memory-startup-check" in done.stdout + done.stderr
    failed = instance(home)
    assert failed["state"] == "failed"
    [found] = [each for each in failed["findings"] if each["severity"] == "error"]
    assert (found["id"], found["about"]) == ("memory-startup-check", MODEL)
    assert found["remedies"]
    [event] = home.json("events", "--kind", "instance.failed")["events"]
    assert event["data"]["findings"] == ["memory-startup-check"]
    with reading(home.paths.store) as db:
        assert db
        row = Breakers(db).load()[MODEL]
    assert row.first_findings[0]["id"] == "memory-startup-check"
    finding = of(look(home), "memory-startup-check")
    assert finding.about == MODEL
    home.run("down")
    alone = of(look(home), "memory-startup-check")  # the same without a daemon
    assert (alone.about, alone.evidence[0]) == (MODEL, finding.evidence[0])


def test_a_stranger_beside_ours_is_found(home: Home, stranger: subprocess.Popen[bytes]) -> None:
    asked = look(home, MODEL)
    assert asked.request
    assert asked.plan
    assert of(asked, "weights-missing", "ok")
    home.ok("up", MODEL)
    snapshot = look(home, MODEL)
    assert snapshot.request is None  # it runs: nothing is to start
    assert snapshot.gaps == ()
    assert [(run.model, run.state) for run in snapshot.runs or ()] == [(MODEL, "ready")]
    assert [log.model for log in snapshot.logs or ()] == [MODEL]
    finding = of(snapshot, "two-engines", "warning")
    assert f"process {stranger.pid}" in finding.title
    assert any(each.command == f"kill {stranger.pid}" for each in finding.remedies)
    elsewhere = subprocess.run(
        [sys.executable, "-c", REPLAY],
        input=to_json(snapshot).encode(),
        env={"PATH": "/nowhere", "HOME": "/nowhere", "SPARKWELL_HOME": "/nowhere"},
        capture_output=True,
        check=True,
    )
    assert json.loads(elsewhere.stdout) == [each.to_json() for each in judge(snapshot)]


def test_an_engine_that_dies_again_and_again(home: Home, script: Callable[..., None]) -> None:
    counter = home.root / "starts"
    script(die_after_s=0.3, die_code=-9, counter=str(counter))
    home.run("up", MODEL)
    script(die_after_s=0.3, die_code=3, counter=str(counter))
    wait_for(lambda: counter.stat().st_size >= 3 and instance(home)["state"] == "failed", 90)
    wait_for(lambda: _failures(home) >= 3)
    finding = of(look(home), "crash-loop")
    assert finding.about == MODEL
    [first] = [each for each in finding.evidence if each.startswith("first: ")]
    assert "killed by signal 9" in first


def _failures(home: Home) -> int:
    with reading(home.paths.store) as db:
        rows = Breakers(db).load() if db else {}
    return rows[MODEL].failures if MODEL in rows else 0
