"""Samples of a machine, over texts and a stand-in for NVML's bindings."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from sparkwell.hardware.detect import MEMINFO
from sparkwell.hardware.nvml import NvmlSession
from sparkwell.hardware.samples import GpuSample, MachineSample
from sparkwell.hardware.sampling import PRESSURE, RETRY_S, STAT, MachineSampler, read_text

MIB = 1024**2
GIB = 1024**3
TEXTS = {
    MEMINFO: "MemTotal: 127600748 kB\nMemAvailable: 118566368 kB\n"
    "SwapTotal: 2048 kB\nSwapFree: 1024 kB\n",
    PRESSURE: "some avg10=9.00 total=1\nfull avg10=4.50 total=1\n",
}
H100 = GpuSample("NVIDIA H100 80GB HBM3", 0.97, 66_000 * MIB, 81_559 * MIB, 412.5, 61.0)


class NVMLError(Exception):
    pass


class Bindings:
    """nvidia-ml-py with some GPUs; what ``refused`` names is answered with "Not Supported"."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0
    nvmlMemory_v2 = 2  # noqa: N815 - NVML's own names

    def __init__(self, *refused: str, count: int = 1) -> None:
        self.refused = set(refused)
        self.count = count
        self.calls: list[str] = []

    def __getattr__(self, question: str) -> Any:
        return lambda *arguments: self._answer(question, arguments)

    def _answer(self, question: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append(question)
        if question in self.refused:
            raise NVMLError("Not Supported")
        answers = {
            "nvmlDeviceGetCount": self.count,
            "nvmlDeviceGetHandleByIndex": "gpu",
            "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=97, memory=60),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=66_000 * MIB, total=81_559 * MIB),
            "nvmlDeviceGetPowerUsage": 412_500,
            "nvmlDeviceGetTemperature": 61,
        }
        return answers.get(question)

    def asked(self, question: str) -> int:
        return self.calls.count(question)


class Machine:
    """A sampler over texts, and a clock that stands still until it is moved."""

    def __init__(self, nvml: Any = None, texts: dict[str, str] = TEXTS) -> None:
        self.texts, self.nvml, self.now, self.loads = dict(texts), nvml, 1000.0, 0
        self.sampler = MachineSampler(self.texts.get, self.load, lambda: self.now)

    def load(self) -> Any:
        self.loads += 1
        if isinstance(self.nvml, Exception):
            raise self.nvml
        return self.nvml

    def gpus(self) -> tuple[GpuSample, ...]:
        return self.sampler.sample().gpus


def test_a_machine_without_a_gpu() -> None:
    assert Machine(OSError("no library")).sampler.sample() == MachineSample(
        total_bytes=127_600_748 * 1024,
        available_bytes=118_566_368 * 1024,
        swap_used_bytes=MIB,
        memory_stalled=0.045,
    )


def test_a_machine_that_says_nothing() -> None:
    assert Machine(ImportError("pynvml"), {}).sampler.sample() == MachineSample()


def test_work_since_the_sample_before() -> None:
    machine = Machine(OSError(), {STAT: "cpu 100 0 0 900\n"})
    assert machine.sampler.sample().cpu_used is None  # no time went by
    machine.texts[STAT] = "cpu 130 0 0 970\n"
    assert machine.sampler.sample().cpu_used == 0.3
    machine.texts[STAT] = "cpu 230 0 0 970\n"
    assert machine.sampler.sample().cpu_used == 1.0
    del machine.texts[STAT]
    assert machine.sampler.sample().cpu_used is None


def test_an_h100() -> None:
    assert Machine(Bindings()).gpus() == (H100,)
    assert Machine(Bindings(count=2)).gpus() == (H100, H100)


def test_gpus_that_the_engines_do_not_see_are_not_watched() -> None:
    session = NvmlSession(lambda: Bindings(count=4), {"CUDA_VISIBLE_DEVICES": "3,1"})
    assert session.sample() == (H100, H100)


def test_a_gb10_has_no_memory_in_nvml() -> None:
    (gpu,) = Machine(Bindings("nvmlDeviceGetMemoryInfo")).gpus()
    assert (gpu.used_bytes, gpu.total_bytes) == (None, None)
    assert (gpu.used, gpu.power_w, gpu.temperature_c) == (0.97, 412.5, 61.0)


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("nvmlDeviceGetName", "name"),
        ("nvmlDeviceGetUtilizationRates", "used"),
        ("nvmlDeviceGetPowerUsage", "power_w"),
        ("nvmlDeviceGetTemperature", "temperature_c"),
    ],
)
def test_every_question_may_be_refused(question: str, field: str) -> None:
    (gpu,) = Machine(Bindings(question)).gpus()
    assert [name for name in GpuSample.__slots__ if getattr(gpu, name) is None] == [field]


def test_nvml_stays_open() -> None:
    bindings = Bindings()
    machine = Machine(bindings)
    for _ in range(5):
        assert machine.gpus() == (H100,)
    assert (bindings.asked("nvmlInit"), bindings.asked("nvmlShutdown"), machine.loads) == (1, 0, 1)
    machine.sampler.close()
    machine.sampler.close()
    assert bindings.asked("nvmlShutdown") == 1
    assert machine.gpus() == (H100,)


def test_a_driver_that_goes_away_and_comes_back() -> None:
    bindings = Bindings()
    machine = Machine(bindings)
    assert machine.gpus() == (H100,)
    bindings.refused = {"nvmlDeviceGetCount", "nvmlInit", "nvmlShutdown"}
    assert machine.gpus() == ()
    asked = len(bindings.calls)
    machine.now += RETRY_S - 1
    assert machine.gpus() == ()
    assert len(bindings.calls) == asked  # it is left alone for a while
    machine.now += 1
    assert machine.gpus() == ()
    bindings.refused = set()
    machine.now += RETRY_S
    assert machine.gpus() == (H100,)


def test_a_gpu_that_only_tells_its_name_is_asked_anew() -> None:
    bindings = Bindings(
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTemperature",
    )
    assert Machine(bindings).gpus() == ()
    assert bindings.asked("nvmlShutdown") == 1


def test_a_lost_gpu_keeps_its_place() -> None:
    class Lost(Bindings):
        def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802 - NVML's own names
            if index == 0:
                raise NVMLError("GPU is lost")
            return "gpu"

    assert Machine(Lost(count=2)).gpus() == (GpuSample(), H100)


@pytest.mark.parametrize("error", [ImportError("pynvml"), OSError("no library")])
def test_no_library_is_looked_for_now_and_then(error: Exception) -> None:
    machine = Machine(error)
    assert [machine.gpus() for _ in range(3)] == [(), (), ()]
    assert machine.loads == 1
    machine.now += RETRY_S
    assert machine.gpus() == ()
    assert machine.loads == 2


def test_the_real_bindings_know_every_question() -> None:
    pynvml = pytest.importorskip("pynvml")
    bindings = Bindings()
    machine = Machine(bindings)
    machine.sampler.sample()
    machine.sampler.close()
    names = {*bindings.calls, "NVML_TEMPERATURE_GPU", "nvmlMemory_v2", "NVMLError"}
    assert sorted(name for name in names if not hasattr(pynvml, name)) == []


def test_this_machine() -> None:
    sampler = MachineSampler()
    sample = sampler.sample()
    assert sample.available_bytes
    assert sample.total_bytes
    assert 0 < sample.available_bytes <= sample.total_bytes
    sampler.close()


def test_files_that_cannot_be_read() -> None:
    assert read_text("/proc/no such file") is None
    assert read_text("/proc/self") is None  # a folder
    assert (read_text("/proc/self/stat") or "").strip()


def test_a_sample_costs_little() -> None:
    """Processor time of samples without a GPU: the aim is a millisecond, here it takes 0.2."""
    sampler = MachineSampler(load=lambda: (_ for _ in ()).throw(OSError()))
    sampler.sample()

    def once() -> float:
        began = time.process_time()
        for _ in range(20):
            sampler.sample()
        return (time.process_time() - began) / 20

    assert min(once() for _ in range(5)) < 0.001
