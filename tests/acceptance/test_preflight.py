"""`sparkwell preflight` as a user types it: the real command, the real machine."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import Home, Json, end

TOKEN = "hf_" + "Zq7" * 11 + "x"
REAL = pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker here")
MODEL = "qwen3-8b-fp8"  # never downloaded here, so its weights are always missing

LISTEN = """
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
print(flush=True)
time.sleep(60)
"""


def look(home: Home, *words: str, code: int | None = None) -> Json:
    done = home.run("preflight", *words, "--json")
    assert done.returncode in ((0, 1) if code is None else (code,)), done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    document: Json = json.loads(done.stdout)
    assert document["ok"] is (done.returncode == 0)
    return document


def about(document: Json, check: str) -> Json:
    found: list[Json] = [each for each in document["findings"] if each["id"] == check]
    assert found, f"nothing about {check}"
    return found[0]


def test_a_model_that_can_be_started(home: Home) -> None:
    document = look(home, "demo-qwen3", code=0)
    assert (document["model"], document["driver"], document["fixed"]) == (
        "demo-qwen3",
        "process",
        [],
    )
    assert {each["severity"] for each in document["findings"]} <= {"ok", "info", "warning"}
    text = home.ok("preflight", "demo-qwen3")
    assert "✓ The weights are here" in text
    assert text.rstrip().endswith("the start.") or "warning" in text
    assert home.processes() == []


def test_a_port_that_another_process_holds(home: Home) -> None:
    command = [sys.executable, "-c", LISTEN, str(home.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        found = about(look(home, "demo-qwen3", code=1), "port-in-use")
        text = home.run("preflight", "demo-qwen3").stdout
        process.kill()
    assert f"(process {process.pid})" in found["title"]
    assert found["remedies"][0]["command"] == f"kill {process.pid}"
    assert "✗ Port" in text
    assert "1 thing would make the start fail" in text


def test_the_port_of_our_own_daemon_is_in_nobodys_way(home: Home) -> None:
    daemon = home.serve()
    found = about(look(home, "demo-qwen3", code=0), "port-in-use")
    assert found["severity"] == "ok"
    assert str(daemon.pid) in found["evidence"][0]
    end(daemon)


def test_an_engine_that_runs_is_seen(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    found = about(look(home, "demo-qwen3", code=0), "two-engines")
    ours = [line for line in found["evidence"] if "demo-qwen3" in line]
    assert ours or found["severity"] == "warning"  # another test's engine may run beside


def test_wrong_words(home: Home) -> None:
    wrong = {
        "nonsense": "nonsense",
        "ollama/qwen3": "Ollama",
        "demo-qwen3 --set max_modl_len=5": "Did you mean max_model_len",
        "demo-qwen3 --driver magic": "magic",
        "": "MODEL",
    }
    for words, said in wrong.items():
        done = home.run("preflight", *words.split())
        assert done.returncode == 2, words
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_without_docker(home: Home) -> None:
    home.environ["PATH"] = "/nowhere"
    document = look(home, MODEL, "--driver", "compose", code=1)
    found = about(document, "docker-unreachable")
    assert found["title"] == "Docker is not installed"
    assert "install" in found["remedies"][0]["command"]


@REAL
def test_a_docker_daemon_that_is_not_there(home: Home) -> None:
    home.environ["DOCKER_HOST"] = "unix:///nowhere"
    found = about(look(home, MODEL, "--driver", "compose", code=1), "docker-unreachable")
    assert found["severity"] == "error"
    assert any("unix:///nowhere" in line for line in found["evidence"])
    assert found["remedies"][0]["command"] == "unset DOCKER_HOST"


def test_docker_without_permission(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text("#!/bin/sh\necho 'permission denied while trying to connect' >&2\nexit 1\n")
    program.chmod(0o755)
    home.environ["PATH"] = f"{folder}:{home.environ['PATH']}"
    found = about(look(home, MODEL, "--driver", "compose", code=1), "docker-unreachable")
    assert found["title"] == "This user may not talk to Docker"


@REAL
def test_an_image_that_is_not_here(home: Home) -> None:
    words = (MODEL, "--driver", "compose", "--image", "h-d-nowhere/vllm:v0.25.0")
    found = about(look(home, *words), "image-missing")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("docker does not answer")
    assert found["severity"] == "info"
    assert found["remedies"][0]["command"] == "docker pull h-d-nowhere/vllm:v0.25.0"


def test_the_token_is_nowhere(home: Home) -> None:
    for token, words in ((TOKEN, ()), ("Zq7Zq7-is-no-token", ("--json",))):
        home.environ["HF_TOKEN"] = token
        done = home.run("preflight", MODEL, *words)
        assert "Zq7Zq7" not in done.stdout + done.stderr
        assert "HF_TOKEN" in done.stdout


def test_a_wrong_token_is_found_before_the_hub_refuses_it(home: Home) -> None:
    home.environ["HF_TOKEN"] = "'quoted'"
    found = about(look(home, MODEL, code=1), "download-auth")
    assert found["severity"] == "error"
    assert "quotes" in found["evidence"][0]


def test_a_folder_that_is_full_of_what_nobody_needs(home: Home) -> None:
    cache = home.root / "hf"
    blobs = cache / "hub" / "models--Qwen--Qwen3-8B-FP8" / "blobs"
    blobs.mkdir(parents=True)
    home.environ["HF_HOME"] = str(cache)
    (blobs / "aa").write_bytes(b"x" * 100)
    orphan, resumable = blobs / "aa.1f2e3d4c.incomplete", blobs / "bb.incomplete"
    for path in (orphan, resumable):
        path.write_bytes(b"x" * 50)
        os.utime(path, (time.time() - 3600,) * 2)
    with (blobs / "cc.incomplete").open("wb") as opened:
        opened.write(b"x" * 20)
        opened.flush()
        document = look(home, MODEL, "--fix")
    assert document["fixed"] == [
        {"fix": "remove-partial-files", "done": True, "text": "Removed 1 unfinished file, 50 B."}
    ]
    left = {path.name for path in blobs.iterdir()}
    assert left == {"aa", "bb.incomplete", "cc.incomplete"}
    titles = [each["title"] for each in document["findings"] if each["id"] == "download-incomplete"]
    assert not any("no use" in title for title in titles)


def test_the_folder_for_weights_is_made(home: Home) -> None:
    wanted = home.root / "new" / "weights"
    home.configure({"folders": {"models": str(wanted)}})
    assert about(look(home, MODEL), "cache-not-writable")["severity"] == "info"
    assert not wanted.exists()
    text = home.run("preflight", MODEL, "--fix").stdout
    assert wanted.is_dir()
    assert f"fixed: Made {wanted} (mode 755" in text


def test_nothing_listens_and_nothing_is_left_behind(home: Home) -> None:
    before = {path for path in home.root.rglob("*") if "__pycache__" not in path.parts}
    look(home, "demo-qwen3")
    assert {path for path in home.root.rglob("*") if "__pycache__" not in path.parts} == before
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", home.port))
