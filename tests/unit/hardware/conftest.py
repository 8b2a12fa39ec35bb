"""Facts of machines as they were seen, and a probe that tells them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from sparkwell.hardware.facts import Facts, GpuFacts, MemoryFacts, NvmlFacts

NO_DRIVER = NvmlFacts(problem="no driver")
KIB = 1024
MIB = 1024**2
SPARK_MEMORY = MemoryFacts(total_bytes=127_600_748 * KIB, available_bytes=118_566_368 * KIB)


@dataclass
class FakeProbe:
    """A machine made of texts by path, and of what NVML would say."""

    texts: Mapping[str, str] = field(default_factory=dict)
    said: NvmlFacts = NO_DRIVER

    def text(self, path: str) -> str | None:
        return self.texts.get(path)

    def nvml(self) -> NvmlFacts:
        return self.said


@pytest.fixture
def spark() -> Facts:
    """A DGX Spark, driver 580.173.02: NVML says "not supported" to all about memory."""
    gpu = GpuFacts("NVIDIA GB10", (12, 1))
    nvml = NvmlFacts("580.173.02", "13.0", (gpu,))
    return Facts(SPARK_MEMORY, nvml=nvml, vendor="NVIDIA", product="NVIDIA_DGX_Spark")


@pytest.fixture
def h100() -> Facts:
    """One H100; the driver keeps 479 MiB of it."""
    gpu = GpuFacts("NVIDIA H100 80GB HBM3", (9, 0), 81_559 * MIB, 479 * MIB, 81_000 * MIB)
    return Facts(MemoryFacts(128 * 1024**3), nvml=NvmlFacts("580.159.04", "13.0", (gpu,)))


@pytest.fixture
def probe() -> FakeProbe:
    """A machine of which nothing can be found out."""
    return FakeProbe()
