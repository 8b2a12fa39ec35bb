"""`sparkwell bench variants` over a daemon: a model with one set of flags after the other."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkwell.testing.environment import install_fake_environment
from tests.acceptance.conftest import Home, end, wait_for
from tests.acceptance.test_tune import crash_with

MODEL = "demo-qwen3"
ASKED = ("bench", "variants", MODEL)
FEW, MANY = "max_num_seqs=1", "balanced max_num_seqs=16"
QUICK = ("--suite", "quick", "--concurrency", "1,8", "--requests", "16", "--repeats", "3")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An engine that gives each sequence 400 tokens a second, however many run."""
    place = Home(tmp_path)
    install_fake_environment(place.paths.engines, style="0.32-cpu", tokens_per_s=400)
    yield place
    place.clean_up()


def test_each_is_started_measured_and_kept_and_the_model_is_left_as_it_was(home: Home) -> None:
    home.ok("up", MODEL, "--set", "max_num_seqs=4")
    [before] = home.json("ps")["instances"]
    picture = home.root / "both.svg"
    words = (*ASKED, FEW, MANY, *QUICK, "--json", "--plot", str(picture))
    told = json.loads(home.ok(*words, timeout=150))
    one, other = told["variants"]
    assert (one["variant"], one["flags"]["max_num_seqs"]) == (FEW, 1)
    assert (other["variant"], other["flags"]["max_num_seqs"]) == (MANY, 16)
    kept = [json.loads(file.read_text()) for file in home.paths.benchmarks.glob("*.json")]
    rates = {each["case"]: each for each in told["figures"] if each["figure"].startswith("output")}
    notes = [note for each in kept for case in each["cases"] for note in case["notes"]]
    assert rates["8 at once"]["best"] == MANY or notes, "a doubt keeps it away"
    assert rates["8 at once"]["values"][MANY] > 2 * rates["8 at once"]["values"][FEW]
    assert {each["run"] for each in kept} == {one["run"], other["run"]}
    assert len({each["seed"] for each in kept}) == 1, "both were asked the same"
    assert "Output tokens/s" in picture.read_text()
    [after] = home.json("ps")["instances"]
    assert (after["flags"], after["given"]) == (before["flags"], before["given"])


def test_a_person_sees_a_column_for_each_with_a_star(home: Home) -> None:
    said = home.ok(*ASKED, FEW, MANY, *QUICK, timeout=150)
    [row] = [
        line
        for line in said.partition("8 at once")[2].splitlines()
        if line.startswith("output tokens/s")
    ]
    assert row.rstrip().endswith("*") or "\n! " in said, "a doubt keeps the star away"
    assert [line.split() for line in said.splitlines() if line.startswith("max_num_seqs ")] == [
        ["max_num_seqs", "1", "16"]
    ]
    assert home.run("status").returncode != 0, "nothing ran before, nothing runs now"


def test_one_that_does_not_start_is_told_and_the_others_are_shown(home: Home) -> None:
    crash_with(home, "--max-num-seqs 3")
    done = home.run(*ASKED, FEW, "max_num_seqs=3", MANY, *QUICK, timeout=150)
    assert done.returncode == 1
    assert "max_num_seqs=3: demo-qwen3 did not start" in done.stderr
    assert [line.split()[:1] for line in done.stdout.splitlines() if "at once" in line]
    assert "16" in done.stdout.partition("max_num_seqs ")[2].splitlines()[0].split()
    assert len(list(home.paths.benchmarks.glob("*.json"))) == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_was_measured_until_it_was_stopped_is_kept_and_the_model_left_as_it_was(
    home: Home, number: int, status: int
) -> None:
    home.ok("up", MODEL, "--set", "max_num_seqs=4")
    [before] = home.json("ps")["instances"]
    words = ("--suite", "guide", "--concurrency", "8", "--requests", "16", "--repeats", "50")
    running = home.spawn(*ASKED, FEW, MANY, *words)
    wait_for(lambda: home.run("status").returncode == 0 and measuring(home), 60)
    time.sleep(4)  # some repeats
    assert end(running, number) == status
    [kept] = [json.loads(file.read_text()) for file in home.paths.benchmarks.glob("*.json")]
    assert kept["broken"] is not None
    [after] = home.json("ps")["instances"]
    assert (after["state"], after["flags"]) == ("ready", before["flags"])


def measuring(home: Home) -> bool:
    """Whether the first variant serves requests."""
    return any(
        each["flags"].get("max_num_seqs") == 1 and each["serving"]
        for each in home.json("status")["instances"]
    )


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ([FEW], "One variant alone"),
        ([FEW, FEW], "One variant alone"),
        ([FEW, "fast"], "'fast' is no variant"),
        ([FEW, "balanced latency"], "is no variant"),
        ([FEW, 'balanced speculative_config={"method": "ngram", "x": true} max_nun_seqs=3'], "nun"),
        ([FEW, "max_nun_seqs=3"], "max_nun_seqs"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    home: Home, variants: list[str], said: str
) -> None:
    refused = home.run(*ASKED, *variants, *QUICK)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert home.run("status").returncode != 0
