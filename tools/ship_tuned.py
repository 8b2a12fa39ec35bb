"""Put a tuning that was made for Sparkwell itself among its overlays: ``ship_tuned.py STATE…``.

STATE is the file of `sparkwell tune --state`. Writes the tuning beside the runs in
docs/benchmarks/runs, without the engines' logs and the path of the file, which are of the host
alone; and the overlay into src/sparkwell/catalog/tuned where the gain holds.
"""

import re
import sys
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from generated import ROOT
from sparkwell.app.tuning import keeping
from sparkwell.app.tuning.document import Tuning
from sparkwell.app.tuning.overlay import overlay
from sparkwell.catalog.tuned_files import SHIPPED_TUNED, write_tuned

RUNS = ROOT / "docs" / "benchmarks" / "runs"
_STATE = re.compile(r" --state \S+")


def bared(tuning: Tuning) -> Tuning:
    """Without what says more of the host than of the flags."""
    trials = [replace(each, lines=[]) for each in tuning.trials]
    outcome = None if tuning.outcome is None else replace(tuning.outcome, overlay=None)
    command = _STATE.sub("", tuning.command)
    return replace(tuning, command=command, trials=trials, outcome=outcome)


def kept_as(tuning: Tuning) -> str:
    """DATE-MACHINE-MODEL-tune-GOAL.json."""
    assert tuning.place is not None  # noqa: S101 - a first start has told it
    day = time.strftime("%Y-%m-%d", time.gmtime(tuning.began))
    short = tuning.place.machine.partition("-")[0]
    return f"{day}-{short}-{tuning.model}-tune-{tuning.goal}.json"


def main(*states: str) -> None:
    """Write the files of each."""
    for state in states:
        tuning = bared(keeping.load(Path(state)))
        run = RUNS / kept_as(tuning)
        run.write_bytes(msgspec.json.format(msgspec.json.encode(tuning), indent=1) + b"\n")
        print(run.relative_to(ROOT))
        if tuning.outcome is not None and tuning.outcome.holds:
            print(write_tuned(SHIPPED_TUNED, overlay(tuning)).relative_to(ROOT))


if __name__ == "__main__":
    main(*sys.argv[1:])
