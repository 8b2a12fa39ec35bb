"""Reading /proc: what is there is read, what a kernel lacks is None."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.guard import proc, sampling

MEMINFO = b"""MemTotal:       127601452 kB
MemFree:         1003016 kB
MemAvailable:   61003016 kB
Buffers:           10240 kB
Cached:         60000000 kB
SwapCached:          999 kB
SwapTotal:       2097152 kB
SwapFree:        2000000 kB
SReclaimable:      20480 kB
"""
PRESSURE = b"""some avg10=1.50 avg60=0.00 avg300=0.00 total=300
full avg10=0.25 avg60=0.00 avg300=0.00 total=200
"""
STAT = b"42 (a) Z (b)) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1000 100"


def test_a_sample_has_all_that_the_kernel_says() -> None:
    sample = proc.sample(5.0, MEMINFO, PRESSURE)
    assert sample is not None
    assert sample.row() == [
        5.0, 61003016 * 1024, 1003016 * 1024, 60000000 * 1024, 10240 * 1024, 20480 * 1024,
        2000000 * 1024, 2097152 * 1024, 1.5, 0.25, 300, 200, None,
    ]  # fmt: skip
    assert proc.total_bytes(MEMINFO) == 127601452 * 1024


@pytest.mark.parametrize("key", sorted(proc.MEMORY))
def test_what_is_missing_is_none(key: str) -> None:
    name = proc.MEMORY[key]
    lines = [line for line in MEMINFO.splitlines() if line.partition(b":")[0] != name]
    sample = proc.sample(0.0, b"\n".join(lines), None)
    if key == "available":
        assert sample is None
        return
    assert sample is not None
    assert getattr(sample, key) is None
    assert sample.full_us is None
    assert sample.full_avg10 is None


ZONEINFO = b"""Node 0, zone    DMA32
  pages free     380911
        present  782288
      nr_free_pages 380911
  pagesets
    cpu: 0
              count:    512
              high:     1444
    cpu: 1
              count:    0
              high:     1444
Node 0, zone   Normal
  pagesets
    cpu: 0
              count:    274226
              high:     274314
"""


def test_what_processors_keep_for_themselves_is_available_too() -> None:
    lists = proc.per_cpu_bytes(ZONEINFO, 4096)
    assert lists == (512 + 274226) * 4096
    sample = proc.sample(0.0, MEMINFO, None, lists)
    assert sample is not None
    assert sample.available == 61003016 * 1024 + lists
    assert sample.per_cpu == lists
    assert proc.per_cpu_bytes(b"", 4096) == 0


def test_a_kernel_without_swap_has_none_left() -> None:
    sample = proc.sample(0.0, MEMINFO.replace(b"2097152", b"0").replace(b"2000000", b"0"), b"")
    assert sample is not None
    assert (sample.swap_total, sample.swap_free) == (0, 0)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_damaged_files_raise_nothing(meminfo: bytes, pressure: bytes) -> None:
    proc.sample(0.0, meminfo + b"\nMemAvailable: 5 kB", b"full avg10=" + pressure)
    proc.sample(0.0, b"MemAvailable:" + meminfo, pressure)
    proc.parse_stat(meminfo)


def test_a_name_with_brackets_does_not_hide_the_fields() -> None:
    assert proc.parse_stat(STAT) == (True, 7, 123456)
    assert proc.parse_stat(STAT.replace(b") S 7", b") Z 7")) == (False, 7, 123456)
    assert proc.parse_stat(b"") is None


def test_this_machine_can_be_read() -> None:
    reader = sampling.Reader()
    sample = reader.read()
    reader.close()
    assert sample is not None
    assert sample.free is not None
    assert sample.per_cpu is not None
    assert sample.available > 0
    assert sampling.available_bytes() is not None


def test_a_made_up_machine_has_no_lists_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "meminfo"
    path.write_text("MemAvailable: 5 kB\n")
    reader = sampling.Reader(str(path), None)
    sample = reader.read()
    path.write_text("no such line\n")
    nothing = reader.read()
    reader.close()
    assert sample is not None
    assert (sample.available, sample.per_cpu, sample.full_us) == (5 * 1024, None, None)
    assert nothing is None
