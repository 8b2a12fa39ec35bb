"""Models that take turns: who leaves, who comes back, who is refused, and what a person sees."""

import pytest

from tests.acceptance.conftest import Home, wait_for
from tests.acceptance.switching_clients import answered, ask
from tests.acceptance.switching_home import (
    Json,
    admin,
    engines,
    events,
    kill_daemon,
    kill_engines,
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


# ── a switch ────────────────────────────────────────────────────────────────────────────────


def test_a_switch_waits_for_what_runs_and_tells_those_who_wait(home: Home) -> None:
    taking_turns(home)
    script_each(home, demo_qwen3={"tokens_per_s": 20}, demo_llama={"phases": {"weights": 1}})
    serve(home)
    home.ok("up", QWEN)
    running = ask(home, QWEN, tokens=60, stream=True).until(lambda each: each.tokens > 3)
    waiting = ask(home, LLAMA, stream=True)
    until_state(home, QWEN, "draining")
    status = admin(home)
    assert status["queue"][0]["model"] == LLAMA
    assert status["switch"]["to"] == LLAMA
    assert status["switch"]["from"] == [QWEN]
    assert "1 request" in home.ok("status")
    assert running.done(20).whole
    assert running.tokens >= 60
    assert waiting.done(20).whole
    assert waiting.comments[0].startswith(f": sparkwell {LLAMA}: waiting for 1 running request")
    assert any("loading weights" in each for each in waiting.comments)
    order = [e["kind"] for e in events(home) if e["kind"].startswith(("switch.", "memory."))]
    assert order == ["switch.begin", "memory.verified", "switch.done"]
    assert open_intents(home) == []


def test_models_that_fit_together_run_beside_each_other(home: Home) -> None:
    taking_turns(home, {"budget_gib": 6})
    script_each(home)
    serve(home)
    answered(home, QWEN)
    answered(home, LLAMA)
    assert {each["state"] for each in admin(home)["instances"]} == {"ready"}
    assert events(home, "switch.begin") == []


# ── failures ────────────────────────────────────────────────────────────────────────────────


def test_the_breaker_opens_after_three_failures_and_says_the_first_reason(home: Home) -> None:
    """The second and the third are of another kind; an `up` closes it."""
    taking_turns(home)
    serve(home, pauses_s=0.5)
    home.ok("up", QWEN)
    script_each(home, demo_qwen3={"die_after_s": 0.2, "die_code": 7})
    server_of(home, QWEN).kill()
    wait_for(lambda: events(home, "breaker.open") != [])
    (opened,) = events(home, "breaker.open")
    assert "killed by signal 9" in opened["data"]["reason"]
    assert [e["message"] for e in events(home, "instance.failed")][-1].endswith("(exit code 7)")
    assert len(events(home, "instance.failed")) == 3
    refused = ask(home, QWEN).done(5)
    assert refused.status == 503
    assert "killed by signal 9" in refused.fault["message"]
    assert int(refused.headers["retry-after"]) > 500
    kill_daemon(home)
    serve(home)  # the next one knows
    again = ask(home, QWEN).done(5)
    assert again.status == 503
    assert "killed by signal 9" in again.fault["message"]
    assert engines(home) == []
    assert len(rows(home, "SELECT reason FROM restarts")) == 2
    script_each(home)
    home.ok("up", QWEN)
    answered(home, QWEN)
    assert rows(home, "SELECT model FROM breakers") == []
    assert len(events(home, "breaker.closed")) == 1


# ── who comes back, and who stays ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("on_demand", [True, False])
def test_after_a_reboot_what_was_ready_comes_back(home: Home, on_demand: bool) -> None:
    """With the flags that a person gave, and only what was there when the machine went down."""
    taking_turns(home, {"on_demand": on_demand, "budget_gib": 12})
    serve(home, boot_id="first")
    home.ok("up", QWEN, "--set", "max-model-len=512")
    home.ok("up", LLAMA)
    home.ok("down", LLAMA)
    kill_daemon(home)
    kill_engines(home)
    serve(home, boot_id="second")
    until_state(home, QWEN, "ready")
    assert "--max-model-len 512" in " ".join(engines(home))
    assert f"{QWEN} comes back" in told(home, "recovery.reboot")
    assert [each["model"] for each in admin(home)["instances"]] == [QWEN]
    answered(home, QWEN)


@pytest.mark.parametrize("settings", [{"restore": False}, {}], ids=["not wanted", "no reboot"])
def test_without_a_reboot_or_a_wish_nothing_comes_back(home: Home, settings: Json) -> None:
    taking_turns(home, settings)
    serve(home, boot_id="first")
    home.ok("up", QWEN)
    kill_daemon(home)
    kill_engines(home)
    serve(home, boot_id="second" if settings else "first")
    answered(home, LLAMA)
    assert state(home, QWEN) is None
    assert events(home, "recovery.reboot") == []


def test_preload_starts_models_with_the_daemon(home: Home) -> None:
    taking_turns(home, {"budget_gib": 6}, preload=[LLAMA, QWEN])
    serve(home)
    for model in (LLAMA, QWEN):
        until_state(home, model, "ready")
    before = engines(home)
    kill_daemon(home)
    serve(home)  # what runs already goes on
    for model in (LLAMA, QWEN):
        until_state(home, model, "ready")
    assert engines(home) == before
    one_engine_each(home)


def test_a_pinned_model_never_leaves(home: Home) -> None:
    taking_turns(home, models={QWEN: {"pinned": True, "idle_s": 0.5}})
    serve(home)
    home.ok("up", QWEN)
    first = admin(home)["instances"][0]["id"]
    refused = ask(home, LLAMA).done(20)
    assert refused.status == 503
    assert f"does not fit on this machine beside {QWEN}" in refused.fault["message"]
    assert f"sparkwell down {QWEN}" in refused.text
    answered(home, QWEN)
    assert [each["id"] for each in admin(home)["instances"]] == [first]
    assert events(home, "switch.begin", "instance.idle") == []


def test_an_unused_model_ends_after_its_time_and_comes_at_the_next_request(home: Home) -> None:
    taking_turns(home, {"idle_s": 1.5})
    serve(home)
    first = answered(home, QWEN).headers["x-sparkwell-instance"]
    until_state(home, QWEN, None, 10)
    assert "was idle for 2 s" in told(home, "instance.idle")
    assert engines(home) == []
    assert answered(home, QWEN).headers["x-sparkwell-instance"] != first


def test_what_a_person_started_stays_though_it_is_idle(home: Home) -> None:
    taking_turns(home, {"idle_s": 0.5})
    serve(home)
    home.ok("up", QWEN)
    first = answered(home, QWEN).headers["x-sparkwell-instance"]
    wait_for(lambda: admin(home)["instances"][0]["idle_s"] > 2)
    assert admin(home)["instances"][0]["id"] == first


# ── bounds ──────────────────────────────────────────────────────────────────────────────────


def test_a_full_queue_refuses_at_once_with_retry_after(home: Home) -> None:
    taking_turns(home, {"max_waiting": 2})
    script_each(home, demo_llama={"phases": {"weights": 2}})
    serve(home)
    answered(home, LLAMA)  # so that it is known how long its start takes
    answered(home, QWEN)
    waiting = [ask(home, LLAMA) for _ in range(2)]
    wait_for(lambda: sum(each["waiting"] for each in admin(home)["queue"]) == 2)
    for stream in (False, True):
        refused = ask(home, LLAMA, stream=stream).done(2)
        assert refused.status == 429
        assert refused.fault["code"] == "queue_full"
        assert 1 <= int(refused.headers["retry-after"]) < 30
    assert all(each.done(20).whole for each in waiting)


def test_nobody_waits_longer_than_the_settings_allow(home: Home) -> None:
    taking_turns(home, {"max_wait_s": 1.5})
    script_each(home, demo_qwen3={"phases": {"weights": 20}})
    serve(home)
    whole, stream = ask(home, QWEN), ask(home, QWEN, stream=True)
    assert whole.done(10).status == 503
    for each in (whole, stream.done(10)):
        assert each.fault["code"] == "wait_exceeded"
        assert 1.4 < (each.seconds or 0) < 5
    assert admin(home)["queue"] == []


def test_a_start_that_nobody_waits_for_any_more_does_not_stop_what_serves(home: Home) -> None:
    taking_turns(home, {"patience_s": 30})
    script_each(home, demo_qwen3={"tokens_per_s": 20})
    serve(home)
    home.ok("up", QWEN)
    running = ask(home, QWEN, tokens=60, stream=True).until(lambda each: each.tokens > 3)
    leaver = ask(home, LLAMA)
    wait_for(lambda: admin(home)["queue"] != [])
    leaver.go_away()
    wait_for(lambda: admin(home)["queue"] == [])
    assert running.done(20).whole
    assert events(home, "switch.begin") == []
    assert admin(home)["requests_running"] == 0
