"""What other benchmarks have already: a Sparkwell of its own, processor clocks, dated results."""

import sys
from pathlib import Path

for _folder in ("relay", "switching"):
    sys.path.append(str(Path(__file__).parents[1] / _folder))

import measure  # noqa: E402 - relay's
import processes  # noqa: E402 - switching's
import results  # noqa: E402 - switching's
from home import Home  # noqa: E402 - switching's

__all__ = ["Home", "measure", "processes", "results"]
