"""The upstream of benchmarks/load_tools, whose times are known; a folder that is no package."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = str(Path(__file__).parents[2])

sys.path.append(ROOT)
known: Any = import_module("benchmarks.load_tools.known")
sys.path.remove(ROOT)
