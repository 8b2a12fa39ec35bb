"""Records the machine's memory under a load, as a fixture: ``record.py LOAD OUT``.

LOAD is ``page-cache`` (writes 2 GiB, then reads a file of 15 GiB that has no blocks: the pages
are real, the disk is spared), ``allocate`` (takes 2 GiB three times, for 1, 4 and 1 s) or
``watch`` (looks for 75 s at what others do, such as ``sparkwell demo``).
"""

import json
import multiprocessing
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sparkwell.guard.proc import COLUMNS, KIB, Sample, total_bytes
from sparkwell.guard.sampling import MEMINFO, Reader

PERIOD_S = 0.1
GIB = 1024**3
CHUNK = 8 * 1024 * 1024
LEAST_BYTES = 8 * GIB  # the machine is never brought near its end


def main(load: str, out: Path) -> None:
    """Run the load in a process of its own and sample until it has ended, and 2 s longer."""
    worker = multiprocessing.Process(target=LOADS[load])
    reader, samples = Reader(), []
    first_s = time.monotonic()
    ends_s = first_s + 3600
    worker.start()
    while time.monotonic() < ends_s:
        if (sample := reader.read()) and sample.available < LEAST_BYTES:
            worker.kill()
        samples.extend([sample] if sample else [])
        if not worker.is_alive():
            ends_s = min(ends_s, time.monotonic() + 2)
        time.sleep(PERIOD_S)
    worker.join()
    write(out, load, [row(each, first_s) for each in samples])


def row(sample: Sample, first_s: float) -> list[float | int | None]:
    """Give one row: sizes in KiB, seconds from the first sample."""
    values = dict(zip(COLUMNS, sample.row(), strict=True))
    kept = ("at", "some_us", "full_us", "some_avg10", "full_avg10")
    sizes = {
        name: int(value) // KIB for name, value in values.items() if name not in kept and value
    }
    return [round(sample.at - first_s, 2), *({**values, **sizes}[name] for name in COLUMNS[1:])]


def write(out: Path, load: str, rows: list[list[float | int | None]]) -> None:
    """Write the fixture, one row a line."""
    total = total_bytes(Path(MEMINFO).read_bytes()) or 0
    head = {
        "load": load, "kernel": platform.release(), "total_kib": total // KIB,
        "date": datetime.now(tz=UTC).date().isoformat(), "unit": "KiB", "columns": list(COLUMNS),
    }  # fmt: skip
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in rows)
    out.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")


def page_cache() -> None:
    """Fill the page cache with a file that was written and with one that is only read."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:  # a disk, not memory
        for _ in range(2 * GIB // CHUNK):
            file.write(b"x" * CHUNK)
        file.flush()
        with tempfile.NamedTemporaryFile(dir="/var/tmp") as hollow:
            hollow.truncate(15 * GIB)
            while hollow.read(CHUNK):
                pass
            time.sleep(3)


def allocate() -> None:
    """Take 2 GiB, every page of it, and give it back."""
    for held_s in (1.0, 4.0, 1.0):
        time.sleep(2)
        block = bytearray(b"x") * (2 * GIB)
        time.sleep(held_s)
        del block


def watch() -> None:
    """Do nothing; somebody else does."""
    time.sleep(75)


LOADS: dict[str, Callable[[], None]] = {
    "page-cache": page_cache,
    "allocate": allocate,
    "watch": watch,
}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
