"""What is measured of one candidate: a round of short loads, many slow streams, a soak."""

import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from candidates import Target
from neighbours import measure
from programs import Cores, Json, load

CONNECTIONS = 32
EVENTS, EVENT_US = 200, 2000
SLOW_US = 50_000
CALM_S, CALM_SHARE, CALM_MOST_S = 4.0, 0.05, 20.0
FIRST = {"mode": "stream", "events": 3, "us": 200}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked. A slow candidate is asked no longer than ``most_s`` for each row."""

    rounds: int
    requests: int
    firsts: int
    busy_each: int
    batches: int
    many: int
    many_s: int
    most_s: float
    calm_s: float = CALM_S


FULL = Plan(
    rounds=5, requests=4000, firsts=1000, busy_each=200, batches=5, many=1000, many_s=60, most_s=6.0
)
QUICK = Plan(
    rounds=1,
    requests=1000,
    firsts=200,
    busy_each=50,
    batches=1,
    many=200,
    many_s=5,
    most_s=2.0,
    calm_s=2.0,
)


def one_round(target: Target, on: Cores, plan: Plan) -> Json:
    """The rows of one candidate, once: latencies in µs, processor time in µs, memory in MB."""
    warm_up(target, on, plan.calm_s)
    own = {"upstream": upstreams_own(target, on)} if not target.pids() else {}
    return {
        **own,
        "whole": costed(target, on, requests=plan.requests, duration=plan.most_s),
        "first": costed(target, on, requests=plan.firsts, duration=plan.most_s, **FIRST),
        "busy": costed(
            target, on, connections=CONNECTIONS, requests=plan.busy_each, duration=plan.most_s
        ),
        "events": costed(
            target, on, connections=CONNECTIONS, requests=plan.batches, duration=plan.most_s / 2,
            mode="stream", events=EVENTS, us=EVENT_US,
        ),
        "memory_mb": memory_mb(target.pids()),
        "idle_cpu_share": idle(target),
    }  # fmt: skip


def warm_up(target: Target, on: Cores, calm_s: float = CALM_S) -> None:
    """Ask a little of everything, then let it finish what it does after a start."""
    load(target.address, on, requests=50, duration=1.0)
    load(target.address, on, requests=20, connections=CONNECTIONS, duration=1.0, **FIRST)
    ends, calm = time.monotonic() + CALM_MOST_S, 0.0
    while target.pids() and calm < calm_s and time.monotonic() < ends:
        calm = calm + 0.5 if idle(target, 0.5) < CALM_SHARE else 0.0


def costed(target: Target, on: Cores, **options: float | str) -> Json:
    """A load, with the processor time that the candidate took for it."""
    before = processor_s(target.pids())
    found = load(target.address, on, **options)
    spent = processor_s(target.pids()) - before
    done = max(1, found["answers"])
    return {
        **found,
        "relay_cpu_s": round(spent, 6),
        "cpu_us_request": round(spent / done * 1e6, 2),
        "cpu_us_event": round(spent / found["events"] * 1e6, 3) if found["events"] else None,
        "a_second": round(done / found["seconds"], 1),
        "events_a_read": round(found["events"] / max(1, found["reads"]), 2),
    }


def upstreams_own(target: Target, on: Cores) -> Json:
    """What the upstream itself takes, asked directly: µs a request and µs an event."""
    found = {}
    for name, counted, options in (
        ("cpu_us_request", "answers", {"requests": 200}),
        ("cpu_us_event", "events", {"requests": 1, "mode": "stream", "events": 200, "us": 2000}),
    ):
        before = stats(target.address.port)["cpu_s"]
        done = load(target.address, on, connections=CONNECTIONS, **options)[counted]
        found[name] = round((stats(target.address.port)["cpu_s"] - before) / done * 1e6, 2)
    return found


def stats(port: int) -> Json:
    """What the upstream has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=10) as answer:
        found: Json = json.load(answer)
    return found


def idle(target: Target, seconds: float = 1.0) -> float:
    """The share of a core that it takes when nobody asks."""
    before, began = processor_s(target.pids()), time.monotonic()
    time.sleep(seconds)
    return round((processor_s(target.pids()) - before) / (time.monotonic() - began), 5)


def many_streams(target: Target, on: Cores, plan: Plan) -> Json:
    """Many slow streams at once, each by a client of its own, and the memory meanwhile."""
    warm_up(target, on, plan.calm_s)
    with sampled(target.pids) as samples:
        found = costed(
            target, on, connections=plan.many, requests=1, mode="stream",
            events=plan.many_s * 1_000_000 // SLOW_US, us=SLOW_US, ramp=max(1.0, plan.many_s / 15),
            limit=plan.many_s * 1.5 + 10,
        )  # fmt: skip
    return {**found, "most_memory_mb": max(each.mb for each in samples)}


def soak(target: Target, on: Cores, seconds: float) -> Json:
    """Mixed requests and clients that leave, and the memory every few seconds."""
    warm_up(target, on)
    with sampled(target.pids, every_s=max(1.0, seconds / 600)) as samples:
        found = costed(
            target, on, connections=64, requests=0, duration=seconds, limit=seconds + 60,
            pause_ms=40, mode="mix", events=20, us=5000,
        )  # fmt: skip
    return {**found, "memory": [[round(each.at_s, 2), round(each.mb, 3)] for each in samples]}


def busy_cores(seconds: float = 0.5) -> float:
    """How many cores are busy now: with others' work, if nothing of ours runs."""
    before, began = _busy_s(), time.monotonic()
    time.sleep(seconds)
    return round(max(0.0, (_busy_s() - before) / (time.monotonic() - began)), 3)


def _busy_s() -> float:
    """User, nice and system time, interrupts and what a hypervisor gave to others."""
    words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    return sum(int(words[at]) for at in (1, 2, 3, 6, 7, 8)) / os.sysconf("SC_CLK_TCK")


def processor_s(pids: Sequence[int]) -> float:
    """Processor time of these processes so far, to the nanosecond."""
    return sum(measure.clock_s(pid) for pid in pids)


def memory_mb(pids: Sequence[int]) -> float:
    """Resident memory of these processes, in MB."""
    return round(sum(measure.resident_mb(pid) for pid in pids), 2)


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory, so many seconds after the beginning."""

    at_s: float
    mb: float


@dataclass(slots=True)
class _Sampling:
    found: list[Sample] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def sampled(pids: Callable[[], Sequence[int]], every_s: float = 1.0) -> Iterator[list[Sample]]:
    """A list that grows by a sample now and then, as long as the block runs."""
    state, began = _Sampling(), time.monotonic()

    def sample() -> None:
        while True:
            now = time.monotonic() - began
            state.found.append(Sample(now, memory_mb(pids())))
            if state.over.wait(every_s):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield state.found
    finally:
        state.over.set()
        thread.join()
