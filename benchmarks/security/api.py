"""Schemathesis over the project's own OpenAPI: no 5xx of ours, no hang.

    PYTHONPATH=. .venv/bin/python benchmarks/security/api.py [--cases 20000] [--save]

The gateway is the real one, over a fake engine; nothing is started on demand, so that a request for
a model that is not loaded gets its 503 at once: those are counted apart. So are statuses of 500 and
above that are the engine's own. Exit status 1 for any other, and for an answer that takes 20 s.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from results import clean_up_when_ended, save
from tests.security.conftest import TROUBLE, running
from tests.security.raw import MODEL

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".cache/security/bin/python"


def main() -> int:
    """Ask, print, save; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-s", type=float, default=3600)
    parser.add_argument("--save", action="store_true", help="write results/DAY-api.json")
    given = parser.parse_args()
    clean_up_when_ended()
    found = measured(given.cases, given.seed, given.limit_s)
    print(json.dumps(found, indent=1))
    if given.save:
        print(save("api", {"seed": given.seed, **found}))
    return int(found["cases"] < given.cases or found["wrong"] > 0)


def measured(cases: int, seed: int, limit_s: float) -> dict[str, Any]:
    """What came back, from the other interpreter, and what the daemon's log says."""
    with (
        tempfile.TemporaryDirectory(prefix="sparkwell-api-") as folder,
        running(Path(folder) / "home", {}) as target,
    ):
        done = subprocess.run(
            [str(PYTHON), str(Path(__file__).with_name("api_target.py")),
             target.home.url, str(cases), str(seed), MODEL, str(limit_s)],
            capture_output=True, text=True, timeout=limit_s + 60, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr[-3000:])
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        wrong = [f"the log says {word!r}" for word in TROUBLE if word in target.log()]
        wrong += [f"the engine got {each}" for each in target.tap.strange]
        if wrong:
            print(target.log()[-3000:], file=sys.stderr)
    return {**found, "wrong": found["wrong"] + len(wrong), "log": wrong}


if __name__ == "__main__":
    sys.exit(main())
