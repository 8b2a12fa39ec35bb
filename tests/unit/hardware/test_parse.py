"""Texts of the kernel and the firmware to facts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.hardware.facts import CpuFacts, MemoryFacts
from sparkwell.hardware.parse import parse_cpuinfo, parse_meminfo, parse_name

MEMINFO = """\
MemTotal:       127601452 kB
MemFree:        45557560 kB
MemAvailable:   115669068 kB
Buffers:         1040760 kB
Cached:         62131592 kB
SwapCached:            0 kB
Active(anon):     123456 kB
SwapTotal:      16777212 kB
SwapFree:       13096264 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
"""

SPARK_CPUINFO = "".join(
    f"processor\t: {number}\nBogoMIPS\t: 2000.00\nCPU implementer\t: 0x41\n"
    f"CPU part\t: {'0xd87' if number < 10 else '0xd85'}\nCPU revision\t: 1\n\n"
    for number in range(20)
)
X86_CPUINFO = "".join(
    f"processor\t: {number}\nmodel\t\t: 106\nmodel name\t: Intel(R) Xeon(R) @ 2.50GHz\n\n"
    for number in range(2)
)


def test_meminfo() -> None:
    assert parse_meminfo(MEMINFO) == MemoryFacts(
        total_bytes=127_601_452 * 1024,
        available_bytes=115_669_068 * 1024,
        free_bytes=45_557_560 * 1024,
        cached_bytes=62_131_592 * 1024,
        swap_total_bytes=16_777_212 * 1024,
        swap_free_bytes=13_096_264 * 1024,
    )


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "MemTotal:",
        "MemTotal: kB",
        "MemTotal:       0 kB",
        "MemTotal:       -5 kB",
        "MemTotal:       12.5 kB",
        "MemTotal:       many kB",
        "MemTotal:       12345",
        "MemTotal:       12345 MB",
        "MemTotal:       \u0663\u0664 kB",
        "MemTotal 12345 kB",
        "xMemTotal:      12345 kB",
        f"MemTotal:       {'9' * 5000} kB",
        "\0\0\0",
        "<html>502</html>",
    ],
)
def test_a_meminfo_that_says_nothing(text: str | None) -> None:
    assert parse_meminfo(text) == MemoryFacts()


def test_a_garbled_line_costs_no_other() -> None:
    facts = parse_meminfo("MemTotal:  x kB\n\x00\nMemFree:\t7 kB\nMemFree: 8 kB\n")
    assert facts == MemoryFacts(free_bytes=7 * 1024)


def test_no_swap_and_an_unknown_swap_differ() -> None:
    assert parse_meminfo("SwapTotal:  0 kB").swap_total_bytes == 0
    assert parse_meminfo("MemTotal:  1 kB").swap_total_bytes is None


def test_cpuinfo() -> None:
    assert parse_cpuinfo(X86_CPUINFO) == CpuFacts(2, "Intel(R) Xeon(R) @ 2.50GHz")
    assert parse_cpuinfo(SPARK_CPUINFO) == CpuFacts(20, "Cortex-A725 + Cortex-X925")
    assert parse_cpuinfo("processor : 0\nCPU part : 0xfff\n") == CpuFacts(1, None)
    assert parse_cpuinfo("processor : I/S\n") == CpuFacts()
    assert parse_cpuinfo(None) == CpuFacts()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NVIDIA_DGX_Spark\n", "NVIDIA_DGX_Spark"),
        ("Dell Pro Max with GB10 FCM1253\n", "Dell Pro Max with GB10 FCM1253"),
        ("NVIDIA Jetson AGX Thor Developer Kit\0", "NVIDIA Jetson AGX Thor Developer Kit"),
        ("  two  words ", "two words"),
        ("Default string\n", None),
        ("To Be Filled By O.E.M.", None),
        ("\0", None),
        ("", None),
        (None, None),
    ],
)
def test_names(text: str | None, name: str | None) -> None:
    assert parse_name(text) == name


@given(st.text())
def test_nothing_raises(text: str) -> None:
    assert (parse_meminfo(text).total_bytes or 1) > 0
    assert (parse_cpuinfo(text).count or 1) > 0
    assert parse_name(text) != ""


@given(st.integers(1, 10**14), st.integers(0, 10**14))
def test_meminfo_written_and_read(total: int, available: int) -> None:
    facts = parse_meminfo(f"MemTotal: {total:>15} kB\nMemAvailable: {available:>15} kB\n")
    assert (facts.total_bytes, facts.available_bytes) == (total * 1024, available * 1024)
