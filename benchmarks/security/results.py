"""Results as dated JSON files, with the machine and the versions that they were got with."""

import importlib.metadata
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sparkwell

FOLDER = Path(__file__).with_name("results")


def clean_up_when_ended() -> None:
    """Have SIGTERM, as `timeout` sends it, end what was started, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def machine() -> dict[str, object]:
    """What results depend on; no names of users or folders."""
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "httptools": importlib.metadata.version("httptools"),
        "sparkwell": sparkwell.__version__,
    }


def command() -> str:
    """The command line by which this ran, as somebody would type it in the repository."""
    script = Path(sys.argv[0]).resolve().relative_to(Path(__file__).resolve().parents[2])
    return " ".join(["PYTHONPATH=. .venv/bin/python", str(script), *sys.argv[1:]])


def save(name: str, figures: Mapping[str, Any]) -> Path:
    """Write results/DAY-NAME.json."""
    FOLDER.mkdir(exist_ok=True)
    day = time.strftime("%Y-%m-%d")
    document = {"date": day, "command": command(), "machine": machine(), **figures}
    path = FOLDER / f"{day}-{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path
