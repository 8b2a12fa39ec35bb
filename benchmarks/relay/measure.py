"""What a process used: processor time, memory, time to import, space on disk, lines."""

import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import psutil
from packaging.requirements import Requirement

_CPU_CLOCK = 2  # of another process, as clock_getcpuclockid(3) numbers it


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children, all threads, to the nanosecond."""
    return sum(clock_s(one) for one in _tree(pid))


def clock_s(pid: int) -> float:
    """Processor time of one process, all threads, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


def memory_mb(pid: int) -> float:
    """Resident memory of a process and its children, in MB."""
    return sum(resident_mb(one) for one in _tree(pid))


def resident_mb(pid: int) -> float:
    """Resident memory of one process, in MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def _tree(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def import_seconds(modules: str, rounds: int = 5) -> float:
    """Processor time of ``import MODULES`` in a fresh interpreter, less that of nothing."""
    code = "import time; {}; print(time.process_time())"
    return statistics.median(
        _run(code.format(f"import {modules}")) - _run(code.format("pass")) for _ in range(rounds)
    )


def _run(code: str) -> float:
    return float(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    )


def installed_mb(*names: str) -> tuple[float, int]:
    """Space that distributions and all that they need take, in MB, and how many they are."""
    closure: set[str] = set()
    for name in names:
        _gather(name, closure)
    return sum(_size(name) for name in closure) / 1e6, len(closure)


def _gather(name: str, closure: set[str]) -> None:
    if name in closure:
        return
    closure.add(name)
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            _gather(requirement.name.lower(), closure)


def _size(name: str) -> int:
    files = metadata.files(name) or []
    paths = (Path(str(file.locate())) for file in files if "__pycache__" not in str(file))
    return sum(path.stat().st_size for path in paths if path.exists())


def code_lines(path: Path) -> int:
    """Lines that are neither empty nor comments."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return sum(1 for line in lines if line and not line.startswith("#"))
