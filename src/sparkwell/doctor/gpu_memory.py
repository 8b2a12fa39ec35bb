"""What processes hold of the GPU's memory, as NVML tells it."""

import os
from collections.abc import Callable
from contextlib import suppress
from ctypes import CDLL
from importlib import import_module
from typing import Any

from sparkwell.hardware.nvml import visible_indices


def gpu_bytes_by_process(load: Callable[[], Any] | None = None) -> dict[int, int]:
    """Bytes by process id, over the GPUs that engines see. Never raises.

    What NVML does not tell is left out.
    """
    try:
        nvml = (load or _bindings)()
        nvml.nvmlInit()
    except Exception:
        return {}
    held: dict[int, int] = {}
    try:
        for index in visible_indices(nvml, os.environ):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle):
                held[process.pid] = held.get(process.pid, 0) + (process.usedGpuMemory or 0)
    except nvml.NVMLError:
        return held
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()
    return held


def _bindings() -> Any:
    CDLL("libnvidia-ml.so.1")
    return import_module("pynvml")
