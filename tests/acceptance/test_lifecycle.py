"""up, down, restart, ps, status, logs: the real commands and daemon over the fake engine."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable

import psutil
import pytest
from openai import OpenAI

from tests.acceptance.conftest import Home, command, end, wait_for

Script = Callable[..., None]


def client(home: Home) -> OpenAI:
    return OpenAI(base_url=f"{home.url}/v1", api_key="not-needed", max_retries=0)


def health(home: Home) -> dict[str, object]:
    with urllib.request.urlopen(f"{home.url}/health", timeout=10) as response:  # noqa: S310
        body: dict[str, object] = json.load(response)
    return body


def ask(home: Home, model: str = "demo-qwen3") -> str:
    with client(home) as openai:
        answer = openai.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hello there"}], max_tokens=50
        )
    return answer.choices[0].message.content or ""


def test_up_starts_a_daemon_says_so_and_the_model_answers(home: Home) -> None:
    done = home.run("up", "demo-qwen3")
    assert done.returncode == 0, done.stderr
    assert "Started a daemon" in done.stderr
    assert "demo-qwen3 is ready" in done.stderr
    assert "hello there" in ask(home)
    assert health(home) == {
        "status": "ok",
        "state": "ready",
        "model": "demo-qwen3",
        "models": {"demo-qwen3": "ready"},
    }


def test_the_phases_of_a_start_are_shown_in_order(home: Home, script: Script) -> None:
    script(phases={"launch": 0.7, "init": 0.7, "weights": 0.7, "profile": 0.7, "warm-up": 0.7})
    said = home.run("up", "demo-qwen3").stderr
    wanted = ["starting the engine", "setting up workers", "loading weights", "measuring memory"]
    places = [said.find(words) for words in wanted]
    assert -1 not in places
    assert places == sorted(places)


def test_up_of_what_runs_says_ready_again_and_starts_nothing(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    first = home.json("ps")["instances"][0]["id"]
    home.ok("up", "demo-qwen3")
    assert [entry["id"] for entry in home.json("ps")["instances"]] == [first]


def test_two_models_are_served_at_once_and_stopped_one_by_one(home: Home) -> None:
    both = home.json("up", "demo-qwen3", "demo-llama")["instances"]
    assert [each["model"] for each in both] == ["demo-qwen3", "demo-llama"]
    assert {each["state"] for each in both} == {"ready"}
    assert both[0]["started_at"] <= both[1]["started_at"]
    for model in ("demo-qwen3", "demo-llama"):
        assert ask(home, model)
    assert home.run("restart").returncode == 2  # which of them?
    home.ok("down", "demo-qwen3")
    assert [each["model"] for each in home.json("ps")["instances"]] == ["demo-llama"]
    assert ask(home, "demo-llama")


def test_all_means_what_the_settings_name(home: Home) -> None:
    refused = home.run("up", "--all")
    assert refused.returncode == 2
    assert "they name nothing" in refused.stderr
    home.configure({"start": ["demo-llama", "demo-qwen3"]})
    home.ok("up", "--all")
    models = [each["model"] for each in home.json("ps")["instances"]]
    assert models == ["demo-llama", "demo-qwen3"]


def test_down_leaves_no_process_and_ends_a_daemon_that_up_started(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    assert len(home.engine_processes()) >= 3  # shim, server, EngineCore
    said = home.ok("down")
    assert "Stopped demo-qwen3." in said
    wait_for(lambda: home.processes() == [])


def test_down_leaves_a_daemon_that_somebody_serves(home: Home) -> None:
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    home.ok("down")
    assert home.engine_processes() == []
    assert home.json("status")["instances"] == []
    assert end(daemon) == 0


def test_restart_gives_a_new_engine_with_the_same_flags(home: Home) -> None:
    home.ok("up", "demo-qwen3", "--set", "max-model-len=512")
    before = home.json("ps")["instances"][0]["id"]
    home.ok("restart")
    after = home.json("ps")["instances"][0]
    assert after["id"] != before
    assert after["state"] == "ready"
    commands = [" ".join(p.cmdline()) for p in home.engine_processes()]
    assert any("--max-model-len 512" in words for words in commands)


def test_a_daemon_that_was_killed_leaves_an_engine_that_the_next_one_adopts(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    before = home.json("ps")["instances"][0]["id"]
    engines = {p.pid for p in home.engine_processes()}
    os.kill(home.daemon_pid(), signal.SIGKILL)
    daemon = home.serve()
    wait_for(lambda: home.json("ps")["instances"][0]["state"] == "ready")
    assert home.json("ps")["instances"][0]["id"] == before
    assert {p.pid for p in home.engine_processes()} == engines
    assert "hello there" in ask(home)
    home.ok("down")
    assert home.engine_processes() == []
    assert end(daemon) == 0


def test_down_without_a_daemon_ends_what_a_dead_one_left(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    os.kill(home.daemon_pid(), signal.SIGKILL)
    wait_for(lambda: home.run("status").returncode == 2)
    assert home.engine_processes() != []
    assert "Stopped demo-qwen3." in home.ok("down")
    wait_for(lambda: home.processes() == [])


def test_ctrl_c_ends_a_served_daemon_and_its_engines(home: Home) -> None:
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    assert end(daemon, signal.SIGINT) == 0
    wait_for(lambda: home.processes() == [])


def test_sigterm_leaves_the_engine_for_the_next_daemon(home: Home) -> None:
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    engines = {p.pid for p in home.engine_processes()}
    assert end(daemon, signal.SIGTERM) == 0
    assert {p.pid for p in home.engine_processes()} == engines


def test_sigterm_lets_a_running_request_finish(home: Home, script: Script) -> None:
    script(tokens_per_s=20, reply_tokens=40)
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    with client(home) as openai:
        stream = openai.chat.completions.create(
            model="demo-qwen3",
            messages=[{"role": "user", "content": "slowly"}],
            stream=True,
            max_tokens=40,
        )
        chunks = iter(stream)
        next(chunks)
        daemon.send_signal(signal.SIGTERM)
        rest = list(chunks)
    assert rest[-1].choices[0].finish_reason in ("stop", "length")
    assert daemon.wait(30) == 0


def test_ctrl_c_while_waiting_takes_everything_back(home: Home, script: Script) -> None:
    script(phases={"weights": 60})
    waiting = home.spawn("up", "demo-qwen3", output=home.root / "up.log")
    wait_for(lambda: len(home.engine_processes()) >= 3)
    assert end(waiting, signal.SIGINT) == 130
    wait_for(lambda: home.processes() == [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_engine_that_ends_by_itself_is_said_so_and_can_be_started_again(
    home: Home, number: int
) -> None:
    home.ok("up", "demo-qwen3")
    engine = home.engine_processes()
    server = next(p for p in engine if "fake_engine" in " ".join(p.cmdline()))
    server.send_signal(number)
    assert "ended by itself" in home.failure()["data"]["error"]
    wait_for(lambda: not any(process.is_running() for process in engine))
    home.ok("up", "demo-qwen3")
    assert "hello there" in ask(home)


@pytest.mark.parametrize(
    ("keys", "words", "finding"),
    [
        (
            {"fail_at_phase": "weights", "fail_message": "cuda-oom"},
            "CUDA out of memory",
            "cuda-oom",
        ),
        ({"exit_code_at_once": 3}, "(exit code 3)", "engine-core-died"),
        (
            {"fail_at_phase": "init"},
            "ValueError: Free memory on device",
            "memory-startup-check",
        ),
    ],
)
def test_a_start_that_fails_shows_the_end_of_the_log(
    home: Home, script: Script, keys: dict[str, object], words: str, finding: str
) -> None:
    script(**keys)
    failed = home.run("up", "demo-qwen3")
    assert failed.returncode == 2
    assert "did not start" in failed.stderr
    assert words in failed.stderr
    wrote = "exit_code_at_once" not in keys  # a log without a word is not worth a look
    assert ("sparkwell logs demo-qwen3" in failed.stderr) == wrote
    [found] = home.json("ps")["instances"][0]["findings"]
    assert found["id"] == finding
    assert home.engine_processes() == []


def test_an_engine_that_never_answers_is_given_up_and_ended(home: Home, script: Script) -> None:
    script(never_ready=True)
    home.configure({"engines": {"start_timeout_s": 3}})
    failed = home.run("up", "demo-qwen3")
    assert failed.returncode == 2
    assert "not ready within 3 s" in failed.stderr
    assert [each["id"] for each in home.json("ps")["instances"][0]["findings"]] == ["load-stalled"]
    assert home.engine_processes() == []


def test_a_green_health_without_a_token_is_not_ready(home: Home, script: Script) -> None:
    script(health_ok_but_no_tokens=True)
    home.configure({"engines": {"canary_timeout_s": 2}})
    failed = home.run("up", "demo-qwen3")
    assert failed.returncode == 2
    assert "generated nothing" in failed.stderr
    assert [each["id"] for each in home.json("ps")["instances"][0]["findings"]] == ["engine-hung"]
    assert home.engine_processes() == []


def test_logs_of_a_failed_start_stay_readable(home: Home, script: Script) -> None:
    script(fail_at_phase="weights", fail_message="cuda-oom")
    home.run("up", "demo-qwen3")
    home.ok("down")
    assert "out of memory" in home.ok("logs", "demo-qwen3")
    assert len(home.ok("logs", "-n", "3").splitlines()) == 3


def test_logs_follow_until_the_engine_ends(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    following = home.spawn("logs", "-f", output=home.root / "follow.log")
    wait_for(lambda: "Application startup complete" in (home.root / "follow.log").read_text())
    home.ok("down")
    assert following.wait(20) == 0


def test_ps_and_status_as_text_and_json(home: Home) -> None:
    daemon = home.serve()
    assert "Nothing runs" in home.ok("ps")
    assert home.json("ps") == {"instances": []}
    home.ok("up", "demo-qwen3")
    assert "demo-qwen3" in home.ok("ps")
    status = home.json("status")
    assert status["gateway"] == home.url
    assert status["instances"][0]["engine_version"] == "0.32.0"
    assert "demo-qwen3: ready" in home.ok("status")
    end(daemon)


def test_an_engine_killed_with_its_shim_is_cleaned_up_by_the_next_daemon(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    victims = home.engine_processes()
    shim = next(p for p in victims if "shim" in " ".join(p.cmdline()))
    os.kill(home.daemon_pid(), signal.SIGKILL)
    shim.kill()
    daemon = home.serve()
    wait_for(lambda: not any(_lives(p) for p in victims))
    assert end(daemon) == 0


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_second_daemon_for_the_same_home_names_the_first(home: Home) -> None:
    daemon = home.serve()
    second = subprocess.run(
        command("serve", "--port", "1"),
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 2
    assert f"process {daemon.pid}" in second.stderr
    assert end(daemon) == 0


# ── endings that are hurried, early or at the same time ─────────────────────────────────────


def half_a_request(home: Home) -> socket.socket:
    """A client that never sends the rest of its body."""
    return asking(home, b"{", length=1000)


def a_long_answer(home: Home) -> socket.socket:
    """A client whose answer has begun, and does not end by itself."""
    body = b'{"model": "demo-qwen3", "prompt": "on", "max_tokens": 1000, "stream": true}'
    busy = asking(home, body, length=len(body))
    assert busy.recv(100).startswith(b"HTTP/1.1 200 ")
    return busy


def asking(home: Home, body: bytes, *, length: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", home.port))
    client.settimeout(20)
    client.sendall(
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (length, body)
    )
    return client


def test_a_stuck_client_does_not_hold_up_ctrl_c_and_nothing_starts_meanwhile(home: Home) -> None:
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    with half_a_request(home):
        assert end(daemon, signal.SIGINT, timeout=15) == 0
    wait_for(lambda: home.processes() == [])


def test_a_second_signal_does_not_wait_for_an_answer(home: Home, script: Script) -> None:
    script(tokens_per_s=5, reply_tokens=1000)
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    with a_long_answer(home):
        daemon.send_signal(signal.SIGTERM)
        log = home.root / "serve.log"
        waits = "leaving the engines running; waiting for 1 request, up to 30 s"
        wait_for(lambda: waits in log.read_text())
        assert end(daemon, signal.SIGTERM, timeout=10) == 0
    assert "Traceback" not in log.read_text()
    assert home.engine_processes() != []


def test_sigterm_does_not_wait_for_half_a_request(home: Home) -> None:
    daemon = home.serve()
    with half_a_request(home) as stuck:
        assert end(daemon, signal.SIGTERM, timeout=10) == 0
        assert stuck.recv(100).startswith(b"HTTP/1.1 503 ")


def test_while_a_daemon_drains_nothing_can_be_started_that_would_outlive_it(
    home: Home, script: Script
) -> None:
    script(tokens_per_s=5, reply_tokens=1000)
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    with a_long_answer(home) as busy:
        daemon.send_signal(signal.SIGTERM)
        wait_for(lambda: "Ending" in (home.root / "serve.log").read_text())
        refused = home.run("up", "demo-llama")
        busy.close()
        assert daemon.wait(20) == 0
    assert refused.returncode == 2
    left = home.run("ps").stderr
    assert ("demo-qwen3" in left, "demo-llama" in left) == (True, False)


def test_ctrl_c_before_the_daemon_even_answers_leaves_nothing(home: Home) -> None:
    waiting = home.spawn("up", "demo-qwen3")
    wait_for(lambda: any("--detached" in p.cmdline() for p in home.processes()))
    assert end(waiting, signal.SIGINT) == 130
    wait_for(lambda: home.processes() == [])


def test_ctrl_c_twice_leaves_nothing(home: Home, script: Script) -> None:
    script(phases={"weights": 60}, slow_stop_s=2)
    waiting = home.spawn("up", "demo-qwen3")
    wait_for(lambda: len(home.engine_processes()) >= 3)
    waiting.send_signal(signal.SIGINT)
    time.sleep(0.5)  # no success signal: the second one is to come in the middle of the stop
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(30) != 0
    wait_for(lambda: home.processes() == [])


def test_two_ups_at_once_share_one_daemon_and_one_engine(home: Home) -> None:
    logs = [home.root / "a.log", home.root / "b.log"]
    both = [home.spawn("up", "demo-qwen3", output=log) for log in logs]
    assert [up.wait(60) for up in both] == [0, 0]
    said = "".join(log.read_text() for log in logs)
    assert said.count("Started a daemon") == 1
    assert said.count("is ready") == 2
    assert len(home.json("ps")["instances"]) == 1


def test_other_flags_for_what_runs_are_refused_not_dropped(home: Home) -> None:
    home.ok("up", "demo-qwen3", "--set", "max_model_len=512")
    home.ok("up", "demo-qwen3", "--set", "max-model-len=512")  # the same, so nothing to do
    refused = home.run("up", "demo-qwen3", "--set", "max_model_len=1024")
    assert refused.returncode == 2
    assert "with other flags" in refused.stderr
    with client(home) as openai:
        entry = openai.models.retrieve("demo-qwen3")
    assert entry.model_dump()["max_model_len"] == 512


def test_a_relative_home_is_the_same_for_the_daemon(home: Home) -> None:
    home.environ["SPARKWELL_HOME"] = home.root.name
    done = subprocess.run(
        command("up", "demo-qwen3"),
        env=home.environ,
        cwd=home.root.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    home.environ["SPARKWELL_HOME"] = str(home.root)
    assert done.returncode == 0, done.stderr
    assert home.json("ps")["instances"][0]["state"] == "ready"


def test_a_daemon_that_failed_with_other_variables_is_not_asked_again(
    home: Home, script: Script
) -> None:
    script(fail_at_phase="launch")
    home.environ["HF_TOKEN"] = "hf_" + "first" * 8
    assert home.run("up", "demo-qwen3").returncode == 2
    first = home.daemon_pid()
    home.environ["HF_TOKEN"] = "hf_" + "second" * 8
    script()
    home.ok("up", "demo-qwen3")
    assert home.daemon_pid() != first
    home.environ["HF_TOKEN"] = "hf_" + "third" * 8
    said = home.run("up", "demo-qwen3").stderr
    assert "was started with another value of HF_TOKEN, and keeps it" in said
    assert "third" not in said


def test_ps_tells_what_a_dead_daemon_left_running(home: Home) -> None:
    home.ok("up", "demo-qwen3")
    psutil.Process(home.daemon_pid()).kill()
    wait_for(lambda: home.run("ps").returncode == 2)
    for command_name in ("ps", "status"):
        said = home.run(command_name).stderr
        assert "what an earlier one started is: demo-qwen3" in said
        assert "`sparkwell down` ends it" in said
    home.ok("down")
    assert "what an earlier one" not in home.run("ps").stderr
