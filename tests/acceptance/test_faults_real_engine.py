"""The faults of docs/faults.md that have a star, with the real vLLM. Five starts of an engine.

The tests share one home and run in the order in which they stand.
"""

from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import Home, wait_for
from tests.acceptance.precedence import precedence, take_precedence
from tests.acceptance.switching_clients import Asking, ask
from tests.acceptance.switching_home import (
    admin,
    alive,
    core_of,
    kill_daemon,
    one_engine_each,
    open_intents,
    rows,
    serve,
    server_of,
    state,
    taking_turns,
    told,
    until_state,
)
from tests.acceptance.test_real_engine import START_S, real_home

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]
QWEN, LLAMA = "demo-qwen3", "demo-llama"
LONG = 1900


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = real_home(tmp_path_factory.mktemp("home"))
    taking_turns(place)
    with precedence():
        yield place
    place.clean_up()


def serve_first(home: Home) -> None:
    """A daemon that runs before the engines, which spin."""
    take_precedence(serve(home).pid)


def answered(home: Home, model: str) -> Asking:
    asking = ask(home, model).done(START_S)
    assert asking.whole, f"{asking.status} {asking.error} {asking.text}"
    return asking


def instance(home: Home, model: str) -> str:
    return next(str(each["id"]) for each in admin(home)["instances"] if each["model"] == model)


def test_the_daemon_killed_while_an_engine_loads_for_a_request(home: Home) -> None:
    serve_first(home)
    asking = ask(home, QWEN)
    wait_for(lambda: has_core(home, QWEN), START_S)
    before = instance(home, QWEN)
    kill_daemon(home)
    assert asking.done(10).error is not None
    serve_first(home)
    until_state(home, QWEN, "ready", START_S)
    assert instance(home, QWEN) == before
    answered(home, QWEN)
    one_engine_each(home)
    assert open_intents(home) == []


def test_the_api_server_killed_while_it_serves_and_its_child_survives(home: Home) -> None:
    home.ok("up", QWEN)  # from now on it is a person's
    before = instance(home, QWEN)
    processes = home.engine_processes()
    stream = ask(home, QWEN, tokens=LONG, stream=True).until(lambda each: each.tokens > 3)
    server_of(home, QWEN).kill()
    assert stream.done(20).fault["code"] == "engine_ended"
    later = answered(home, QWEN)  # it waits for the restart
    assert alive(processes) == []
    assert later.headers["x-sparkwell-instance"] != before
    assert int(later.headers["x-sparkwell-queued-ms"]) > 1000
    ((ended, reason),) = rows(home, "SELECT instance, reason FROM restarts")
    assert ended == before
    assert "while serving (killed by signal 9" in reason
    one_engine_each(home)


def test_the_daemon_killed_while_a_model_drains(home: Home) -> None:
    before, processes = instance(home, QWEN), alive(home.engine_processes())
    stream = ask(home, QWEN, tokens=LONG, stream=True).until(lambda each: each.tokens > 3)
    waiting = ask(home, LLAMA)
    until_state(home, QWEN, "draining")
    kill_daemon(home)
    for each in (stream, waiting):
        assert not each.done(10).whole
    serve_first(home)
    until_state(home, QWEN, "ready")
    assert instance(home, QWEN) == before
    assert alive(processes) == processes
    assert "nobody had left yet" in told(home, "recovery.switch")
    answered(home, QWEN)
    assert open_intents(home) == []


def test_a_switch_to_an_engine_that_is_killed_while_it_loads_is_rolled_back(home: Home) -> None:
    asking = ask(home, LLAMA)
    wait_for(lambda: has_core(home, LLAMA), START_S)
    core_of(home, LLAMA).kill()
    assert asking.done(60).status == 503
    assert "the engine ended by itself while starting" in asking.fault["message"]
    until_state(home, QWEN, "ready", START_S)
    answered(home, QWEN)
    assert f"{QWEN} comes back" in told(home, "switch.failed")
    one_engine_each(home)
    assert open_intents(home) == []


def test_the_daemon_killed_while_it_stops_an_engine(home: Home) -> None:
    """The last good model comes back: the one that it would have made room for never began."""
    processes = alive(home.engine_processes())
    waiting = ask(home, LLAMA)
    until_state(home, QWEN, "stopping")
    kill_daemon(home)
    assert waiting.done(10).error is not None
    serve_first(home)
    until_state(home, QWEN, "ready", START_S)
    assert state(home, LLAMA) is None
    assert alive(processes) == []
    assert f"rolled back to {QWEN}" in told(home, "recovery.switch")
    answered(home, QWEN)
    one_engine_each(home)
    assert open_intents(home) == []


def has_core(home: Home, model: str) -> bool:
    try:
        return core_of(home, model) is not None
    except (AssertionError, StopIteration):
        return False
