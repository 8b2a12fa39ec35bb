"""The modules of benchmarks/gateway that decide; programs there import each other by bare name."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "benchmarks" / "gateway"

sys.path.append(str(FOLDER))
figures: Any = import_module("figures")
page: Any = import_module("page")
sys.path.remove(str(FOLDER))
