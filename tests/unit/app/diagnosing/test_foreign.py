"""A snapshot that somebody sent: nothing of it gets into commands as words of a shell."""

import json
import re
from pathlib import Path

import pytest
from tests.unit.checks.hosts import GOOD

from sparkwell.app.diagnosing.diagnosis import diagnose
from sparkwell.app.diagnosing.files import saved_snapshot
from sparkwell.app.diagnosing.foreign import harmless
from sparkwell.checks.box import BoxState, FailedModel
from sparkwell.checks.host_parts import Engine, Folder, Port
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.run_parts import Run
from sparkwell.checks.serving_parts import Serving, Slowed
from sparkwell.checks.serving_window import Moment, window_of
from sparkwell.checks.snapshot import Snapshot, to_json
from sparkwell.core.errors import DocumentError
from sparkwell.core.findings import Remedy

EVIL = "x;touch${IFS}y\ntouch y"
LINES = digest(["ValueError: No available memory for the cache blocks. Try"], "a").lines
BUSY = [Moment(10.0 * at, {"running": 1.0, "output_tokens_per_s": 3.0}) for at in range(60)]
SENT = Snapshot(
    0.0,
    "t",
    ports=(Port("0.0.0.0", 8000, problem="in use", holder="x", container=EVIL),),
    engines=(
        Engine("vllm", ours=True, pid=7, model=EVIL, orphan=False),
        Engine("vllm", pid=8, container=EVIL, orphan=False),
    ),
    folders=(Folder("cache", f"/opt/{EVIL}'", exists=False, writable=False),),
    logs=(LogDigest("a.log", LINES, model=EVIL, instance=EVIL, engine="vllm"),),
    runs=(Run(EVIL, EVIL, "failed", failures=9, restarts=9, error="x"),),
    serving=(
        Serving(EVIL, window_of(BUSY), flags={"enforce_eager": True}),
        Serving("a", window_of(BUSY), slowed_by=(Slowed("a", "b", Remedy("Do", "touch z", "z")),)),
    ),
    box=BoxState(failed=(FailedModel(EVIL, "x"),), restarts=((EVIL, 9),)),
)


def commands(snapshot: Snapshot) -> list[str]:
    found = diagnose(snapshot).findings
    return [each.command or "" for finding in found for each in finding.remedies]


def test_it_would_without_this() -> None:
    assert any("touch" in each for each in commands(SENT))
    assert "touch z" in commands(SENT)


def test_no_command_has_words_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(to_json(SENT))
    typed = commands(saved_snapshot(tmp_path / "s.json"))
    assert len(typed) > 5
    for each in typed:
        bare = re.sub(r"'[^'\n]*'", "", each.replace("'\\''", ""))  # what no quotes keep together
        assert "touch " not in bare
        assert ";touch" not in bare
        assert "${" not in bare
        assert "\n" not in each


def test_what_is_named_well_stays_as_it_is() -> None:
    assert harmless(GOOD) == GOOD


@pytest.mark.parametrize("name", ["qwen3-8b-fp8", "hf:Qwen/Qwen3-8B", "nvcr.io/nvidia/vllm:26.01"])
def test_names_stay(name: str) -> None:
    log = LogDigest("a.log", model=name)
    assert harmless(Snapshot(0.0, "t", logs=(log,))).logs == (log,)


def test_a_name_is_no_option() -> None:
    runs = harmless(Snapshot(0.0, "t", runs=(Run("a-1", "--config", "failed"),))).runs
    assert runs is not None
    assert runs[0].model == "_config"


def test_a_sentence_of_a_snapshot_is_not_changed() -> None:
    run = Run("a-1", "a", "failed", error="it failed: 'x'; $y", last_line="a; b")
    assert harmless(Snapshot(0.0, "t", runs=(run,))).runs == (run,)


def test_the_place_of_a_mistake_is_shown_harmlessly(tmp_path: Path) -> None:
    flags: dict[str, object] = {"\x1b]0;x\x07" + "k" * 900: {}}
    run = {"id": "a", "model": "a", "state": "x", "flags": flags}
    text = json.dumps({"taken_at": 0, "sparkwell": "t", "runs": [run]})
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DocumentError) as error:
        saved_snapshot(tmp_path / "s.json")
    assert "\x1b" not in error.value.message
    assert len(error.value.message) < 600


def test_a_newer_snapshots_version_is_shown_harmlessly(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(
        json.dumps({"taken_at": 0, "sparkwell": "\x1b[2J9" * 90, "format": 99})
    )
    with pytest.raises(DocumentError) as error:
        saved_snapshot(tmp_path / "s.json")
    assert "\x1b" not in f"{error.value.message}{error.value.hint}"
    assert len(error.value.hint or "") < 200


def test_a_log_is_no_longer_than_one_of_ours() -> None:
    """All checks read it: a file of 64 MB may be one line."""
    lines = (LogLine(1, "non-default args: " * 200_000), *(LogLine(n, "x") for n in range(90_000)))
    (log,) = harmless(Snapshot(0.0, "t", logs=(LogDigest("a.log", lines),))).logs or ()
    assert sum(len(each.text) for each in log.lines) < 10_000
    assert len(log.lines) < 5_000
