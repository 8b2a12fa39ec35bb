"""`sparkwell tune` over a daemon: engines are started, measured and stopped.

The fake engine's speed goes by how many sequences it runs at once.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkwell.testing.environment import install_fake_environment
from tests.acceptance.conftest import Home, end, wait_for

Json = dict[str, Any]
MODEL = "demo-qwen3"
SHORT = ("--prompt-tokens", "32", "--output-tokens", "8")
"""A second a trial."""
QUICK = (*SHORT, "--trials", "3", "--repeats", "1")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """The model begins with two sequences at once; 16 clients ask."""
    place = Home(tmp_path)
    install_fake_environment(place.paths.engines, style="0.32-cpu", tokens_per_s=400)
    place.configure({"models": {MODEL: {"flags": {"max_num_seqs": 2}}}})
    yield place
    place.clean_up()


def tuned(home: Home, *words: str, code: int = 0) -> Json:
    done = home.run("tune", MODEL, *words, "--json", timeout=150)
    assert done.returncode == code, done.stderr
    return dict(json.loads(done.stdout))


def started(tuning: Json) -> list[Json]:
    return [each for each in tuning["trials"] if each["end"] in ("measured", "pruned", "failed")]


def test_more_sequences_are_found_checked_and_used(home: Home) -> None:
    tuning = tuned(home, "--goal", "throughput", *SHORT, "--trials", "5", "--repeats", "1")
    before, *others = started(tuning)
    assert (before["flags"]["max_num_seqs"], len(others)) == (2, 5)
    assert all(each["lines"] for each in started(tuning)), "every trial has its log"
    outcome = tuning["outcome"]
    assert outcome["holds"], outcome
    assert {each["verdict"] for each in outcome["gains"]} == {"better"}
    assert [each["tuned_on"] for each in outcome["gains"]] == [True, False, False]
    assert home.run("status").returncode != 0, "nothing ran before, nothing runs now"
    assert outcome["outweighed"] == {"max_num_seqs": 2}
    assert "max_num_seqs: 2 under models, demo-qwen3, flags, and win" in home.ok("tune", "show")
    home.configure({})
    home.ok("up", MODEL, "--profile", "tuned-throughput")
    [instance] = home.json("ps")["instances"]
    best = next(each for each in others if each["number"] == outcome["winner"])
    assert instance["flags"] == best["flags"]
    assert instance["flags"]["max_num_seqs"] > 2


def test_what_ran_before_runs_again_as_it_had_been_started(home: Home) -> None:
    words = ("--set", "max_num_batched_tokens=4096", "--profile", "balanced", "--driver", "process")
    home.ok("up", MODEL, *words, "--force")
    [before] = home.json("ps")["instances"]
    assert before["given"] == {
        "flags": ["max_num_batched_tokens=4096"], "profile": "balanced", "driver": "process",
        "image": None, "force": True,
    }  # fmt: skip
    tuned(home, "--goal", "latency", *QUICK)
    [after] = home.json("ps")["instances"]
    assert after["id"] != before["id"]
    for name in ("flags", "given", "state"):
        assert after[name] == before[name], name


def test_a_flag_that_is_given_stays(home: Home) -> None:
    tuning = tuned(home, "--goal", "throughput", *QUICK, "--set", "max_num_seqs=8")
    assert {each["flags"]["max_num_seqs"] for each in started(tuning)} == {8}
    assert "max_num_seqs" not in {each["name"] for each in tuning["knobs"]}


def test_an_slo_that_nothing_meets(home: Home) -> None:
    words = ("--goal", "goodput", "--slo", "ttft=1ms,e2e=2ms", *QUICK)
    tuning = tuned(home, *words, code=1)
    assert tuning["outcome"]["winner"] is None
    assert "Nothing keeps the SLO. Trial " in tuning["outcome"]["said"]
    said = home.ok("tune", "show")
    assert "came nearest" in said
    assert "SLO kept by 0%" in said
    refused = home.run("tune", "apply")
    assert refused.returncode != 0
    assert "nothing to apply" in refused.stderr


def crash_with(home: Home, word: str) -> Callable[[], object]:
    """From now on engines with that on their command line die at the start, as of memory.

    Until what is returned is called.
    """
    return altered(home, f'*"{word}"*) echo "MemoryError: no memory left" >&2; exit 1;; esac')


def altered(home: Home, case: str) -> Callable[[], object]:
    """From now on engines do as the rest of a shell's case over their command line says."""
    python = home.paths.engines / "vllm-cpu" / "bin" / "python"
    before = python.read_text()
    head, *rest = before.splitlines()
    python.unlink()
    python.write_text("\n".join([head, f'case "$*" in {case}', *rest]) + "\n")
    python.chmod(0o755)
    return lambda: python.write_text(before)


def test_a_trial_that_crashes_is_kept_and_its_value_not_tried_again(home: Home) -> None:
    crash_with(home, "--max-num-seqs 16")
    words = ("--goal", "throughput", *SHORT, "--trials", "8", "--repeats", "1")
    tuning = tuned(home, *words)
    failed = [each for each in tuning["trials"] if each["end"] == "failed"]
    assert failed
    assert all(each["values"]["max_num_seqs"] == 16 for each in failed)
    assert len(failed) <= 2
    assert any("no memory left" in line for line in failed[0]["lines"])
    assert tuning["outcome"]["holds"]
    text = home.ok("tune", "show")
    assert re.search(r"failed +max_num_seqs=16(?:.*\n +)+?demo-qwen3 did not start", text)


@pytest.mark.parametrize("how", ["--fake-hang-after-requests 20", "--fake-never-ready true"])
def test_a_trial_that_hangs_is_ended_with_the_budget(home: Home, how: str) -> None:
    altered(home, f'*"--max-num-seqs 16"*) set -- "$@" {how};; esac')
    words = ("--goal", "throughput", *SHORT, "--repeats", "1", "--budget", "80s")
    tuning = tuned(home, *words)
    ends = [(each["number"], each["end"], each["values"]) for each in tuning["trials"]]
    pruned = [each for each in tuning["trials"] if each["end"] == "pruned"]
    assert pruned, f"no trial was ended; within {tuning['spent_s']:.0f} s there were {ends}"
    hung = pruned[0]
    assert hung["why"].startswith("took too long: ")
    assert hung["values"]["max_num_seqs"] == 16
    assert tuning["spent_s"] < 115, "the engine's own watchdog needs two minutes"
    assert any("vLLM" in line for line in hung["lines"]), "also of a start that is taken back"
    assert home.run("status").returncode != 0, "no engine is left of it, and no daemon"
    assert home.engine_processes() == []


def test_one_that_was_ended_goes_on_where_it_was(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    words = ("tune", MODEL, "--goal", "throughput", *SHORT, "--repeats", "1", "--state", str(file))
    first = home.spawn(*words, "--trials", "9")
    wait_for(lambda: file.exists() and len(json.loads(file.read_text())["trials"]) >= 3, 60)
    first.send_signal(signal.SIGINT)
    end(first)
    kept = json.loads(file.read_text())
    assert kept["outcome"] is None
    assert home.run("status").returncode != 0, "its engine and its daemon are gone"
    done = home.run(*words, "--trials", "5", "--json", timeout=150)
    assert done.returncode == 0, done.stderr
    tuning = json.loads(done.stdout)
    assert tuning["trials"][: len(kept["trials"])] == kept["trials"]
    assert len(started(tuning)) == 6
    assert tuning["outcome"] is not None


def killed(home: Home, *words: str, file: Path, trials: int) -> None:
    """A tuning that is killed once so many trials are written down; its engine is left."""
    first = home.spawn("tune", MODEL, *words, "--state", str(file), "--trials", "9")
    wait_for(lambda: file.exists() and len(json.loads(file.read_text())["trials"]) >= trials, 60)
    end(first, signal.SIGKILL)


def test_after_one_that_was_killed_nothing_runs_that_did_not(home: Home, tmp_path: Path) -> None:
    words, file = ("--goal", "throughput", *SHORT, "--repeats", "1"), tmp_path / "state.json"
    killed(home, *words, file=file, trials=2)
    home.ok("status")
    tuned(home, *words, "--state", str(file), "--trials", "3")
    assert home.run("status").returncode != 0, "nothing ran before the first call"
    assert {each.name for each in home.paths.tunings.iterdir()} == {"lock"}


def test_after_one_that_was_killed_what_ran_before_runs_again(home: Home, tmp_path: Path) -> None:
    home.ok("up", MODEL, "--set", "max_num_seqs=3", "--profile", "balanced")
    [before] = home.json("ps")["instances"]
    words, file = ("--goal", "throughput", *SHORT, "--repeats", "1"), tmp_path / "state.json"
    killed(home, *words, file=file, trials=2)
    tuned(home, *words, "--state", str(file), "--trials", "3")
    [after] = home.json("ps")["instances"]
    assert after["id"] != before["id"]
    assert (after["given"], after["state"]) == (before["given"], "ready")
    assert str(home.paths.tunings) not in file.read_text(), "nothing of this host is carried"


def test_one_that_was_killed_with_its_outcome_brings_back_when_it_is_shown(
    home: Home, tmp_path: Path
) -> None:
    words = ("--goal", "throughput", *SHORT, "--repeats", "1", "--trials", "1")
    state = ("--state", str(tmp_path / "state.json"))
    tuning = tuned(home, *words, *state)
    given = {"flags": ["max_num_seqs=3"], "profile": None}
    note = {"model": MODEL, "daemon": True, "given": given, "started": 1.0}
    (home.paths.tunings / f"ran-before-{MODEL}").write_text(json.dumps(note))
    assert tuned(home, *words, *state) == tuning
    [after] = home.json("ps")["instances"]
    assert (after["given"]["flags"], after["state"]) == (["max_num_seqs=3"], "ready")
    assert not (home.paths.tunings / f"ran-before-{MODEL}").exists()


def test_one_that_runs_keeps_others_out_and_ends_with_its_terminal(
    home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "state.json"
    words = ("tune", MODEL, "--goal", "throughput", *SHORT)
    first = home.spawn(*words, "--state", str(file))
    wait_for(lambda: file.exists() and len(json.loads(file.read_text())["trials"]) >= 1, 60)
    second = home.run(*words)
    assert second.returncode != 0
    assert "Another tuning, or measurement of variants, runs here" in second.stderr
    first.send_signal(signal.SIGHUP)
    end(first)
    assert home.run("status").returncode != 0, "its engine and its daemon are gone"


def test_what_cannot_be_brought_back_is_told_beside_the_result(home: Home) -> None:
    home.ok("up", MODEL, "--set", "max_num_seqs=3")
    crash_with(home, "--max-num-seqs 3")
    done = home.run("tune", MODEL, "--goal", "throughput", *QUICK, timeout=150)
    assert "demo-qwen3 ran before, and could not be started again" in done.stderr
    assert "The check, 3 repeats of each:" in done.stdout


def test_workloads_keep_to_what_the_settings_let_the_model_take(home: Home) -> None:
    home.configure({"models": {MODEL: {"flags": {"max_num_seqs": 2, "max_model_len": 128}}}})
    tuning = tuned(home, "--goal", "throughput", *QUICK)
    assert max(each["prompt_tokens"] + each["output_tokens"] for each in tuning["workloads"]) == 128
    assert {each["flags"]["max_model_len"] for each in started(tuning)} == {128}


def test_what_is_finished_is_shown_again(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    words = ("--goal", "throughput", *QUICK, "--state", str(file))
    tuning = tuned(home, *words)
    before = file.read_bytes()
    assert tuned(home, *words) == tuning
    assert file.read_bytes() == before


def test_more_trials_go_on_and_the_file_says_with_what(home: Home, tmp_path: Path) -> None:
    words = ("--goal", "throughput", *SHORT, "--repeats", "1", "--state", str(tmp_path / "t.json"))
    first = tuned(home, *words, "--trials", "1")
    more = tuned(home, *words, "--trials", "2")
    assert "--trials 1" in first["command"]
    assert "--trials 2" in more["command"], "the evidence of what came of it"
    assert more["trials"][: len(first["trials"])] == first["trials"]
    assert len(started(more)) == len(started(first)) + 1


def test_resume_takes_the_newest_that_was_not_finished(home: Home) -> None:
    none = home.run("tune", MODEL, "--goal", "throughput", "--resume")
    assert none.returncode != 0
    assert "No tuning of demo-qwen3 for throughput waits" in none.stderr
    tuned(home, "--goal", "throughput", *QUICK)
    [file] = home.paths.tunings.glob("*.json")
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "outcome": None}))
    assert "not finished" in home.ok("tune", "list")
    again = tuned(home, "--goal", "throughput", *QUICK, "--resume")
    assert (again["id"], again["trials"]) == (kept["id"], kept["trials"])


def test_another_question_is_another_tuning(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    tuned(home, "--goal", "throughput", *QUICK, "--state", str(file))
    before = file.read_bytes()
    words = ("tune", MODEL, "--goal", "latency", *QUICK, "--state", str(file))
    done = home.run(*words, "--set", "max_num_seqs=8")
    assert done.returncode != 0
    assert "was begun with another goal, clients, given." in done.stderr
    assert "Repeat its command" in done.stderr
    assert file.read_bytes() == before


def test_another_model_would_be_measured_too(home: Home) -> None:
    home.ok("up", "demo-llama")
    done = home.run("tune", MODEL, "--goal", "throughput")
    assert done.returncode != 0
    assert "demo-llama runs here, and would be measured with demo-qwen3." in done.stderr
    assert "sparkwell down demo-llama" in done.stderr


def test_flags_from_before_that_do_not_serve(home: Home) -> None:
    mend = crash_with(home, "--max-num-seqs 2")
    done = home.run("tune", MODEL, "--goal", "throughput", *QUICK)
    assert done.returncode != 0
    assert "does not serve with its flags from before" in done.stderr
    assert "sparkwell doctor" in done.stderr
    said = home.ok("tune", "show")
    assert re.search(r"failed +the flags from before\n +demo-qwen3 did not start", said)
    assert "MemoryError: no memory left" in said
    assert home.run("status").returncode != 0, "nothing ran before, nothing runs now"
    mend()
    tuning = tuned(home, "--goal", "throughput", *QUICK, "--resume")
    assert {each["end"] for each in started(tuning)} == {"measured"}
    assert tuning["trials"][0]["flags"]["max_num_seqs"] == 2
    assert len(list(home.paths.tunings.glob("*.json"))) == 1


def test_a_place_that_takes_no_file_is_told_at_once(home: Home, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    words = ("tune", MODEL, "--goal", "throughput", "--state", str(tmp_path / "taken" / "x.json"))
    done = home.run(*words)
    assert done.returncode != 0
    assert "could not be written" in done.stderr
    assert home.run("status").returncode != 0, "nothing was started for it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("demo-qwen", "--goal", "throughput"), "Did you mean demo-qwen3"),
        ((MODEL,), "Missing option '--goal'"),
        ((MODEL, "--goal", "speed"), "is not one of"),
        ((MODEL, "--goal", "goodput", "--slo", "ttft=fast"), "and a time (2s, 50ms)"),
        ((MODEL, "--goal", "goodput", "--budget", "soon"), "no length of time"),
        ((MODEL, "--goal", "throughput", "--set", "max_num_sequences=3"), "max_num_seq"),
        (("show", "9"), "There is no tuning '9'"),
        (("apply",), "There is no tuning '1'"),
    ],
)
def test_mistakes_are_told(home: Home, words: tuple[str, ...], said: str) -> None:
    done = home.run("tune", *words)
    assert done.returncode != 0
    assert said in done.stderr


def test_without_optuna_it_says_how_to_get_it(home: Home) -> None:
    """An interpreter that cannot find it, as after `pip install sparkwell` alone."""
    hide = (
        "import importlib.util as u, sys; real = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name == 'optuna' else real(name, *a); "
        f"sys.argv = ['sparkwell', 'tune', '{MODEL}', '--goal', 'throughput']; "
        "from sparkwell.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide], env={**os.environ, **home.environ},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Optuna, which is not installed" in done.stderr
    assert "pip install 'sparkwell[tune]'" in done.stderr
