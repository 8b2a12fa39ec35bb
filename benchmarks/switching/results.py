"""Results as dated JSON files, with the machine that they were measured on."""

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

import sparkwell

FOLDER = Path(__file__).with_name("results")


def machine() -> dict[str, object]:
    """What results depend on; no names of users or folders."""
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "aiohttp": importlib.metadata.version("aiohttp"),
        "sparkwell": sparkwell.__version__,
    }


def save(name: str, figures: Mapping[str, Any], day: str) -> Path:
    """Write results/DAY-NAME.json."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{day}-{name}.json"
    document = {"date": day, "machine": machine(), **figures}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def today() -> str:
    """The date."""
    return time.strftime("%Y-%m-%d")


def share(values: Sequence[float], of: float) -> float | None:
    """A percentile: ``of`` is 0.95 for the 95th. None without values."""
    ordered = sorted(values)
    return ordered[max(0, ceil(of * len(ordered)) - 1)] if ordered else None


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float | None]:
    """Median, 95th percentile and longest."""
    if not values:
        return {"median": None, "p95": None, "most": None}
    p95 = share(values, 0.95)
    found = {"median": median(values), "p95": p95, "most": max(values)}
    return {name: None if each is None else round(each, digits) for name, each in found.items()}
