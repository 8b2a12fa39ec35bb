"""The queue's order in virtual time, a tenth of benchmarks/switching: it pays, and it is fair."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "switching" / "simulate.py"
ALTERNATING = ("alternation, open", "alternation, closed")
CROWDED = ("zipf-2", "zipf-5", "busy", *ALTERNATING)


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, str], dict[str, Any]]:
    """By trace and policy."""
    program = [sys.executable, str(PROGRAM), "--quick"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    found = json.loads(done.stdout)["results"]
    return {(each["trace"], each["policy"]): each for each in found}


@pytest.mark.parametrize("trace", CROWDED)
def test_nobody_starves(results: dict[tuple[str, str], dict[str, Any]], trace: str) -> None:
    ours = results[trace, "Sparkwell"]
    assert (ours["refused"], ours["starved"]) == (0, 0)
    assert ours["served"] == ours["sent"]


@pytest.mark.parametrize("trace", CROWDED)
def test_fewer_switches_for_a_request_than_in_the_order_of_coming(
    results: dict[tuple[str, str], dict[str, Any]], trace: str
) -> None:
    ours, fifo = results[trace, "Sparkwell"], results[trace, "FIFO"]
    assert ours["swaps"] < fifo["swaps"]
    assert ours["swaps"] / ours["served"] < 0.8 * fifo["swaps"] / fifo["served"]
    assert ours["p95_s"] < fifo["p95_s"]


@pytest.mark.parametrize("trace", ["busy", "alternation, closed"])
def test_the_worst_off_model_waits_far_less_than_when_the_loaded_one_goes_first(
    results: dict[tuple[str, str], dict[str, Any]], trace: str
) -> None:
    ours, greedy = results[trace, "Sparkwell"], results[trace, "collation"]
    assert ours["worst_p95_s"] < greedy["worst_p95_s"] / 2


@pytest.mark.parametrize("trace", ["zipf-2", "zipf-5", "bursts", "day", ALTERNATING[0]])
def test_where_collation_starves_nobody_little_is_lost_against_it(
    results: dict[tuple[str, str], dict[str, Any]], trace: str
) -> None:
    ours, greedy = results[trace, "Sparkwell"], results[trace, "collation"]
    assert ours["swaps"] <= 1.2 * greedy["swaps"]
    assert ours["p95_s"] <= 1.3 * greedy["p95_s"]
