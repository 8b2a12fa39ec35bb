"""Engines that die, hang, never come or will not go: the real daemon, real processes, real clients.

docs/faults.md has the table; the names there are those of these tests.
"""

import signal

import pytest

from tests.acceptance.conftest import Home, end, wait_for
from tests.acceptance.switching_clients import answered, ask
from tests.acceptance.switching_home import (
    Json,
    admin,
    alive,
    core_of,
    engines,
    events,
    one_engine_each,
    open_intents,
    rows,
    script_each,
    serve,
    server_of,
    state,
    taking_turns,
    told,
    until_state,
)

QWEN, LLAMA = "demo-qwen3", "demo-llama"
SLOW: Json = {"phases": {"weights": 30}}
STREAMS: Json = {"tokens_per_s": 20}


def waiting(home: Home) -> int:
    return sum(each["waiting"] for each in admin(home)["queue"])


# ── killed while loading ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("victim", ["api server", "EngineCore"])
def test_an_engine_killed_while_it_loads_for_a_request(home: Home, victim: str) -> None:
    taking_turns(home)
    script_each(home, demo_llama=SLOW)
    serve(home)
    whole, stream = ask(home, LLAMA), ask(home, LLAMA, stream=True)
    wait_for(lambda: "EngineCore" in " ".join(engines(home)))
    stream.until(lambda each: "loading weights" in each.text)
    find = server_of if victim == "api server" else core_of
    find(home, LLAMA).kill()
    assert whole.done(15).status == 503
    assert stream.done(15).status == 200  # its wait had been told of
    for each in (whole, stream):
        assert "failed: the engine ended by itself while starting" in each.fault["message"]
    assert "retry-after" in whole.headers
    wait_for(lambda: engines(home) == [])
    assert admin(home)["requests_running"] == 0
    assert open_intents(home) == []


def test_a_switch_to_a_model_that_is_killed_while_it_loads_is_rolled_back(home: Home) -> None:
    taking_turns(home)
    script_each(home, demo_llama=SLOW)
    serve(home)
    answered(home, QWEN)
    asking = ask(home, LLAMA)
    wait_for(lambda: state(home, LLAMA) == "starting" and "EngineCore" in " ".join(engines(home)))
    core_of(home, LLAMA).kill()
    assert asking.done(15).status == 503
    assert "while starting" in asking.fault["message"]
    until_state(home, QWEN, "ready")
    answered(home, QWEN)
    assert "comes back" in told(home, "switch.failed")
    one_engine_each(home)
    assert open_intents(home) == []


# ── killed while serving ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("victim", "script"),
    [("api server", {}), ("EngineCore", {}), ("api server", {"ignore_sigterm": True})],
    ids=["api server", "EngineCore", "child survives"],
)
def test_an_engine_killed_while_it_serves(home: Home, victim: str, script: Json) -> None:
    """A child that survives keeps the engine's end back for 2 s: who asks meanwhile waits too."""
    taking_turns(home)
    script_each(home, demo_qwen3={**STREAMS, **script})
    serve(home, stop_grace_s=2.0)
    home.ok("up", QWEN)
    first, processes = admin(home)["instances"][0]["id"], home.engine_processes()
    stream = ask(home, QWEN, tokens=1000, stream=True).until(lambda each: each.tokens > 3)
    find = server_of if victim == "api server" else core_of
    find(home, QWEN).kill()
    assert stream.done(10).fault["code"] == "engine_ended"
    later = ask(home, QWEN).done(30)  # it waits for the restart
    assert later.whole, later.text
    assert later.headers["x-sparkwell-instance"] != first
    assert int(later.headers["x-sparkwell-queued-ms"]) > 0
    assert alive(processes) == []
    ((model, instance, reason),) = rows(home, "SELECT model, instance, reason FROM restarts")
    assert (model, instance) == (QWEN, first)
    assert "the engine ended by itself while serving" in reason
    one_engine_each(home)


def test_a_person_s_model_comes_back_after_a_crash_without_a_request(home: Home) -> None:
    serve(home)
    home.ok("up", QWEN)
    first = admin(home)["instances"][0]["id"]
    server_of(home, QWEN).send_signal(signal.SIGKILL)
    until_state(home, QWEN, "failed")
    until_state(home, QWEN, "ready")
    assert admin(home)["instances"][0]["id"] != first
    one_engine_each(home)


# ── killed while draining ───────────────────────────────────────────────────────────────────


def test_a_switch_goes_on_when_the_engine_is_killed_that_drains_for_it(home: Home) -> None:
    taking_turns(home)
    script_each(home, demo_qwen3=STREAMS)
    serve(home)
    home.ok("up", QWEN)
    stream = ask(home, QWEN, tokens=1000, stream=True).until(lambda each: each.tokens > 3)
    asking = ask(home, LLAMA)
    until_state(home, QWEN, "draining")
    server_of(home, QWEN).kill()
    assert stream.done(10).fault["code"] == "engine_ended"
    assert asking.done(20).whole, asking.text
    assert len(events(home, "switch.done")) == 1
    assert events(home, "switch.failed") == []
    assert open_intents(home) == []


# ── never ready, or well only in words ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "words", "finding"),
    [
        ({"never_ready": True}, "it was not ready within 2 s", "load-stalled"),
        ({"health_ok_but_no_tokens": True}, "generated nothing within 1 s", "engine-hung"),
        (
            {"exit_code_at_once": 0},
            "the engine ended by itself while starting",
            "engine-core-died",
        ),
        (
            {"fail_at_phase": "weights", "fail_message": "cuda-oom"},
            "CUDA out of memory",
            "cuda-oom",
        ),
    ],
    ids=["never ready", "no token", "exits 0 at once", "out of memory"],
)
def test_a_switch_to_an_engine_that_does_not_come_is_rolled_back(
    home: Home, script: Json, words: str, finding: str
) -> None:
    taking_turns(home, engines={"start_timeout_s": 2, "canary_timeout_s": 1})
    script_each(home, demo_llama=script)
    serve(home)
    answered(home, QWEN)
    asking, another = ask(home, LLAMA), ask(home, LLAMA, stream=True)
    assert words in asking.done(20).fault["message"]
    assert words in another.done(20).fault["message"]
    assert asking.status == 503
    until_state(home, QWEN, "ready")
    answered(home, QWEN)
    one_engine_each(home)
    assert open_intents(home) == []
    assert asking.fault["message"] in ask(home, LLAMA).done(5).fault["message"]  # at once
    assert events(home, "instance.failed")[0]["data"]["findings"] == [finding]


HASTY = {"every_s": 0.2, "still_s": 0.6, "idle_s": 2, "deadline_s": 0.5}


@pytest.mark.parametrize(
    "script", [{"hang_after_requests": 1, **STREAMS}, {"hang_after_s": 1.5}], ids=["busy", "idle"]
)
def test_an_engine_that_hangs_is_ended_and_started_again(home: Home, script: Json) -> None:
    """The canary of the start is the first request: the next one hangs."""
    taking_turns(home)
    script_each(home, demo_qwen3=script)
    daemon = serve(home, liveness=HASTY)
    home.ok("up", QWEN)
    first = admin(home)["instances"][0]["id"]
    script_each(home)
    stream = ask(home, QWEN, tokens=1000, stream=True) if "tokens_per_s" in script else None
    wait_for(lambda: all(each["id"] != first for each in admin(home)["instances"]), 20)
    if stream:
        assert stream.done(10).fault["code"] == "engine_ended"
    answered(home, QWEN)
    assert "generates nothing" in told(home, "canary.failed")
    ((reason,),) = rows(home, "SELECT reason FROM restarts")
    assert reason.startswith("it hung: the engine says that it is healthy and generates nothing")
    one_engine_each(home)
    end(daemon)


def test_a_busy_engine_is_not_taken_for_one_that_hangs(home: Home) -> None:
    taking_turns(home)
    script_each(home, demo_qwen3={"tokens_per_s": 5})
    daemon = serve(home, liveness=HASTY)
    home.ok("up", QWEN)
    first = admin(home)["instances"][0]["id"]
    stream = ask(home, QWEN, tokens=25, stream=True).done(20)  # 5 s: long for that pace
    assert stream.whole
    assert admin(home)["instances"][0]["id"] == first
    assert events(home, "canary.failed") == []
    end(daemon)


# ── will not go ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", ["ignore_sigterm", "child_survives", "slow_stop_s"])
def test_a_switch_ends_an_engine_that_will_not_go(home: Home, fault: str) -> None:
    taking_turns(home)
    value = 1.5 if fault == "slow_stop_s" else True
    script_each(home, demo_qwen3={fault: value})
    serve(home, stop_grace_s=3.0)
    answered(home, QWEN)
    before = home.engine_processes()
    asking = ask(home, LLAMA).done(45)
    assert asking.whole, asking.text
    wait_for(lambda: alive(before) == [], 5)
    assert len(events(home, "switch.done")) == 1
    one_engine_each(home)
