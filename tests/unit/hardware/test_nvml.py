"""NVML's answers to facts, over a stand-in for the bindings."""

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from sparkwell.hardware.facts import GpuFacts, NvmlFacts
from sparkwell.hardware.nvml import read_nvml

MIB = 1024**2


class NVMLError(Exception):
    pass


class Bindings:
    """nvidia-ml-py with one GPU; what ``refused`` names is answered with "Not Supported"."""

    NVMLError = NVMLError
    nvmlMemory_v2 = 2  # noqa: N815 - NVML's own names
    name: str | bytes = "NVIDIA H100 80GB HBM3"
    refused: ClassVar[set[str]] = set()
    count = 1
    shut_down = 0

    def __getattribute__(self, question: str) -> Any:
        if question in type(self).refused:
            return self.refuse
        return object.__getattribute__(self, question)

    def refuse(self, *_arguments: Any) -> None:
        raise NVMLError("Not Supported")

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's own names
        pass

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.shut_down += 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.159.04"

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:  # noqa: N802
        return 13000

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return f"gpu{index}"

    def nvmlDeviceGetUUID(self, handle: str) -> str:  # noqa: N802
        return f"GPU-{handle}"

    def nvmlDeviceGetName(self, _handle: str) -> str | bytes:  # noqa: N802
        return self.name

    def nvmlDeviceGetCudaComputeCapability(self, _handle: str) -> list[int]:  # noqa: N802
        return [9, 0]

    def nvmlDeviceGetMemoryInfo(self, _handle: str, version: int | None = None) -> Any:  # noqa: N802
        if version is None:
            return SimpleNamespace(total=81_559 * MIB, free=80_000 * MIB)
        return SimpleNamespace(total=81_559 * MIB, reserved=479 * MIB, free=81_000 * MIB)


def test_an_h100() -> None:
    bindings = Bindings()
    facts = read_nvml(lambda: bindings)
    gpu = GpuFacts("NVIDIA H100 80GB HBM3", (9, 0), 81_559 * MIB, 479 * MIB, 81_000 * MIB)
    assert facts == NvmlFacts("580.159.04", "13.0", (gpu,))
    assert gpu.usable_bytes == 81_080 * MIB
    assert bindings.shut_down == 1


class Four(Bindings):
    count = 4

    def nvmlDeviceGetName(self, handle: str) -> str:  # noqa: N802
        return handle


def test_only_what_the_engines_will_see_counts() -> None:
    def names(**environ: str) -> list[str | None]:
        return [gpu.name for gpu in read_nvml(Four, environ).gpus]

    assert names() == ["gpu0", "gpu1", "gpu2", "gpu3"]
    assert names(CUDA_VISIBLE_DEVICES="2") == ["gpu2"]
    assert names(CUDA_VISIBLE_DEVICES="GPU-gpu3,0") == ["gpu3", "gpu0"]
    assert names(CUDA_VISIBLE_DEVICES="") == []
    assert read_nvml(Four, {"CUDA_VISIBLE_DEVICES": "9"}).problem == (
        "CUDA_VISIBLE_DEVICES=9 leaves no GPU"
    )


def test_a_gb10_has_no_memory_in_nvml() -> None:
    class GB10(Bindings):
        name = b"NVIDIA GB10"
        refused: ClassVar[set[str]] = {"nvmlDeviceGetMemoryInfo"}

    (gpu,) = read_nvml(GB10).gpus
    assert gpu == GpuFacts("NVIDIA GB10", (9, 0))
    assert gpu.usable_bytes is None


def test_a_driver_that_does_not_tell_what_it_keeps() -> None:
    class Old(Bindings):
        def nvmlDeviceGetMemoryInfo(self, handle: str, version: int | None = None) -> Any:  # noqa: N802
            if version is not None:
                raise NVMLError("Function Not Found")
            return super().nvmlDeviceGetMemoryInfo(handle)

    (gpu,) = read_nvml(Old).gpus
    assert (gpu.total_bytes, gpu.reserved_bytes) == (81_559 * MIB, None)
    assert gpu.usable_bytes is None


def test_every_question_may_be_refused() -> None:
    class Silent(Bindings):
        refused: ClassVar[set[str]] = {
            name for name in vars(Bindings) if name.startswith("nvml") and "Get" in name
        } - {"nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"}

    assert read_nvml(Silent) == NvmlFacts(gpus=(GpuFacts(),))


def test_a_lost_gpu_is_said() -> None:
    class Lost(Bindings):
        count = 2

        def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
            if index:
                raise NVMLError("GPU is lost")
            return "gpu0"

    facts = read_nvml(Lost)
    assert len(facts.gpus) == 1
    assert facts.problem == "1 of 2 GPUs do not answer"


def test_no_driver() -> None:
    class NoDriver(Bindings):
        def nvmlInit(self) -> None:  # noqa: N802
            raise NVMLError("Driver Not Loaded")

    assert read_nvml(NoDriver) == NvmlFacts(problem="Driver Not Loaded")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ImportError("pynvml"), "the package nvidia-ml-py is not installed"),
        (OSError("cannot open"), "there is no libnvidia-ml.so.1"),
    ],
)
def test_no_library(error: Exception, problem: str) -> None:
    def load() -> Any:
        raise error

    assert read_nvml(load) == NvmlFacts(problem=problem)


def test_reserved_memory_beyond_the_total_is_not_believed() -> None:
    assert GpuFacts(total_bytes=5, reserved_bytes=7).usable_bytes is None


def test_the_real_bindings_know_every_question() -> None:
    pynvml = pytest.importorskip("pynvml")
    asked = [name for name in vars(Bindings) if name.startswith("nvml")]
    assert [name for name in asked if not hasattr(pynvml, name)] == []


def test_this_machine_raises_nothing() -> None:
    assert isinstance(read_nvml(), NvmlFacts)
