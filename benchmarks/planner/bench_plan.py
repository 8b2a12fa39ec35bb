"""Processor time of a plan, once Python is up, and of the command; exit status 1 past a bound."""

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.catalog import load_catalog
from sparkwell.planner.report import contract

PLAN_MS, COMMAND_MS = 50.0, 600.0
ROUNDS, STARTS = 15, 7
WISH = Wish("dgx-spark")
COMMAND = ["-m", "sparkwell", "plan", "qwen3-32b-fp8", "--hardware", "dgx-spark"]


def main() -> int:
    """Print the table; returns the exit status."""
    with TemporaryDirectory() as home:
        planning = Planning(find_paths({"HOME": home}), load_catalog(), {})
        names = load_catalog().names
        rows = [(f"plan of {name}", plan_ms(planning, name), PLAN_MS) for name in names]
    rows.append(("sparkwell plan", command_ms([]), COMMAND_MS))
    rows.append(("sparkwell plan --json", command_ms(["--json"]), COMMAND_MS))
    print(f"{'processor time of':32}{'ms':>8}{'bound':>8}")
    for name, spent_ms, bound_ms in rows:
        missed = "  missed" if spent_ms > bound_ms else ""
        print(f"{name:32}{spent_ms:>8.1f}{bound_ms:>8.0f}{missed}")
    return int(any(spent_ms > bound_ms for _, spent_ms, bound_ms in rows))


def plan_ms(planning: Planning, name: str) -> float:
    """The whole plan and its document: flags, memory, speed, start-up, the guide's claims."""

    def once() -> None:
        plan = planning.plan(name, WISH)
        json.dumps(contract(plan, planning.claims(plan)))

    once()  # what is read from files is read once
    return median_ms(once, ROUNDS, resource.RUSAGE_SELF)


def command_ms(options: list[str]) -> float:
    """The command as a process, with its modules compiled already."""
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def once() -> None:
        program = [sys.executable, *COMMAND, *options]
        subprocess.run(program, env=environ, capture_output=True, check=True, timeout=60)

    once()
    return median_ms(once, STARTS, resource.RUSAGE_CHILDREN)


def median_ms(act: Callable[[], None], rounds: int, who: int) -> float:
    """The median processor time of an action, in milliseconds."""
    spent = []
    for _ in range(rounds):
        began = resource.getrusage(who)
        act()
        ended = resource.getrusage(who)
        spent.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
    return 1e3 * statistics.median(spent)


if __name__ == "__main__":
    sys.exit(main())
