"""`sparkwell doctor` as a user types it: the real command, the real machine, no daemon."""

import gzip
import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Home, Json, command

REFUSED = """\
(APIServer pid=1) INFO 11-20 10:00:00 [utils.py:250] vLLM API server version 0.25.0
(APIServer pid=1) INFO 11-20 10:00:00 [utils.py:2] non-default args: {'model': 'Qwen/Qwen3-8B-FP8'}
(EngineCore pid=71) ERROR 11-20 10:01:02 [core.py:1231] ValueError: Free memory on device cuda:0 \
(14.52/79.18 GiB) on startup is less than desired GPU memory utilization (0.85, 67.3 GiB). \
Decrease GPU memory utilization or reduce GPU memory used by other processes.
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.
"""
HEALTHY = """\
(APIServer pid=1) INFO 11-20 10:00:00 [utils.py:250] vLLM API server version 0.25.0
(EngineCore pid=71) INFO 11-20 10:01:02 [gpu_worker.py:1] Available KV cache memory: 60.66 GiB
(APIServer pid=1) INFO:     Application startup complete.
"""


def doctor(
    home: Home, *words: str, given: bytes = b"", code: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        command("doctor", *words), env=home.environ, input=given, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done


def document(done: subprocess.CompletedProcess[bytes]) -> Json:
    """The one document on stdout; anything else there is an error."""
    found: Json = json.loads(done.stdout)
    return found


def ids(found: Json, *severities: str) -> list[str]:
    wanted = severities or ("error", "warning", "info")
    return [each["id"] for each in found["findings"] if each["severity"] in wanted]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Without any engine, and nothing to clean up: no daemon is started here."""
    return Home(tmp_path)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "engine.log"
    file.write_text(REFUSED)
    return file


# ── logs ────────────────────────────────────────────────────────────────────────────────────


def test_a_log_with_an_error(home: Home, log: Path) -> None:
    text = doctor(home, "--log", str(log), code=1).stdout.decode()
    assert "✗ Less memory was free at the start" in text
    assert "engine.log, line 3: " in text
    assert "sparkwell plan qwen3-8b-fp8 --set gpu_memory_utilization=0.18" in text
    assert "\x1b" not in text
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(REFUSED.encode()))
    found = document(doctor(home, "--log", str(packed), "--json", code=1))
    assert ids(found) == ["memory-startup-check"]
    assert (found["ok"], found["logs"][0]["version"]) == (False, "0.25.0")


def test_a_healthy_log_from_a_pipe(home: Home) -> None:
    text = doctor(home, "--log", "-", given=HEALTHY.encode(), code=0).stdout.decode()
    assert text.startswith("✓ Nothing found: ")
    assert "standard input (3 lines, vLLM 0.25.0)" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--log", "/dev/null"), "empty"),
        (("--log", "/"), "is a folder"),
        (("--fix",), "nobody to ask"),
        (("--model", "qwen3-8b-fp"), "qwen3-8b-fp8"),
    ],
)
def test_what_cannot_be_done_is_said(home: Home, words: tuple[str, ...], said: str) -> None:
    done = doctor(home, *words, code=2)
    assert said in done.stderr.decode()
    assert done.stdout == b""


def test_neither_a_binary_nor_what_a_log_says_is_obeyed(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "evil.log"
    evil = REFUSED.replace("Decrease", "\x1b]0;owned\x07\x1b[2J Decrease").encode()
    file.write_bytes(bytes(range(256)) * 4000 + b"\n" + evil)
    assert b"\x1b" not in doctor(home, "--log", str(file), code=1).stdout


# ── this host ───────────────────────────────────────────────────────────────────────────────


def test_a_snapshot_says_the_same_in_another_home(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "host.json"
    first = document(doctor(home, "--save", str(file), "--json"))
    assert first["saved"] == str(file)
    assert first["checks"] > 50
    assert "port-in-use" not in ids(first)
    assert home.processes() == []
    assert file.stat().st_mode & 0o777 == 0o600
    elsewhere = {**home.environ, "SPARKWELL_HOME": str(tmp_path / "elsewhere")}
    done = subprocess.run(
        command("doctor", "--snapshot", str(file), "--json"),
        env=elsewhere, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["findings"] == first["findings"]
    assert done.returncode == int(not first["ok"])


def test_a_saved_log_has_no_secret(home: Home, tmp_path: Path) -> None:
    token = "hf_" + "Zq7" * 11 + "x"
    file, log = tmp_path / "a.json", f"{REFUSED}HF_TOKEN={token}\n".encode()
    doctor(home, "--log", "-", "--save", str(file), given=log, code=1)
    assert token not in file.read_text()


def test_fix_asks_on_a_terminal_and_looks_again(home: Home, tmp_path: Path) -> None:
    """Only the folder is agreed to: this machine may have orphans, and they are not this test's."""
    wanted = tmp_path / "new" / "weights"
    home.configure({"folders": {"models": str(wanted)}})
    text = on_a_terminal(home, lambda question: "folder for weights" in question)
    assert f"fixed: Made {wanted}" in " ".join(text.split())
    assert "gone: The folder for weights is not there yet" in text
    assert "Looked again:" in text
    assert wanted.is_dir()


def on_a_terminal(home: Home, agrees: Callable[[str], bool]) -> str:
    """`doctor --fix` with a terminal, on which somebody reads each question before answering."""
    ours, theirs = pty.openpty()
    text = ""
    with subprocess.Popen(
        command("doctor", "--fix"), env=home.environ, stdin=theirs, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        while said := os.read(process.stdout.fileno(), 4096):
            text += said.decode(errors="replace")
            if text.endswith("[y/N]: "):
                os.write(ours, b"y\n" if agrees(text.splitlines()[-1]) else b"n\n")
    os.close(theirs)
    os.close(ours)
    return text


# ── the checks themselves ────────────────────────────────────────────────────────────────────


def test_the_list_and_an_explanation(home: Home) -> None:
    listed: list[Any] = document(doctor(home, "--list", "--json", code=0))["checks"]
    assert len(listed) > 50
    text = doctor(home, "explain", listed[0]["id"], code=0).stdout.decode()
    assert listed[0]["title"] in text
