"""Looking at the machine's memory: the system's, or the GPU's own where it has one."""

import time
from collections.abc import Callable
from pathlib import Path

from sparkwell.guard import sampling
from sparkwell.hardware.machine import Machine
from sparkwell.hardware.nvml import read_nvml
from sparkwell.supervisor.release import Look

MEMINFO = Path("/proc/meminfo")
_ORDINARY = ("AnonPages", "Shmem", "SUnreclaim", "PageTables", "KernelStack")
"""What programs hold, and the kernel for them, as /proc/meminfo counts it."""


def looker(machine: Machine) -> Callable[[], Look | None]:
    """How memory is looked at here: the system's, or the GPU's own where it has one.

    As the guard looks: after the end of a large process MemAvailable alone stays too low for
    minutes, while what was freed lies in the processors' own lists.
    """
    return _look_at_system if machine.unified else _look_at_gpu


def _look_at_system() -> Look | None:
    available = sampling.available_bytes()
    if available is None:
        return None
    try:
        fields = dict(_field(line) for line in MEMINFO.read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return Look(time.monotonic(), available)
    if "AnonPages" not in fields:
        return Look(time.monotonic(), available)
    return Look(time.monotonic(), available, sum(fields.get(each, 0) for each in _ORDINARY))


def _field(line: str) -> tuple[str, int]:
    name, _, rest = line.partition(":")
    return name, int(rest.split()[0]) * 1024


def _look_at_gpu() -> Look | None:
    gpus = read_nvml().gpus
    if not gpus or gpus[0].free_bytes is None:
        return None
    return Look(time.monotonic(), gpus[0].free_bytes)
