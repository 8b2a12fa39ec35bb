"""How busy a machine is, from the kernel's texts and NVML's answers. Pure; nothing here raises."""

from typing import Any, NamedTuple

from sparkwell.hardware.facts import MemoryFacts


class CpuTimes(NamedTuple):
    """Clock ticks of all processors since the system began: those that worked, and all."""

    busy: int
    total: int


def cpu_times(text: str | None) -> CpuTimes | None:
    """The first line of /proc/stat, of all processors together; None where it is something else.

    Waiting for a disk is no work. What guests took is in the first two columns already.
    """
    words = (text or "").partition("\n")[0].split()
    if len(words) < 5 or words[0] != "cpu" or not all(_is_count(word) for word in words[1:]):
        return None
    ticks = [int(word) for word in words[1:9]]
    return CpuTimes(sum(ticks) - sum(ticks[3:5]), sum(ticks))


def cpu_share(before: CpuTimes | None, after: CpuTimes | None) -> float | None:
    """The share of all processors that worked between two looks, 0 to 1; None if none passed."""
    if before is None or after is None or after.total <= before.total:
        return None
    # The kernel's count of idle ticks can go back a little.
    return min(1.0, max(0.0, (after.busy - before.busy) / (after.total - before.total)))


def stalled_share(text: str | None) -> float | None:
    """The share of the last ten seconds in which all tasks waited, of /proc/pressure/memory.

    0 to 1; None where the kernel does not count it.
    """
    for line in (text or "").splitlines():
        words = line.split()
        if words[:1] == ["full"]:
            values = [word.removeprefix("avg10=") for word in words if word.startswith("avg10=")]
            return _share(values[0]) if values else None
    return None


def swap_used_bytes(memory: MemoryFacts) -> int | None:
    """Bytes in swap; 0 on a machine without any, None where it does not say."""
    if memory.swap_total_bytes is None or memory.swap_free_bytes is None:
        return None
    return max(0, memory.swap_total_bytes - memory.swap_free_bytes)


def percent_as_share(value: Any) -> float | None:
    """85 as 0.85; None for what is no percentage."""
    return value / 100 if isinstance(value, int | float) and 0 <= value <= 100 else None


def _share(text: str) -> float | None:
    try:
        return percent_as_share(float(text))
    except ValueError:
        return None


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 20
