"""What a request of a loaded model costs: processor time of ask and release through the actor.

    .venv/bin/python benchmarks/switching/bench_ensure_ready.py

Over a driver in memory, so that only the supervisor is measured; alone, and while requests for
other models wait. Exit status 1 where the bound is missed. Whole requests: benchmarks/gateway.
"""

import argparse
import asyncio
import cProfile
import gc
import itertools
import pstats
import sys
import time
from dataclasses import dataclass
from statistics import median

from sparkwell.core.launch import LaunchSpec
from sparkwell.engines.talk import Facts
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.aides import NoStarts
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.liveness import Rules
from sparkwell.supervisor.start import OnMark, StartWatch
from sparkwell.supervisor.terms import Budget, Policy, Terms
from sparkwell.supervisor.tickets import Ticket
from sparkwell.testing.memory_driver import MemoryDriver

MOST_US = 50.0
ROUNDS, LEASES = 15, 2000
HELD = 4
POLICY = Policy(min_residency_s=3600, patience_s=3600)


class AtOnce(StartWatch):
    """A start is ready when it begins."""

    async def until_ready(self, spec: LaunchSpec, on_mark: OnMark) -> None:
        """Nothing to wait for."""

    async def figures(self, spec: LaunchSpec) -> Facts:  # noqa: ARG002 - the seam
        """Nothing to tell."""
        return ()


@dataclass(frozen=True, slots=True)
class Case:
    """How many requests for others wait, for how many models; how many leases are out.

    One without a ``bound`` is for information: the last lease comes back while others wait, and
    whether the model may leave for them has to be looked at.
    """

    name: str
    waiting: int = 0
    models: int = 1
    held: int = HELD
    bound: bool = True


CASES = (
    Case("nobody waits, the only request", held=0),
    Case("nobody waits, 4 others are served"),
    Case("100 wait for another model", 100),
    Case("100 wait for 4 other models", 100, 4),
    Case("500 wait for 4 other models", 500, 4),
    Case("100 wait, and it is the only one", 100, 4, held=0, bound=False),
)


async def supervisor_with(case: Case) -> tuple[Supervisor, list[Ticket]]:
    """A model that is ready, and requests that wait for others: a busy one is in their way."""
    numbers, driver = itertools.count(1), MemoryDriver()
    supervisor = Supervisor(
        driver, Journal(time.time), AtOnce(driver), new_id=lambda model: f"{model}-{next(numbers)}",
        policy=POLICY, budget=Budget(10), on_demand=NoStarts(), liveness=Rules(),
    )  # fmt: skip

    def prepare(instance: str) -> LaunchSpec:
        endpoint = driver.endpoint(instance)
        return LaunchSpec(instance, "m", "vllm", "1", ("x",), endpoint)

    terms = Terms(least_bytes=8, most_bytes=8, start_s=30.0, idle_s=1800.0)
    await supervisor.settled(supervisor.up("m", prepare, terms=terms))
    held = [supervisor.ensure_ready("m") for _ in range(case.held)]
    for number in range(case.waiting):
        model = f"other-{number % case.models}"
        held.append(supervisor.ensure_ready(model, lambda: terms))
    return supervisor, held


def round_us(supervisor: Supervisor, count: int = LEASES) -> float:
    """Mean processor time of one ask and release."""
    began = time.process_time_ns()
    for _ in range(count):
        supervisor.ensure_ready("m").lease.release()  # type: ignore[union-attr]
    return (time.process_time_ns() - began) / count / 1e3


async def measure(case: Case, rounds: int) -> tuple[float, float]:
    """The median and the worst of the rounds, in microseconds."""
    supervisor, _kept = await supervisor_with(case)
    round_us(supervisor)
    found = []
    for _ in range(rounds):
        gc.collect()
        found.append(round_us(supervisor, LEASES if case.waiting < 100 else LEASES // 4))
        await asyncio.sleep(0)
    await supervisor.down()
    await supervisor.close()
    return median(found), max(found)


async def profile(case: Case) -> None:
    """Print where the time goes."""
    supervisor, _kept = await supervisor_with(case)
    profiler = cProfile.Profile()
    profiler.runcall(round_us, supervisor)
    await supervisor.down()
    await supervisor.close()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(18)


def main() -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    parser.add_argument("--quick", action="store_true", help="three rounds only")
    given = parser.parse_args()
    if given.profile:
        for case in CASES:
            print(case.name)
            asyncio.run(profile(case))
        return 0
    print(f"{'ensure_ready of a loaded model':36}{'µs':>8}{'worst':>8}{'bound':>8}")
    late = 0
    for case in CASES:
        middle, worst = asyncio.run(measure(case, 3 if given.quick else ROUNDS))
        too_much = case.bound and middle > MOST_US
        late += too_much
        bound = f"{MOST_US:>8.0f}{'  missed' if too_much else ''}" if case.bound else ""
        print(f"{case.name:36}{middle:>8.1f}{worst:>8.1f}{bound}")
    return int(late > 0)


if __name__ == "__main__":
    sys.exit(main())
