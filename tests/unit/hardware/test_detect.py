"""The rim: which files are read, and that a machine that tells nothing breaks nothing."""

import time
from typing import Any

import pytest

from sparkwell.core.errors import EnvironmentFault
from sparkwell.hardware.detect import detect, read_facts
from sparkwell.hardware.facts import Facts, GpuFacts, NvmlFacts


def test_a_dgx_spark(probe: Any) -> None:
    probe.texts = {
        "/proc/meminfo": "MemTotal:       127601452 kB\nMemAvailable:   115669068 kB\n",
        "/proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd85\n",
        "/sys/class/dmi/id/sys_vendor": "NVIDIA\n",
        "/sys/class/dmi/id/product_name": "NVIDIA_DGX_Spark\n",
        "/sys/class/dmi/id/product_family": "DGX Spark\n",
    }
    probe.said = NvmlFacts("580.173.02", "13.0", (GpuFacts("NVIDIA GB10", (12, 1)),))
    facts = read_facts(probe)
    assert (facts.vendor, facts.product, facts.family) == (
        "NVIDIA",
        "NVIDIA_DGX_Spark",
        "DGX Spark",
    )
    assert facts.cpu.model == "Cortex-X925"
    machine = detect(probe)
    assert (machine.name, machine.total_bytes) == ("dgx-spark", 127_601_452 * 1024)


def test_the_device_tree_names_the_machine_where_there_is_no_dmi(probe: Any) -> None:
    probe.texts = {"/proc/device-tree/model": "NVIDIA Jetson AGX Orin\0"}
    assert read_facts(probe).product == "NVIDIA Jetson AGX Orin"


def test_a_machine_that_tells_nothing(probe: Any) -> None:
    assert read_facts(probe) == Facts(nvml=NvmlFacts(problem="no driver"))
    with pytest.raises(EnvironmentFault):
        detect(probe)


def test_this_machine() -> None:
    facts = read_facts()
    assert facts.cpu.count
    assert facts.memory.total_bytes
    assert detect().total_bytes > 0


def test_detection_is_cheap(probe: Any) -> None:
    probe.texts = {"/proc/meminfo": "MemTotal:       127601452 kB\n"}
    probe.said = NvmlFacts(gpus=(GpuFacts("NVIDIA GB10", (12, 1)),))
    detect(probe)  # imports pydantic
    began = time.process_time()
    detect(probe)
    assert time.process_time() - began < 0.05
