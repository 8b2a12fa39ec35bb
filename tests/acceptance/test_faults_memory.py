"""Memory under pressure: the real guard over the real /proc/meminfo, on floors set close to it.

At most 2 GiB are taken. The floors' bound, a share of the machine, is lifted: else an engine would
have to take nearly all memory of the test's machine before the guard acts.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sparkwell.core.units import GIB, MIB
from tests.acceptance.conftest import Home, end, wait_for
from tests.acceptance.switching_clients import answered, ask
from tests.acceptance.switching_home import (
    admin,
    available_bytes,
    engines,
    events,
    one_engine_each,
    script_each,
    serve,
    state,
    taking_turns,
    told,
    until_state,
)

QWEN, LLAMA = "demo-qwen3", "demo-llama"
LEAK = {"hold_mib": 64, "leak_mib_per_s": 500, "leak_most_mib": 3500}


def floors(soft_gib: float, hard_gib: float) -> dict[str, Any]:
    """The guard's settings: floors so far under what is available, once that holds still."""
    now = settled_bytes() / GIB
    return {
        "soft_floor_gib": round(now - soft_gib, 3),
        "hard_floor_gib": round(now - hard_gib, 3),
        "sample_ms": 50,
    }


def over(guard: dict[str, Any]) -> float:
    """GiB over the soft floor now: what the kernel calls available may have moved by one since."""
    return float(settled_bytes() / GIB - guard["soft_floor_gib"])


def settled_bytes() -> int:
    """What is available when it has not moved for 2 s, or after 60 s."""
    deadline = time.monotonic() + 60
    since, seen = time.monotonic(), available_bytes()
    while time.monotonic() < min(since + 2, deadline):
        time.sleep(0.1)
        if abs(available_bytes() - seen) > 128 * MIB:
            since, seen = time.monotonic(), available_bytes()
    return seen


@contextmanager
def another_program(gib: float) -> Iterator[None]:
    """Somebody else's memory, every page of it."""
    code = f"x = bytearray(b'1') * int({gib} * 2**30); print('held', flush=True); input()"
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hog:
        assert hog.stdout
        assert hog.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            hog.kill()


@pytest.mark.parametrize(("soft_gib", "hard_gib", "kind"), [(0.6, 6.0, "soft"), (0.4, 0.8, "hard")])
def test_the_guard_ends_an_engine_that_leaks(
    home: Home, soft_gib: float, hard_gib: float, kind: str
) -> None:
    guard = floors(soft_gib, hard_gib)
    taking_turns(home, guard=guard)
    script_each(home, demo_qwen3=LEAK)
    serve(home, any_floor=True)
    home.ok("up", QWEN, "--force")  # else its plan alone would be refused
    stream = ask(home, QWEN, tokens=2000, stream=True)
    wait_for(lambda: events(home, "guard.tripped") != [], 30)
    stream.done(30)
    assert not stream.whole or stream.tokens > 0
    until_state(home, QWEN, "failed")
    wait_for(lambda: engines(home) == [])
    (entry,) = admin(home)["instances"]
    assert entry["error"].startswith("the memory guard ended it: ")
    assert f"({kind} floor)" in entry["error"]
    assert [each["id"] for each in entry["findings"]] == ["host-memory-low"]
    acted = events(home, "guard.acted")[0]
    assert len(acted["data"]["trace"]["rows"]) > 3
    assert not [e for e in events(home, "instance.starting") if e["seq"] > acted["seq"]]
    refused = ask(home, QWEN).done(20)
    assert refused.status == 503


def test_a_start_that_would_go_under_the_floor_is_refused_with_the_figures(home: Home) -> None:
    """demo-qwen3 plans 2.5 GiB; another program leaves less than that above the floor."""
    guard = floors(3.4, 3.6)
    taking_turns(home, guard=guard)
    script_each(home)
    serve(home, any_floor=True)
    with another_program(over(guard) - 1.2):
        refused = ask(home, QWEN).done(20)
        stream = ask(home, QWEN, stream=True).done(20)
        up = home.run("up", QWEN)
    assert refused.status in (409, 503)
    for said in (refused.fault["message"], stream.fault["message"], up.stderr):
        assert "GiB are available and the start needs 2.5 GiB" in said
        assert "the memory guard keeps" in said
    assert up.returncode == 2
    assert engines(home) == []
    home.ok("up", QWEN)  # as soon as there is room
    answered(home, QWEN)


def test_a_switch_that_would_go_under_the_floor_is_rolled_back(home: Home) -> None:
    """What leaves holds less than its plan; what comes would need all of its own."""
    guard = floors(3.4, 3.6)
    taking_turns(home, guard=guard)
    script_each(home)
    daemon = serve(home, any_floor=True)
    answered(home, QWEN)
    with another_program(over(guard) - 1.2):
        refused = ask(home, LLAMA).done(20)
        assert "the memory guard keeps" in refused.fault["message"]
        assert "comes back" in told(home, "switch.failed")
    one_engine_each(home)
    wait_for(lambda: state(home, QWEN) in ("failed", "ready"))
    home.ok("up", QWEN)
    answered(home, QWEN)
    end(daemon)
