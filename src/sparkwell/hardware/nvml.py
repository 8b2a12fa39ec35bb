"""Asking NVML through the package nvidia-ml-py; without library or driver there is no GPU."""

from collections.abc import Callable
from ctypes import CDLL
from importlib import import_module
from typing import Any

from sparkwell.hardware.facts import GpuFacts, NvmlFacts

_LIBRARY = "libnvidia-ml.so.1"


def read_nvml(load: Callable[[], Any] | None = None) -> NvmlFacts:
    """What NVML says of all GPUs. Never raises: ``problem`` says why there is no answer.

    ``load`` gives the bindings; it may raise ImportError or OSError.
    """
    try:
        nvml = (load or _bindings)()
    except ImportError:
        return NvmlFacts(problem="the package nvidia-ml-py is not installed")
    except OSError:
        return NvmlFacts(problem=f"there is no {_LIBRARY}")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return NvmlFacts(problem=str(error) or type(error).__name__)
    try:
        return _facts(nvml)
    finally:
        _ask(nvml, nvml.nvmlShutdown)


def _bindings() -> Any:
    """The library is tried first: without it, the bindings' import (30 ms) would be for nothing."""
    CDLL(_LIBRARY)
    return import_module("pynvml")


def _facts(nvml: Any) -> NvmlFacts:
    count = _ask(nvml, nvml.nvmlDeviceGetCount) or 0
    handles = [_ask(nvml, nvml.nvmlDeviceGetHandleByIndex, index) for index in range(count)]
    lost = handles.count(None)
    return NvmlFacts(
        driver_version=_text(_ask(nvml, nvml.nvmlSystemGetDriverVersion)),
        cuda_version=_cuda_version(_ask(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2)),
        gpus=tuple(_gpu(nvml, handle) for handle in handles if handle is not None),
        problem=f"{lost} of {count} GPUs do not answer" if lost else None,
    )


def _gpu(nvml: Any, handle: Any) -> GpuFacts:
    # The second version of the question alone tells what the driver keeps for itself.
    memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
    reserved = memory.reserved if memory else None
    memory = memory or _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    capability = _ask(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    return GpuFacts(
        name=_text(_ask(nvml, nvml.nvmlDeviceGetName, handle)),
        compute_capability=(capability[0], capability[1]) if capability else None,
        total_bytes=memory.total or None if memory else None,
        reserved_bytes=reserved,
        free_bytes=memory.free if memory else None,
    )


def _ask(nvml: Any, question: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or None for "not supported", a lost GPU or a driver too old for the question."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _text(value: Any) -> str | None:
    """Older bindings answer with bytes."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    return text or None


def _cuda_version(number: int | None) -> str | None:
    """13000 as "13.0"."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else None
