"""`sparkwell doctor`: what goes together, what it prints, its exit codes."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from sparkwell.app.diagnosing import diagnosis as doctoring
from sparkwell.app.diagnosing.files import save_snapshot
from sparkwell.checks.diagnosis.known import known
from sparkwell.checks.host_parts import Engine, Folder, Port, System
from sparkwell.checks.snapshot import Gap, Snapshot, from_json
from sparkwell.cli.context import Context
from sparkwell.cli.doctor import command as module
from sparkwell.cli.doctor import wish as doctor_wish
from sparkwell.cli.main import cli
from sparkwell.core.errors import SparkwellError
from sparkwell.doctor.fixes import Fixed

NO_BLOCKS = (
    "(APIServer pid=1) INFO 09-30 10:00:00 [api_server.py:1] vLLM API server version 0.10.2\n"
    "(APIServer pid=1) INFO 09-30 10:00:01 [utils.py:1] non-default args: "
    "{'model': 'Qwen/Qwen3-32B-FP8', 'max_model_len': 32000}\n"
    "(EngineCore_DP0 pid=71) INFO 09-30 10:01:02 [w.py:298] Available KV cache memory: -3.1 GiB\n"
    "(EngineCore_DP0 pid=71) ValueError: No available memory for the cache blocks. Try increasing\n"
)
WELL = Snapshot(time.time(), "test", system=System(), ports=(Port("127.0.0.1", 8000),))
HELD = replace(WELL, ports=(Port("127.0.0.1", 8000, "it is in use", "nginx", 7),))
NO_FOLDER = replace(WELL, folders=(Folder("cache", "/nowhere/hf", False, True),))


class Doctor:
    """The command, with a host that is what the test says."""

    def __init__(self, home: Path) -> None:
        self.context = Context({"SPARKWELL_HOME": str(home)}, None, (), system=False)
        self.hosts = [WELL]
        self.asked: list[str | None] = []

    async def look(self, _models: object, model: str | None, _file: object) -> Snapshot:
        self.asked.append(model)
        return self.hosts.pop(0) if len(self.hosts) > 1 else self.hosts[0]

    def __call__(self, *words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(module.doctor, words, obj=self.context, input=given)

    def json(self, *words: str, given: str | None = None) -> Any:
        return json.loads(self(*words, "--json", given=given).stdout)


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    there = Doctor(tmp_path)
    monkeypatch.setattr(doctoring, "look_at_host", there.look)
    return there


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "engine.log"
    file.write_text(NO_BLOCKS)
    return file


# ── a host ──────────────────────────────────────────────────────────────────────────────────


def test_a_host_that_is_well_gets_one_line(doctor: Doctor) -> None:
    result = doctor()
    assert result.exit_code == 0
    assert result.output == f"✓ Nothing found: {len(known())} checks of the host.\n"


def test_verbose_shows_what_is_well(doctor: Doctor) -> None:
    assert "✓ Port 8000 is free (port-in-use)\n" in doctor("-v").output


def test_an_error_is_exit_code_one(doctor: Doctor) -> None:
    doctor.hosts = [HELD]
    result = doctor()
    assert result.exit_code == 1
    assert "✗ Port 8000 is held by nginx (process 7) (port-in-use)" in result.output
    assert "        kill 7\n" in result.output
    assert "1 error: " in result.output


def test_a_warning_is_no_error(doctor: Doctor) -> None:
    doctor.hosts = [replace(WELL, folders=(Folder("cache", "/r", True, True, 10**12, "tmpfs"),))]
    result = doctor()
    assert (result.exit_code, "1 warning: " in result.output) == (0, True)


def test_what_could_not_be_looked_at_is_said(doctor: Doctor) -> None:
    doctor.hosts = [replace(WELL, gaps=(Gap("docker", "no answer within 5 s"),))]
    assert "docker: no answer within 5 s" in doctor().output


def test_a_model_is_looked_for_in_the_catalog(doctor: Doctor) -> None:
    doctor("--model", "Qwen/Qwen3-8B-FP8")
    assert doctor.asked == ["qwen3-8b-fp8"]
    wrong = doctor("--model", "qwen3-8b-fp9")
    assert isinstance(wrong.exception, SparkwellError)
    assert "qwen3-8b-fp8" in (wrong.exception.hint or "")


def test_json_is_one_document(doctor: Doctor) -> None:
    doctor.hosts = [HELD]
    document = doctor.json()
    assert document["ok"] is False
    assert {"taken_at", "sparkwell", "checks", "logs", "saved"} <= document.keys()
    assert document["findings"][0]["id"] == "port-in-use"


# ── a log ───────────────────────────────────────────────────────────────────────────────────


def test_a_log_is_judged_alone_and_names_its_model(doctor: Doctor, log: Path) -> None:
    result = doctor("--log", str(log))
    assert result.exit_code == 1
    assert "✗ No memory remains for the KV cache (kv-cache-none)" in result.output
    assert "line 4: " in result.output
    assert "sparkwell plan qwen3-32b-fp8 --explain" in result.output
    assert "(4 lines, vLLM 0.10.2, qwen3-32b-fp8)" in result.output
    assert doctor.asked == []


def test_whose_log_it_is_can_be_said(doctor: Doctor, log: Path) -> None:
    text = doctor("--log", str(log), "--model", "qwen3-32b").output
    assert "sparkwell plan qwen3-32b --explain" in text


def test_what_is_no_log_of_an_engine_is_not_called_well(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("milk\nbread\n")
    result = doctor("--log", str(tmp_path / "notes.txt"))
    assert result.exit_code == 0
    assert result.output.startswith("! Nothing found: ")
    assert "No line of it is known as one of vLLM or Ollama" in result.output


def test_a_fix_is_done_on_the_machine_of_the_log(doctor: Doctor, tmp_path: Path) -> None:
    refused = (
        "INFO 11-20 10:00:05 [core.py:1] Initializing a V1 LLM engine (v0.10.2) with config: x\n"
        "ValueError: Free memory on device (61.05/119.67 GiB) on startup is less than desired GPU "
        "memory utilization (0.9, 107.7 GiB). Decrease GPU memory utilization"
    )
    (tmp_path / "refused.log").write_text(refused)
    text = " ".join(doctor("--log", str(tmp_path / "refused.log")).output.split())
    assert "(on that machine `sparkwell doctor --fix` does it)" in text


def test_a_log_is_judged_though_the_settings_are_broken(doctor: Doctor, log: Path) -> None:
    doctor.context.paths.config.mkdir(parents=True)
    doctor.context.paths.config_file.write_text("gateway: {prot: 1}\n")
    assert "kv-cache-none" in doctor("--log", str(log)).output
    assert isinstance(doctor().exception, SparkwellError)


# ── snapshots ───────────────────────────────────────────────────────────────────────────────


def test_what_is_saved_is_judged_alike_elsewhere(doctor: Doctor, tmp_path: Path) -> None:
    doctor.hosts, file = [HELD], tmp_path / "host.json"
    first = doctor.json("--save", str(file))
    assert first["saved"] == str(file)
    assert file.stat().st_mode & 0o777 == 0o600
    elsewhere = Doctor(tmp_path / "other")
    assert elsewhere.json("--snapshot", str(file))["findings"] == first["findings"]
    assert elsewhere("--snapshot", str(file)).exit_code == 1


def test_saving_says_what_is_in_it(doctor: Doctor, tmp_path: Path) -> None:
    said = " ".join(doctor("--save", str(tmp_path / "a.json")).stderr.split())
    assert "for you alone to read" in said
    assert "machine and memory, ports" in said
    assert "Tokens" in said


def test_a_file_is_not_written_over_unless_by_force(doctor: Doctor, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("mine")
    result = doctor("--save", str(file))
    assert "exists already" in str(result.exception)
    assert file.read_text() == "mine"
    assert doctor("--save", str(file), "--force").exit_code == 0
    assert from_json(file.read_bytes()).ports == WELL.ports
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".tmp"] == []


@pytest.mark.parametrize("force", [True, False])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, force: bool) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("folder", "link"):
        with pytest.raises(SparkwellError, match="it is no file"):
            save_snapshot(WELL, tmp_path / name, force=force)
    assert (tmp_path / "link").is_char_device()


def test_where_nobody_may_write_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SparkwellError, match="cannot be written"):
        save_snapshot(WELL, tmp_path / "none" / "a.json", force=False)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.log", b"INFO 09-30 healthy\n", "no snapshot"),
        ("a.bin", bytes(range(256)), "no snapshot"),
        ("empty", b"", "no snapshot"),
        ("new.json", b'{"format": 99, "taken_at": 1, "sparkwell": "9.0"}', "9.0 or newer"),
    ],
)
def test_what_is_no_snapshot_is_refused(
    doctor: Doctor, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    result = doctor("--snapshot", str(tmp_path / name))
    assert isinstance(result.exception, SparkwellError)
    assert said in str(result.exception)


@pytest.mark.parametrize("what", ["nothing-there", ".", "/dev/zero"])
def test_what_cannot_be_read_is_refused(doctor: Doctor, what: str) -> None:
    result = doctor("--snapshot", what)
    assert "cannot be read" in str(result.exception)


# ── --fix ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def repaired(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []

    async def repair(names: tuple[str, ...], _snapshot: Snapshot) -> tuple[Fixed, ...]:
        done.extend(names)
        return tuple(Fixed(name, True, "Made /nowhere/hf.") for name in names)

    monkeypatch.setattr(doctoring, "repair", repair)
    return done


def test_fix_says_what_it_did_and_what_is_gone(doctor: Doctor, repaired: list[str]) -> None:
    doctor.hosts = [NO_FOLDER, WELL]
    text = click.unstyle(doctor("--fix", "--yes").output)
    assert repaired == ["make-cache-folder"]
    assert "fixed: Made /nowhere/hf.\n" in text
    assert "gone: The folder for weights is not there yet" in text
    assert text.rstrip().endswith("checks of the host.")


def test_fix_json_has_what_was_done(doctor: Doctor, repaired: list[str]) -> None:
    doctor.hosts = [NO_FOLDER, WELL]
    document = doctor.json("--fix", "--yes")
    assert [each["fix"] for each in document["fixed"]] == repaired == ["make-cache-folder"]
    assert all(each["severity"] == "ok" for each in document["findings"])


@pytest.mark.parametrize(("answer", "done"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_each_is_asked_for(
    doctor: Doctor, repaired: list[str], monkeypatch: pytest.MonkeyPatch, answer: str, done: bool
) -> None:
    monkeypatch.setattr(doctor_wish, "nobody_to_ask", lambda: False)
    doctor.hosts = [NO_FOLDER, WELL]
    text = doctor("--fix", given=answer).output
    assert "Make it now? [y/N]" in text
    assert bool(repaired) is done
    assert ("Nothing was changed." in text) is not done


def test_one_question_names_all_that_one_yes_does(
    doctor: Doctor, repaired: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two orphans are two processes that end."""
    monkeypatch.setattr(doctor_wish, "nobody_to_ask", lambda: False)
    orphans = tuple(Engine("vllm", pid=pid, orphan=True, started_at=1.0) for pid in (71, 72))
    doctor.hosts = [replace(WELL, engines=orphans), WELL]
    question = doctor("--fix", given="y\n").output.partition("[y/N]")[0].splitlines()[-1]
    assert "(process 71)" in question
    assert "(process 72)" in question
    assert repaired == ["end-orphan"]


def test_without_a_terminal_it_is_not_guessed(doctor: Doctor, repaired: list[str]) -> None:
    for words in (("--fix",), ("--fix", "--json")):
        result = doctor(*words)
        assert "there is nobody to ask" in str(result.exception)
    assert (repaired, doctor.asked) == ([], [])


def test_nothing_to_mend_is_said(doctor: Doctor, repaired: list[str]) -> None:
    doctor.hosts = [HELD]
    result = doctor("--fix", "--yes")
    assert "the remedies above are yours" in result.output
    assert (repaired, result.exit_code) == ([], 1)


# ── --list and explain ──────────────────────────────────────────────────────────────────────


def test_all_checks_are_listed(doctor: Doctor) -> None:
    lines = doctor("--list").output.splitlines()
    assert len(lines) == len(known()) + 1
    assert any(line.startswith("kv-cache-none ") and " error " in line for line in lines)
    listed = doctor.json("--list")["checks"]
    assert [each["id"] for each in listed] == [each.id for each in known()]


@pytest.mark.parametrize("check", [each.id for each in known()])
def test_each_check_is_explained(doctor: Doctor, check: str) -> None:
    text = doctor("explain", check).output
    for part in ("Asks:", "Looks like:", "Cause:", "Known from:"):
        assert f"{part}\n    " in text
    assert "What helps, in this order:\n    → " in text or "There is nothing to do.\n" in text
    assert doctor("explain", check, "--json").exit_code == 0


def test_an_unknown_id_has_near_ones(doctor: Doctor) -> None:
    error = doctor("explain", "kv-cache-nine").exception
    assert isinstance(error, SparkwellError)
    assert "kv-cache-none" in (error.hint or "")
    assert isinstance(doctor("explain", "x").exception, SparkwellError)


# ── what does not go together ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "words",
    [
        ("--log", "a", "--snapshot", "b"),
        ("--snapshot", "a", "--save", "b"),
        ("--snapshot", "a", "--model", "m"),
        ("--log", "a", "--fix", "--yes"),
        ("--snapshot", "a", "--fix", "--yes"),
        ("--yes",),
        ("--force",),
        ("--save", "-"),
        ("--list", "--log", "a"),
        ("--fix", "explain", "disk-full"),
        ("--list", "explain", "disk-full"),
        ("qwen3-8b-fp8",),
        ("explain",),
    ],
)
def test_what_does_not_go_together_is_said(doctor: Doctor, words: tuple[str, ...]) -> None:
    result = doctor(*words)
    assert result.exit_code == 2
    assert "Error: " in result.output
    assert doctor.asked == []


def test_a_word_too_many_says_where_it_belongs(doctor: Doctor) -> None:
    assert "--model" in doctor("qwen3-8b-fp8").output


def test_the_command_is_in_the_table() -> None:
    assert cli.get_command(click.Context(cli), "doctor") is module.doctor
