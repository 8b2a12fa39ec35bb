"""Processor time of a plan, once Python is up; exit status 1 where a bound is missed."""

import argparse
import statistics
import subprocess
import sys
import time

from sparkwell.catalog import Recipe, load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.memory import plan_memory
from sparkwell.planner.settings import resolve

BOUND_MS = 50.0
HARDWARE, VERSION = "dgx-spark", "0.25.0"
FIRST = "qwen3-32b-fp8"
# Run with --first: all that a process does for its first plan, imports left out.
FIRST_OPTION = "--first"


def main() -> int:
    """Print the table; returns the exit status."""
    options = _options()
    if options.first:
        print(first_ms())
        return 0
    results = {recipe.name: plan_ms(recipe, options.rounds) for recipe in load_catalog()}
    results["first plan of a process"] = statistics.median(fresh_ms() for _ in range(7))
    print(f"{'plan of':28}{'CPU ms':>10}{'bound':>10}")
    for name, spent_ms in results.items():
        missed = "  missed" if spent_ms > BOUND_MS else ""
        print(f"{name:28}{spent_ms:>10.2f}{BOUND_MS:>10.0f}{missed}")
    return int(max(results.values()) > BOUND_MS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument(FIRST_OPTION, action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def plan_ms(recipe: Recipe, rounds: int) -> float:
    """The median of describing a recipe, resolving its flags and dividing the memory."""
    machine, rules = find_machine(HARDWARE), rules_for(VERSION)
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        described = describe_recipe(recipe)
        plan_memory(
            described, machine, rules, resolve(recipe.serve.flags, described, machine, rules)
        )
        spent.append(time.process_time() - began)
    return 1e3 * statistics.median(spent)


def first_ms() -> float:
    """Reading the catalog, the machine and the engine's rules, and one plan."""
    began = time.process_time()
    recipe = load_catalog().get(FIRST)
    plan_ms(recipe, 1)
    return 1e3 * (time.process_time() - began)


def fresh_ms() -> float:
    """``first_ms`` in a process of its own."""
    program = [sys.executable, __file__, FIRST_OPTION]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
