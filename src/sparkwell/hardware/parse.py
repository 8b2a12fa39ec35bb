"""Text to facts. Nothing here raises: what cannot be understood is None."""

import re

from sparkwell.hardware.facts import CpuFacts, MemoryFacts

_MEMORY_LINE = re.compile(r"^(\w+):[ \t]+([0-9]{1,15}) kB[ \t]*$", re.MULTILINE | re.ASCII)
_CPU_LINE = re.compile(r"^([\w ]+?)[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE | re.ASCII)
# Part numbers of Arm cores, from Linux's arch/arm64/include/asm/cputype.h: a GB10 has the first
# two, Grace the last. Arm's /proc/cpuinfo has no name in words.
_ARM_CORES = {"0xd85": "Cortex-X925", "0xd87": "Cortex-A725", "0xd4f": "Neoverse-V2"}
# What firmware says when nobody filled the field in.
_PLACEHOLDERS = {
    "",
    "none",
    "n/a",
    "not specified",
    "not applicable",
    "default string",
    "system product name",
    "system manufacturer",
    "to be filled by o.e.m.",
    "unknown",
    "invalid",
}


def parse_meminfo(text: str | None) -> MemoryFacts:
    """Facts of /proc/meminfo; its kB are KiB. The first of two equal keys counts."""
    found: dict[str, int] = {}
    for key, count in _MEMORY_LINE.findall(text or ""):
        found.setdefault(key, int(count) * 1024)
    return MemoryFacts(
        total_bytes=found.get("MemTotal") or None,  # no system runs without memory
        available_bytes=found.get("MemAvailable"),
        free_bytes=found.get("MemFree"),
        cached_bytes=found.get("Cached"),
        swap_total_bytes=found.get("SwapTotal"),
        swap_free_bytes=found.get("SwapFree"),
    )


def parse_cpuinfo(text: str | None) -> CpuFacts:
    """Facts of /proc/cpuinfo, of x86 and of Arm."""
    lines = _CPU_LINE.findall(text or "")
    count = sum(1 for key, value in lines if key == "processor" and value.isdecimal())
    names = [value for key, value in lines if key == "model name" and value]
    parts = [value.lower() for key, value in lines if key == "CPU part"]
    cores = [_ARM_CORES[part] for part in parts if part in _ARM_CORES]
    model = " + ".join(dict.fromkeys(names or cores))
    return CpuFacts(count or None, model or None)


def parse_name(text: str | None) -> str | None:
    """A name from DMI or the device tree, which ends its texts with NUL; placeholders are None."""
    said = " ".join((text or "").replace("\0", " ").split())
    return None if said.lower() in _PLACEHOLDERS else said
