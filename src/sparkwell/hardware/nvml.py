"""Asking NVML through the package nvidia-ml-py; without library or driver there is no GPU."""

import os
from collections.abc import Callable, Mapping, Sequence
from ctypes import CDLL
from dataclasses import replace
from importlib import import_module
from typing import Any

from sparkwell.hardware.facts import GpuFacts, NvmlFacts
from sparkwell.hardware.samples import GpuSample
from sparkwell.hardware.usage import percent_as_share
from sparkwell.hardware.visible import VARIABLE, visible

_LIBRARY = "libnvidia-ml.so.1"


def read_nvml(
    load: Callable[[], Any] | None = None, environ: Mapping[str, str] = os.environ
) -> NvmlFacts:
    """What NVML says of the GPUs. Never raises: ``problem`` says why there is no answer.

    Of those that CUDA_VISIBLE_DEVICES in ``environ`` leaves, else of all. ``load`` gives the
    bindings; it may raise ImportError or OSError.
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
        facts = _facts(nvml, visible_indices(nvml, environ))
        return facts if facts.gpus or facts.problem else replace(facts, problem=_none_left(environ))
    finally:
        _ask(nvml, nvml.nvmlShutdown)


class NvmlSession:
    """NVML, kept open: opening takes milliseconds. Never raises.

    ``load`` and ``environ`` are as in ``read_nvml``.
    """

    def __init__(
        self, load: Callable[[], Any] | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._load, self._environ = load or _bindings, environ
        self._nvml: Any = None

    def sample(self) -> tuple[GpuSample, ...]:
        """Every visible GPU now. Empty without NVML, and where no GPU tells more than its name.

        It is closed then, and the next call opens it anew: a driver that was loaded again needs
        that.
        """
        if self._nvml is None and not self._open():
            return ()
        indices = visible_indices(self._nvml, self._environ)
        gpus = tuple(_gpu_now(self._nvml, index) for index in indices)
        if any(gpu != GpuSample(gpu.name) for gpu in gpus):
            return gpus
        self.close()
        return ()

    def close(self) -> None:
        """Let it go."""
        if self._nvml is not None:
            _ask(self._nvml, self._nvml.nvmlShutdown)
            self._nvml = None

    def _open(self) -> bool:
        try:
            nvml = self._load()
        except (ImportError, OSError):
            return False
        try:
            nvml.nvmlInit()
        except nvml.NVMLError:
            return False
        self._nvml = nvml
        return True


def _gpu_now(nvml: Any, index: int) -> GpuSample:
    """One GPU; one that was lost keeps its place, with nothing known."""
    handle = _ask(nvml, nvml.nvmlDeviceGetHandleByIndex, index)
    if handle is None:
        return GpuSample()
    rates = _ask(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    memory = _memory(nvml, handle)
    milliwatts = _ask(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
    degrees = _ask(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
    return GpuSample(
        name=_text(_ask(nvml, nvml.nvmlDeviceGetName, handle)),
        used=percent_as_share(rates.gpu) if rates else None,
        used_bytes=memory.used if memory else None,
        total_bytes=memory.total or None if memory else None,
        power_w=None if milliwatts is None else milliwatts / 1000,
        temperature_c=None if degrees is None else float(degrees),
    )


def _memory(nvml: Any, handle: Any) -> Any:
    """The second version first: it does not count as used what the driver keeps for itself."""
    memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle, nvml.nvmlMemory_v2)
    return memory or _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)


def _bindings() -> Any:
    """The library is tried first: without it, the bindings' import (30 ms) would be for nothing."""
    CDLL(_LIBRARY)
    return import_module("pynvml")


def _none_left(environ: Mapping[str, str]) -> str | None:
    chosen = environ.get(VARIABLE)
    return None if chosen is None else f"{VARIABLE}={chosen} leaves no GPU"


def visible_indices(nvml: Any, environ: Mapping[str, str]) -> list[int]:
    """NVML's numbers of the GPUs that engines of this environment see."""
    count = _ask(nvml, nvml.nvmlDeviceGetCount) or 0
    if VARIABLE not in environ:
        return list(range(count))
    return visible(environ[VARIABLE], [_uuid(nvml, index) for index in range(count)])


def _uuid(nvml: Any, index: int) -> str | None:
    handle = _ask(nvml, nvml.nvmlDeviceGetHandleByIndex, index)
    return None if handle is None else _text(_ask(nvml, nvml.nvmlDeviceGetUUID, handle))


def _facts(nvml: Any, indices: Sequence[int]) -> NvmlFacts:
    handles = [_ask(nvml, nvml.nvmlDeviceGetHandleByIndex, index) for index in indices]
    lost, count = handles.count(None), len(handles)
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
