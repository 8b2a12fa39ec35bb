"""Short forms of benchmarks/switching: nothing lost, nothing left, little spent."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parents[2] / "benchmarks" / "switching"
SWITCHES, CLIENTS = 15, 20


def test_many_switches_lose_no_request_and_leave_no_process() -> None:
    """The thousand switches of `make test-long`, in small."""
    words = ["--switches", str(SWITCHES), "--clients", str(CLIENTS), "--models", "3"]
    done = run("many_switches.py", *words, "--limit-s", "150")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1])
    requests, over = found["requests"], found["over_budget"]
    assert found["switches"] >= SWITCHES
    assert requests["sent"] == requests["answered"] + requests["clients that left"]
    assert (requests["lost"], requests["errors"]) == (0, {})
    assert set(found["orphans"].values()) == {0}
    assert (over["over"], over["most engines at a time"]) == (0, 1)
    assert over["samples"] > 0
    assert len(found["requests_by_model"]) == 3


def test_what_waits_for_others_makes_a_loaded_model_no_dearer() -> None:
    """The bound is 50 µs; here, where others' tests run, that it does not grow with the queue."""
    done = run("bench_ensure_ready.py", "--quick")
    rows = {line[:36].strip(): float(line[36:].split()[0]) for line in done.stdout.splitlines()[1:]}
    alone, some = rows["nobody waits, 4 others are served"], rows["100 wait for 4 other models"]
    assert rows["500 wait for 4 other models"] < 3 * some, done.stdout
    assert max(alone, some) < 300, done.stdout


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAMS / program), *words],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
