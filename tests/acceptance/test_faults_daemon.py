"""The daemon killed in each state, a second one, a port that is taken, a clock that jumps, a crowd.

A daemon that was killed leaves waiting clients a broken connection, and the next one all that runs.
"""

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests.acceptance.conftest import Home, wait_for
from tests.acceptance.switching_clients import Asking, answered, ask
from tests.acceptance.switching_home import (
    REPOSITORY,
    Json,
    admin,
    alive,
    engines,
    events,
    kill_daemon,
    kill_engines,
    launches,
    one_engine_each,
    open_intents,
    script_each,
    serve,
    server_of,
    state,
    taking_turns,
    told,
    until_state,
)

QWEN, LLAMA = "demo-qwen3", "demo-llama"
LONG: Json = {"tokens_per_s": 20}
ASLEEP: Json = {"switching": {"back_end": "sleep-1", "budget_gib": 5.5}}


# ── killed in each state ────────────────────────────────────────────────────────────────────


def preparing(home: Home) -> list[Asking]:
    asking = ask(home, QWEN)
    wait_for(lambda: _phase(home, QWEN) == "prepare")
    return [asking]


def starting(home: Home) -> list[Asking]:
    asking = ask(home, QWEN)
    wait_for(lambda: _phase(home, QWEN) == "weights")
    return [asking]


def ready(home: Home) -> list[Asking]:
    home.ok("up", QWEN)
    return [ask(home, QWEN, tokens=1000, stream=True).until(lambda each: each.tokens > 3)]


def draining(home: Home) -> list[Asking]:
    running = ready(home)
    asking = ask(home, LLAMA)
    until_state(home, QWEN, "draining")
    return [*running, asking]


def stopping(home: Home) -> list[Asking]:
    answered(home, QWEN)
    asking = ask(home, LLAMA)
    until_state(home, QWEN, "stopping")
    return [asking]


def verifying(home: Home) -> list[Asking]:
    answered(home, QWEN)
    asking = ask(home, LLAMA)
    wait_for(lambda: (admin(home)["switch"] or {}).get("step") == "verifying")
    return [asking]


def starting_in_a_switch(home: Home) -> list[Asking]:
    answered(home, QWEN)
    asking = ask(home, LLAMA)
    wait_for(lambda: _phase(home, LLAMA) == "weights")
    return [asking]


def falling_asleep(home: Home) -> list[Asking]:
    answered(home, QWEN)
    asking = ask(home, LLAMA)
    until_state(home, QWEN, "sleeping")
    return [asking]


def asleep(home: Home) -> list[Asking]:
    answered(home, QWEN)
    answered(home, LLAMA)
    until_state(home, QWEN, "asleep")
    return []


def waking(home: Home) -> list[Asking]:
    asleep(home)
    asking = ask(home, QWEN)
    until_state(home, QWEN, "waking")
    return [asking]


def _phase(home: Home, model: str) -> str | None:
    found = [each for each in admin(home)["instances"] if each["model"] == model]
    return found[0].get("phase") if found else None


@dataclass(frozen=True)
class Moment:
    """A state to kill the daemon in: how it comes about, and what the next daemon makes of it.

    ``after`` are the models that serve in the end; ``same`` of them are the very engines.
    """

    reach: Callable[[Home], list[Asking]]
    after: list[str]
    same: list[str]
    said: str = ""
    script: Json | None = None
    altered: Json | None = None
    settings: Json | None = None


SLEEPY: Json = {"back_end": "sleep-1"}
MOMENTS = [
    Moment(preparing, [], [], altered={"slow_prepare_s": 30}),
    Moment(starting, [QWEN], [QWEN], script={"phases": {"weights": 2}}),
    Moment(ready, [QWEN], [QWEN], script=LONG),
    Moment(draining, [QWEN], [QWEN], "nobody had left yet", script=LONG),
    Moment(stopping, [QWEN], [], f"rolled back to {QWEN}", script={"slow_stop_s": 2}),
    Moment(verifying, [QWEN], [], f"rolled back to {QWEN}", altered={"slow_memory_s": 30}),
    Moment(starting_in_a_switch, [LLAMA], [LLAMA], "it goes on",
           script={"phases": {"weights": 2}}),
    Moment(falling_asleep, [QWEN], [QWEN], script={"sleep_s": 2},
           altered={"sleeps": True}, settings=SLEEPY),
    Moment(asleep, [LLAMA, QWEN], [LLAMA, QWEN], altered={"sleeps": True}, settings=SLEEPY),
    Moment(waking, [LLAMA, QWEN], [LLAMA, QWEN], script={"wake_s": 2}, altered={"sleeps": True},
           settings=SLEEPY),
]  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda each: each.reach.__name__)
def test_the_daemon_killed(home: Home, moment: Moment) -> None:
    taking_turns(home, moment.settings and {**moment.settings, "budget_gib": 4.5})
    script_each(home, demo_qwen3=moment.script or {}, demo_llama=moment.script or {})
    serve(home, **(moment.altered or {}))
    clients = moment.reach(home)
    before = {each["model"]: each["id"] for each in admin(home)["instances"]}
    processes = home.engine_processes()
    kill_daemon(home)
    for each in clients:
        each.done(10)  # a broken connection, or an answer: but an end
        assert not each.whole
    altered = {key: value for key, value in (moment.altered or {}).items() if key == "sleeps"}
    serve(home, **altered)
    for model in moment.after:
        wait_for(lambda: state(home, model) in ("ready", "asleep"))  # noqa: B023
    served = {each["model"]: each["id"] for each in admin(home)["instances"]}
    assert sorted(served) == sorted(moment.after)
    for model in moment.same:
        assert served[model] == before[model]
    assert moment.said in told(home, "recovery.switch")
    assert open_intents(home) == []
    one_engine_each(home)
    kept = [name for name in launches(home) if name in served.values()]
    gone = [p for p in processes if not any(name in " ".join(engines(home)) for name in kept)]
    wait_for(lambda: alive(gone) == [])
    answered(home, (moment.after or [QWEN])[-1])
    assert admin(home)["requests_running"] == 0


# ── what the next daemon knows of what it takes over ────────────────────────────────────────


def test_a_switch_that_the_next_daemon_took_over_is_rolled_back_when_it_fails(home: Home) -> None:
    taking_turns(home)
    script_each(home, demo_qwen3={}, demo_llama={"phases": {"weights": 30}})
    serve(home)
    starting_in_a_switch(home)
    kill_daemon(home)
    serve(home)
    assert admin(home)["switch"]["to"] == LLAMA
    server_of(home, LLAMA).kill()
    until_state(home, QWEN, "ready")
    assert "the engine ended by itself while starting" in told(home, "instance.failed")
    assert f"{QWEN} comes back" in told(home, "switch.failed")
    wait_for(lambda: open_intents(home) == [])
    one_engine_each(home)


def test_what_a_request_had_started_ends_when_idle_under_the_next_daemon_too(home: Home) -> None:
    """Its memory is verified against what was there before its start, as the daemon's own is."""
    taking_turns(home, {"idle_s": 1.5, "budget_gib": 6})
    serve(home)
    home.ok("up", LLAMA)
    asked = answered(home, QWEN).headers["x-sparkwell-instance"]
    kill_daemon(home)
    serve(home)
    until_state(home, QWEN, None, 10)
    assert "was idle" in told(home, "instance.idle")
    wait_for(lambda: told_of_memory(home) != [])
    verified = told_of_memory(home)[0]
    assert verified["instance"] == asked
    assert verified["data"]["expected_bytes"] > 0
    assert state(home, LLAMA) == "ready"  # a person had started it


def told_of_memory(home: Home) -> list[Json]:
    return events(home, "memory.verified", "memory.explained", "memory.waiting")


def test_a_start_that_the_machine_did_not_survive_is_held_against_the_model(home: Home) -> None:
    taking_turns(home, preload=[QWEN])
    script_each(home, demo_qwen3={"phases": {"weights": 30}})
    for number in (1, 2, 3):
        daemon = serve(home, boot_id=f"boot {number}", pauses_s=0.1)
        wait_for(lambda: _phase(home, QWEN) == "weights")
        daemon.kill()  # the power fails: everything at once
        daemon.wait(10)
        kill_engines(home)
    serve(home, boot_id="boot 4", pauses_s=0.1)
    assert "which makes 3 failures in a row. It is left alone" in told(home, "recovery.wedged")
    wait_for(lambda: events(home, "preload.left_alone") != [])
    assert admin(home)["instances"] == []
    refused = ask(home, QWEN).done(10)
    assert refused.status == 503
    assert "the machine restarted while it started" in refused.fault["message"]


def test_who_asks_while_a_daemon_takes_over_is_told_so(home: Home) -> None:
    """Here it waits for an engine that is slow to stop. Requests wait, and are answered."""
    taking_turns(home)
    script_each(home, demo_qwen3={"slow_stop_s": 12}, demo_llama={})
    serve(home)
    stopping(home)
    kill_daemon(home)
    home.spawn("serve")
    wait_for(lambda: _is_recovering(home))
    said = home.ok("status")
    assert "taking over what an earlier one left" in said
    assert f"{QWEN}: stopping" in said
    asking = ask(home, LLAMA)
    home.ok("up", LLAMA, "--switch")  # waits, and is done then
    assert asking.done(40).whole
    assert admin(home)["recovering"] is False


def _is_recovering(home: Home) -> bool:
    try:
        return bool(admin(home)["recovering"])
    except OSError:
        return False


# ── two daemons, one port ───────────────────────────────────────────────────────────────────


def test_a_second_daemon_says_who_holds_the_state_and_touches_nothing(home: Home) -> None:
    taking_turns(home)
    script_each(home, demo_qwen3=LONG)
    daemon = serve(home)
    home.ok("up", QWEN)
    stream = ask(home, QWEN, tokens=60, stream=True).until(lambda each: each.tokens > 3)
    before = engines(home)
    second = home.run("serve", "--port", str(home.port))
    assert second.returncode == 2
    assert f"A daemon is already running for {home.paths.state} (process {daemon.pid})" in (
        second.stderr
    )
    assert stream.done(20).whole
    assert engines(home) == before


def test_the_gateway_s_port_is_taken_and_nothing_has_happened_yet(home: Home) -> None:
    """An engine that an earlier daemon left must live on, and the next daemon has it."""
    serve(home)
    home.ok("up", QWEN)
    before = engines(home)
    kill_daemon(home)
    with socket.create_server(("127.0.0.1", home.port)):
        refused = home.run("serve")
    assert refused.returncode == 2
    assert f"cannot listen on 127.0.0.1:{home.port}: " in refused.stderr
    assert "--port" in refused.stderr
    assert engines(home) == before
    serve(home)
    until_state(home, QWEN, "ready")
    answered(home, QWEN)


def test_an_engine_s_socket_is_taken_between_check_and_start(home: Home) -> None:
    """Engines here listen on Unix sockets: this one finds that somebody was quicker."""
    taking_turns(home)
    script_each(home, demo_llama={"bind_late": True, "phases": {"weights": 1.5}})
    serve(home)
    answered(home, QWEN)
    asking = ask(home, LLAMA)
    wait_for(lambda: _phase(home, LLAMA) == "weights")
    (entry,) = [each for each in admin(home)["instances"] if each["model"] == LLAMA]
    with socket.socket(socket.AF_UNIX) as thief:
        thief.bind(entry["endpoint"].removeprefix("unix:"))
        assert asking.done(20).status == 503
    assert "address already in use" in asking.fault["message"].lower()
    until_state(home, QWEN, "ready")
    one_engine_each(home)


# ── a clock that jumps ──────────────────────────────────────────────────────────────────────


def test_a_clock_that_jumps_by_days_changes_nothing(home: Home) -> None:
    """It goes a day ahead and a day back every 0.7 s, while models take turns."""
    taking_turns(home, {"idle_s": 600})
    script_each(home, demo_qwen3={"phases": {"weights": 1}})
    serve(home, clock_jumps_s=86400.0)
    for _ in range(2):
        for model in (QWEN, LLAMA):
            asking = answered(home, model, 20)
            assert 0 <= int(asking.headers["x-sparkwell-queued-ms"]) < 20_000
    entry = next(each for each in admin(home)["instances"] if each["state"] == "ready")
    assert 0 <= entry["resident_s"] < 60
    assert events(home, "instance.idle", "breaker.open", "queue.refused") == []
    assert len(events(home, "switch.done")) == 3
    ages = [each["at"] for each in events(home)]
    assert max(ages) - min(ages) > 80_000  # it did jump
    assert open_intents(home) == []


# ── a crowd ─────────────────────────────────────────────────────────────────────────────────

MODELS = [f"crowd-{letter}" for letter in "abcde"]
CLIENTS = 200


def five_models(home: Home) -> None:
    """The demo model under five names."""
    recipe = (REPOSITORY / "src/sparkwell/catalog/recipes/demo-qwen3.yaml").read_text()
    home.paths.recipes.mkdir()
    for name in MODELS:
        text = recipe.replace("name: demo-qwen3", f"name: {name}")
        (home.paths.recipes / f"{name}.yaml").write_text(text)


async def crowd(url: str, seed: int) -> list[str]:
    """Ask, each client once; how each ended, in a word: an answer, an error, gone."""
    chance = random.Random(seed)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return await asyncio.gather(
            *(_one(session, url, chance.choice(MODELS), chance.random()) for _ in range(CLIENTS))
        )


async def _one(session: aiohttp.ClientSession, url: str, model: str, luck: float) -> str:
    """Two in five go away before they are served, some of them in the middle of an answer."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 20,
        "stream": luck < 0.5,
    }
    leaves_after_s = luck * 10 if luck < 0.4 else None
    try:
        async with asyncio.timeout(leaves_after_s):
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                text = await response.text()
                good = response.status == 200 and "error" not in text
                return "answer" if good else f"{response.status} {text}"
    except TimeoutError:
        return "gone"


@pytest.mark.timeout(150)
def test_200_clients_ask_for_5_models_and_go_away_at_random(home: Home) -> None:
    taking_turns(home, {"min_residency_s": 0.5, "patience_s": 1, "budget_gib": 6})
    five_models(home)
    script_each(home, demo_qwen3={})
    script_each(home, crowd_a={"tokens_per_s": 20}, crowd_b={"tokens_per_s": 20})
    serve(home)
    ends = asyncio.run(asyncio.wait_for(crowd(home.url, seed=5), 90))
    assert sorted(set(ends)) == ["answer", "gone"], [each for each in ends if each[0].isdigit()][:3]
    assert ends.count("answer") >= CLIENTS * 0.6
    wait_for(lambda: admin(home)["requests_running"] == 0)
    wait_for(lambda: admin(home)["queue"] == [])
    wait_for(lambda: admin(home)["switch"] is None)
    memory = admin(home)["memory"]
    assert memory["promised_bytes"] <= memory["budget_bytes"]
    one_engine_each(home)
    assert open_intents(home) == []
    answered(home, MODELS[0])
