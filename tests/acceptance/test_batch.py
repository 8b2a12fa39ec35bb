"""`sparkwell batch` over a real daemon and gateway: answered, broken off, gone on with, refused."""

import json
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Home, wait_for
from tests.certificates import make_certificate

Json = dict[str, Any]
MODEL, OTHER = "demo-qwen3", "demo-llama"


def request(number: int, model: str = MODEL, **body: object) -> Json:
    messages = [{"role": "user", "content": f"number {number}"}]
    return {
        "custom_id": f"n-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": messages, "max_tokens": 20, **body},
    }


def written(home: Home, requests: Sequence[Json]) -> tuple[str, Path]:
    """IN.jsonl, and where the answers shall be."""
    file = home.root / "in.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in requests))
    return str(file), home.root / "out.jsonl"


def answers(file: Path) -> dict[str, str]:
    """What each custom_id was told."""
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert len({each["custom_id"] for each in entries}) == len(entries), "no answer comes twice"
    return {
        each["custom_id"]: each["response"]["body"]["choices"][0]["message"]["content"]
        for each in entries
    }


def refusals(out: Path) -> list[Json]:
    return list(map(json.loads, out.with_suffix(".failed.jsonl").read_text().splitlines()))


def test_every_request_gets_its_answer(home: Home) -> None:
    home.ok("up", MODEL)
    file, out = written(home, [request(n) for n in range(50)])
    done = home.json("batch", file, str(out))
    found = answers(out)
    assert len(found) == 50
    assert all(f"number {name[2:]}" in text for name, text in found.items())
    assert (done["requests"], done["answered"], done["failed"]) == (50, 50, 0)
    assert done["output_tokens"] > 50
    assert done["concurrency"][MODEL]["at_once"] >= 1
    assert "max_num_seqs" in done["concurrency"][MODEL]["why"]
    assert "answered in" in home.ok("batch", file, str(out))  # already


def test_no_more_at_a_time_than_the_running_engine_was_started_for(home: Home) -> None:
    """What the host would start takes 32; a person had started one that takes two."""
    home.ok("up", MODEL, "--set", "max_num_seqs=2")
    file, out = written(home, [request(n) for n in range(6)])
    done = home.json("batch", file, str(out))
    assert done["concurrency"] == {MODEL: {"at_once": 2, "why": "the model's max_num_seqs"}}
    home.ok("down")
    home.serve()
    out.unlink()
    again = home.json("batch", file, str(out))
    assert again["concurrency"][MODEL]["at_once"] > 2


def test_models_are_switched_once_each(home: Home) -> None:
    home.configure({"switching": {"budget_gib": 4.0, "min_residency_s": 0, "patience_s": 0.3}})
    home.serve()
    file, out = written(home, [request(n, (MODEL, OTHER)[n % 2]) for n in range(20)])
    home.ok("batch", file, str(out), timeout=120)
    assert len(answers(out)) == 20
    switches = home.json("events", "-n", "500", "--kind", "switch.begun")["events"]
    assert len(switches) <= 2


def test_killed_in_the_middle_and_gone_on_with(home: Home, script: Callable[..., None]) -> None:
    script(ttft_s=0.05)
    home.ok("up", MODEL)
    file, out = written(home, [request(n) for n in range(200)])
    running = home.spawn("batch", file, str(out), "--concurrency", "2")
    wait_for(lambda: out.exists() and out.read_text().count("\n") >= 5)
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    before = out.read_text().count("\n")
    assert 5 <= before < 200
    done = home.json("batch", file, str(out))
    assert (done["answered_before"], done["answered"]) == (before, 200 - before)
    assert len(answers(out)) == 200


def test_ctrl_c_says_how_far_it_came(home: Home, script: Callable[..., None]) -> None:
    script(ttft_s=0.05)
    home.ok("up", MODEL)
    file, out = written(home, [request(n) for n in range(200)])
    log = home.root / "batch.log"
    running = home.spawn("batch", file, str(out), "--concurrency", "1", output=log)
    wait_for(lambda: out.exists() and out.read_text().count("\n") >= 3)
    running.send_signal(signal.SIGINT)
    assert running.wait(10) == 130
    assert "of 200 requests are answered in" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_what_the_engine_refuses_is_kept_apart(home: Home) -> None:
    home.ok("up", MODEL)
    requests = [request(0), request(1, max_tokens=-5), request(2)]
    file, out = written(home, requests)
    done = home.run("batch", file, str(out))
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert set(answers(out)) == {"n-0", "n-2"}
    (refusal,) = refusals(out)
    assert refusal["custom_id"] == "n-1"
    assert refusal["response"]["status_code"] == 400
    assert "max_tokens" in json.dumps(refusal["response"]["body"])


def test_a_gateway_that_ends_in_the_middle_is_waited_for(
    home: Home, script: Callable[..., None]
) -> None:
    script(ttft_s=0.05)
    daemon = home.serve()
    home.ok("up", MODEL)
    file, out = written(home, [request(n) for n in range(100)])
    running = home.spawn("batch", file, str(out), "--concurrency", "2")
    wait_for(lambda: out.exists() and out.read_text().count("\n") >= 5)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait(10)
    home.serve()
    assert running.wait(60) == 0
    assert len(answers(out)) == 100


def test_an_engine_that_dies_in_the_middle(home: Home, script: Callable[..., None]) -> None:
    script(die_after_requests=5, counter=str(home.root / "starts"))
    home.ok("up", MODEL)
    script()
    file, out = written(home, [request(n) for n in range(30)])
    home.ok("batch", file, str(out), "--concurrency", "2", timeout=120)
    assert len(answers(out)) == 30
    assert (home.root / "starts").stat().st_size == 1, "the second engine was another one"


@pytest.mark.parametrize("given", ["in the settings", "on the command line"])
def test_a_key_and_a_certificate(home: Home, given: str) -> None:
    certificate, key = map(str, make_certificate(home.root, "box"))
    if given == "in the settings":
        home.configure({"gateway": {"tls": {"certificate": certificate, "key": key}}})
        home.serve()
    else:
        home.serve("--tls-certificate", certificate, "--tls-key", key)
    home.ok("up", MODEL)
    secret = home.ok("keys", "add", "batches", "--rpm", "600").strip()
    file, out = written(home, [request(n) for n in range(5)])
    refused = home.run("batch", file, str(out))
    assert refused.returncode == 2
    assert "refused the key" in refused.stderr
    assert "SPARKWELL_API_KEY" in refused.stderr
    home.environ["SPARKWELL_API_KEY"] = secret
    home.ok("batch", file, str(out))
    assert len(answers(out)) == 5


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["batch", "nowhere.jsonl", "out.jsonl"], "nowhere.jsonl"),
        (["batch", "{in}", "{in}"], "three files"),
        (["batch", "{in}", "{out}", "--failed", "{out}"], "three files"),
        (["batch", "{in}", "{out}"], "No daemon is running"),
        (["batch", "{in}", "{out}", "--concurrency", "0"], "--concurrency"),
        (["batch", "{in}", "{out}", "--url", "nonsense"], "is no URL"),
        (["batch", "{in}", "/nowhere/out.jsonl", "--url", "http://127.0.0.1:1"], "/nowhere"),
    ],
)
def test_what_cannot_be_done_is_said(home: Home, words: list[str], why: str) -> None:
    file, out = written(home, [request(1)])
    done = home.run(*(word.format(**{"in": file, "out": out}) for word in words))
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_nobody_has(home: Home) -> None:
    home.ok("up", MODEL)
    file, out = written(home, [request(0), request(1, "demo-qwen4")])
    done: subprocess.CompletedProcess[str] = home.run("batch", file, str(out))
    assert done.returncode == 1
    (refusal,) = refusals(out)
    assert refusal["response"]["status_code"] == 404
    assert "demo-qwen3" in json.dumps(refusal["response"]["body"])
