"""Tuned profiles: the real commands and daemon start the fake engine with an overlay's flags."""

import json
from collections.abc import Callable
from typing import Any

from sparkwell.catalog.tuned import Tuned
from sparkwell.catalog.tuned_files import write_tuned
from sparkwell.engines.environments import environment
from sparkwell.hardware.detect import detect
from tests.acceptance.conftest import Home

MODEL, PROFILE = "demo-qwen3", "tuned-throughput"
FLAGS = {"max_model_len": 512, "max_num_seqs": 7, "enforce_eager": True}


def tuned(home: Home, **changes: Any) -> Tuned:
    """Among the user's own: what `sparkwell tune` would have found on this very machine."""
    here = detect()
    row = {
        "workload": "128 in, 64 out, 8 clients",
        "tuned_on": True,
        "figure": "output_tokens_per_s",
        "before": 100.0,
        "after": 125.0,
        "ratio": 1.25,
    }
    found = {
        "recipe": MODEL,
        "goal": "throughput",
        "machine": here.name,
        "title": here.title,
        "gpus": here.gpus,
        "total_bytes": here.total_bytes,
        "version": environment("vllm-cpu").version,
        "flags": FLAGS,
        "before": {"max_num_seqs": 16},
        "evidence": {
            "date": "2026-11-22",
            "command": f"sparkwell tune {MODEL} --goal throughput",
            "trials": 12,
            "sparkwell": "0.1.0",
            "rows": [row],
        },
    }
    made = Tuned.model_validate({**found, **changes})
    write_tuned(home.paths.tuned, made)
    return made


def words(home: Home) -> str:
    """The command lines of what runs."""
    return "\n".join(" ".join(process.cmdline()) for process in home.engine_processes())


def test_up_starts_with_its_flags_and_restart_keeps_them(home: Home) -> None:
    home.serve()  # a daemon that was there before it was tuned
    tuned(home)
    home.ok("up", MODEL, "--profile", PROFILE)
    for _ in range(2):
        (shown,) = home.json("ps")["instances"]
        assert (shown["state"], shown["flags"]) == ("ready", FLAGS)
        assert "--max-model-len 512" in words(home)
        assert "--max-num-seqs 7" in words(home)
        home.ok("restart")
    home.ok("down")


def test_the_settings_can_name_it_and_the_plan_shows_why(home: Home) -> None:
    home.configure({"models": {MODEL: {"profile": PROFILE, "flags": {"max_num_seqs": 5}}}})
    tuned(home)
    assert "output tokens/s  100 before, 125 now: x 1.25" in home.ok("plan", MODEL)
    home.ok("up", MODEL)
    (shown,) = home.json("ps")["instances"]
    assert shown["flags"] == {**FLAGS, "max_num_seqs": 5}


def test_one_of_another_version_is_refused_and_named(home: Home) -> None:
    tuned(home, version="0.1.2")
    refused = home.run("up", MODEL, "--profile", PROFILE)
    assert refused.returncode == 2
    assert "was not tuned for throughput" in refused.stderr
    assert "with vLLM 0.1.2" in refused.stderr
    assert f"sparkwell tune {MODEL} --goal throughput" in refused.stderr
    assert home.engine_processes() == []


def test_a_start_that_fails_says_how_to_go_back(home: Home, script: Callable[..., None]) -> None:
    tuned(home)
    script(fail_at_phase="weights", fail_message="cuda-oom")
    failed = home.run("up", MODEL, "--profile", PROFILE)
    assert failed.returncode == 2
    assert f"`sparkwell up {MODEL} --profile balanced`" in failed.stderr
    script()
    home.ok("up", MODEL, "--profile", "balanced")
    (shown,) = home.json("ps")["instances"]
    assert shown["flags"] != FLAGS
    assert json.loads(home.ok("models", "--json"))["problems"] == []
