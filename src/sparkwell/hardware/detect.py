"""The rim: reads this machine through a seam, and has the facts recognised."""

from pathlib import Path
from typing import Protocol

from sparkwell.hardware.facts import Facts, NvmlFacts
from sparkwell.hardware.machine import Machine
from sparkwell.hardware.nvml import read_nvml
from sparkwell.hardware.parse import parse_cpuinfo, parse_meminfo, parse_name
from sparkwell.hardware.recognise import recognise

MEMINFO = "/proc/meminfo"
CPUINFO = "/proc/cpuinfo"
DEVICE_TREE_MODEL = "/proc/device-tree/model"
VENDOR = "/sys/class/dmi/id/sys_vendor"
PRODUCT = "/sys/class/dmi/id/product_name"
FAMILY = "/sys/class/dmi/id/product_family"


class Probe(Protocol):
    """The seam: what is asked of a machine. No method raises."""

    def text(self, path: str) -> str | None:
        """The text of a file, or None where there is none that can be read."""

    def nvml(self) -> NvmlFacts:
        """What NVML says."""


class SystemProbe:
    """The machine that this runs on."""

    def text(self, path: str) -> str | None:
        """The text of a file; what is not UTF-8 in it is replaced."""
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    def nvml(self) -> NvmlFacts:
        """NVML's answers, through the driver."""
        return read_nvml()


def read_facts(probe: Probe | None = None) -> Facts:
    """Everything that can be found out about this machine; never raises."""
    probe = probe or SystemProbe()
    return Facts(
        memory=parse_meminfo(probe.text(MEMINFO)),
        cpu=parse_cpuinfo(probe.text(CPUINFO)),
        nvml=probe.nvml(),
        vendor=parse_name(probe.text(VENDOR)),
        product=parse_name(probe.text(PRODUCT)) or parse_name(probe.text(DEVICE_TREE_MODEL)),
        family=parse_name(probe.text(FAMILY)),
    )


def detect(probe: Probe | None = None) -> Machine:
    """This machine; raises EnvironmentFault when not even its memory is known."""
    return recognise(read_facts(probe))
