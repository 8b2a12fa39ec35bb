"""Many switches of fake engines under many clients: what is lost, left behind, over the budget.

    .venv/bin/python benchmarks/switching/many_switches.py --switches 1000 --clients 50

The daemon, its shims and the engines are real processes; only what an engine computes is not
there. One model fits at a time, nobody is patient, so models change as often as they can. Exit
status 1 where a request was lost, a process was left, or more than the budget was promised.
"""

import argparse
import asyncio
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import processes
import results
from home import Home, Json, collected

import sparkwell.catalog
from clients import Client, Habits, Mix, Tally
from sparkwell.testing.environment import install_fake_environment

MODELS = ("amber", "birch", "cedar", "dune", "ember")
BUDGET_GIB = 3.0  # each plans about 2.5 on the CPU build: two never fit
SWITCHING = {
    "budget_gib": BUDGET_GIB,
    "min_residency_s": 0.2,
    "patience_s": 0.2,
    "hold_headers_s": 5,
    "max_wait_s": 120,
}
SAMPLE_S = 1.0
SLOWEST_SWITCH_S = 12.0  # gives up where switches take longer than that on average
RECIPES = Path(sparkwell.catalog.__file__).with_name("recipes")


@dataclass(slots=True)
class Seen:
    """What was sampled while it ran."""

    samples: int = 0
    over_budget: list[str] = field(default_factory=list)
    most_promised_bytes: int = 0

    def take(self, status: Json) -> None:
        """Look at one status."""
        self.samples += 1
        memory = status["memory"]
        promised, budget = memory["promised_bytes"], memory["budget_bytes"]
        self.most_promised_bytes = max(self.most_promised_bytes, promised or 0)
        if promised is None or promised > budget:
            self.over_budget.append(f"promised {promised} of {budget}")


class Run:
    """One run from the first request to the last process."""

    def __init__(self, home: Home, mark: str, given: argparse.Namespace) -> None:
        self.home = home
        self.mark = mark
        self.given = given
        self.tally, self.seen = Tally(), Seen()
        self.events: list[Json] = []
        self.seconds = self.processor_s = 0.0
        self.left_after_down: list[int] = []
        self.left_after_end: list[int] = []
        self._began = time.monotonic()

    @property
    def switches(self) -> int:
        """Switches that were done."""
        return sum(each["kind"] == "switch.done" for each in self.events)

    def enough(self) -> bool:
        """Whether clients are to stop."""
        late = time.monotonic() - self._began > self.given.limit_s
        return late or self.switches >= self.given.switches

    async def measure(self) -> None:
        """Ask, switch, count; then down, then the end of the daemon."""
        await self.home.serve(*self.given.interpreter)
        async with collected(self.home) as self.events, self.home.admin() as admin:
            before, began = processes.processor_s(self.home.pid), time.monotonic()
            sampling = asyncio.create_task(self._sample())
            await self._ask()
            sampling.cancel()
            self.seconds = time.monotonic() - began
            self.processor_s = processes.processor_s(self.home.pid) - before
            await admin.post("down", {})
            await asyncio.sleep(0.5)  # the events of it
            self.left_after_down = self._engines_left()
        await asyncio.to_thread(self.home.end)
        self.left_after_end = self.home.left(self.mark)

    async def _ask(self) -> None:
        mix = Mix(MODELS[: self.given.models], zipf=not self.given.alternate)
        habits = Habits()
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            clients = [
                Client(number, self.home.url, mix, habits, self.tally)
                for number in range(self.given.clients)
            ]
            await asyncio.gather(*(each.run(session, self.enough) for each in clients))

    async def _sample(self) -> None:
        shown = time.monotonic()
        async with self.home.admin() as admin:
            while True:
                self.seen.take(await admin.get("status"))
                if time.monotonic() - shown > 30:
                    shown = time.monotonic()
                    print(f"{self.switches} switches, {self.tally.sent} requests", flush=True)
                await asyncio.sleep(SAMPLE_S)

    def _engines_left(self) -> list[int]:
        """Engines, their children and their shims; daemon and guard go on."""
        folder = str(self.home.paths.instances)
        return processes.marked([self.mark, folder])


def together(events: Sequence[Json]) -> int:
    """The most engines that ran at one time, by the events: from launch to end."""
    running: set[str] = set()
    most = 0
    for event in events:
        launched = event["kind"] == "instance.phase" and event["data"]["phase"] == "launch"
        if launched:
            running.add(event["instance"])
        elif event["kind"] in {"instance.stopped", "instance.failed"}:
            running.discard(event["instance"])
        most = max(most, len(running))
    return most


def stretches(events: Iterable[Json], first: str, last: str, *, by: str) -> list[float]:
    """Seconds between two kinds of events of the same instance or model."""
    since: dict[str, float] = {}
    found = []
    for event in events:
        if event["kind"] == first:
            since[event[by]] = event["at"]
        elif event["kind"] == last and event[by] in since:
            found.append(event["at"] - since.pop(event[by]))
    return found


def figures_of(run: Run) -> dict[str, object]:
    """The figures to keep."""
    tally, given, switches = run.tally, run.given, max(1, run.switches)
    kinds = Counter(each["kind"] for each in run.events)
    most = together(run.events)
    stops = stretches(run.events, "instance.stopping", "instance.stopped", by="instance")
    return {
        "command": (
            f"benchmarks/switching/many_switches.py --switches {given.switches} "
            f"--clients {given.clients} --models {given.models}"
            + (" --alternate" if given.alternate else "")
        ),
        "switches": run.switches,
        "seconds": round(run.seconds, 1),
        "requests": {
            "sent": tally.sent,
            "answered": tally.answered,
            "clients that left": tally.left,
            "errors": dict(tally.errors),
            "lost": tally.lost,
        },
        "error_examples": tally.examples,
        "requests_by_model": dict(tally.by_model),
        "wait_s": {
            "p50": round(results.share(tally.waits_s, 0.5) or 0.0, 3),
            "p95": round(results.share(tally.waits_s, 0.95) or 0.0, 3),
            "most": round(max(tally.waits_s, default=0.0), 3),
        },
        "switch_s": results.spread(
            [each["data"]["seconds"] for each in run.events if each["kind"] == "switch.done"]
        ),
        "stop_s": results.spread(stops),
        "daemon_processor_s": round(run.processor_s, 1),
        "daemon_processor_s_per_switch": round(run.processor_s / switches, 3),
        "requests_per_switch": round(tally.sent / switches, 1),
        "orphans": {
            "after down": len(run.left_after_down),
            "after the daemon's end": len(run.left_after_end),
        },
        "over_budget": {
            "samples": run.seen.samples,
            "over": len(run.seen.over_budget),
            "most_promised_gib": round(run.seen.most_promised_bytes / 2**30, 2),
            "budget_gib": BUDGET_GIB,
            "most engines at a time": most,
        },
        "failed_starts": kinds["instance.failed"],
        "switches_failed": kinds["switch.failed"],
        "switches_called_off": kinds["switch.called_off"],
    }


def missed(run: Run) -> list[str]:
    """The bounds that were missed."""
    found = {
        f"{run.tally.lost} requests lost": run.tally.lost,
        f"{len(run.left_after_down)} processes after down": run.left_after_down,
        f"{len(run.left_after_end)} processes after the end": run.left_after_end,
        f"{len(run.seen.over_budget)} samples over budget": run.seen.over_budget,
        "two engines at a time": together(run.events) > 1,
        f"only {run.switches} switches": run.switches < run.given.switches,
        f"errors: {dict(run.tally.errors)}": run.tally.errors,
    }
    return [words for words, wrong in found.items() if wrong]


def prepared_home(root: Path, mark: float, models: int) -> Home:
    """Recipes of so many models that differ in their names, and the fake engine."""
    settings = {"switching": SWITCHING, "gateway": {"drain_s": 1}}
    home = Home(root, settings)
    text = (RECIPES / "demo-qwen3.yaml").read_text(encoding="utf-8")
    home.paths.recipes.mkdir()
    for name in MODELS[:models]:
        recipe = text.replace("name: demo-qwen3", f"name: {name}", 1)
        (home.paths.recipes / f"{name}.yaml").write_text(recipe, encoding="utf-8")
    # An orphan of EngineCore shows nothing but its command line: the seconds that it may live.
    install_fake_environment(
        home.paths.engines, tokens_per_s=100, ttft_s=0.02, child_life_s=mark, shards=1
    )
    return home


async def measure(given: argparse.Namespace) -> Run:
    """In a home of its own, which is removed."""
    mark = 50_000 + secrets.randbelow(3 * 10**8) / 1e4
    root = Path(tempfile.mkdtemp(prefix="switches"))
    home = prepared_home(root / "home", mark, given.models)
    run = Run(home, str(mark), given)
    try:
        await run.measure()
    finally:
        await asyncio.to_thread(home.end)
        home.kill_left(str(mark))
        shutil.rmtree(root, ignore_errors=True)
    return run


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--switches", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--models", type=int, default=4, choices=range(2, len(MODELS) + 1))
    parser.add_argument("--alternate", action="store_true", help="each client asks in turn")
    parser.add_argument("--limit-s", type=float, help="stop asking after so many seconds")
    parser.add_argument("--save", metavar="NAME", help="write results/DATE-NAME.json")
    parser.add_argument("--profile", type=Path, help="profile the daemon into this file")
    given = parser.parse_args()
    given.limit_s = given.limit_s or 60 + SLOWEST_SWITCH_S * given.switches
    given.interpreter = ("-m", "cProfile", "-o", str(given.profile)) if given.profile else ()
    return given


def main() -> int:
    """Measure, print, save; the exit status."""
    given = arguments()
    run = asyncio.run(measure(given))
    figures = figures_of(run)
    print(json.dumps(figures, indent=1))
    if given.save:
        results.save(given.save, figures, results.today())
    wrong = missed(run)
    print("missed: " + "; ".join(wrong) if wrong else "nothing missed")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
