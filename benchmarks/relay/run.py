"""Compares HTTP servers and clients as a relay; prints medians. See README.md."""

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import load
import measure
import upstream

import contract

HERE = Path(__file__).parent
CANDIDATES = (
    "aiohttp_aiohttp",
    "starlette_httpx",
    "starlette_aiohttp",
    "granian_starlette_aiohttp",
    "httptools_raw",
)
LOOPS = ("asyncio", "uvloop")
WARM_UP, REQUESTS = 300, 1500
STREAMS, BATCHES = 8, 3
BUSY, BUSY_EACH = 32, 50
RELAY_CORE, LOAD_CORE = "1", 0
PATIENCE_S = 10.0
Result = dict[str, float]


def main() -> None:
    """Run every candidate in every round, in an order drawn anew."""
    options = _options()
    os.sched_setaffinity(0, {LOAD_CORE})
    results: dict[tuple[str, str], list[Result]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, _upstream(Path(folder)) as path:
        for _ in range(options.rounds):
            entries = [(name, loop) for name in options.only for loop in LOOPS]
            for name, loop in random.sample(entries, len(entries)):
                results[name, loop].append(_candidate(name, loop, path))
                print(name, loop, json.dumps(results[name, loop][-1]), file=sys.stderr)
        _print_table(results, _direct(path, options.rounds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=CANDIDATES)
    return parser.parse_args()


@contextmanager
def _upstream(folder: Path) -> Iterator[str]:
    path = str(folder / "upstream.sock")
    with _process([sys.executable, str(HERE / "upstream.py"), path], path):
        yield path


@contextmanager
def _process(argv: list[str], address: str | int, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(argv, env={**os.environ, **env})
    try:
        _wait_for(address)
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str | int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            return load.connect(address).close()
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(address)


def _candidate(name: str, loop: str, upstream_path: str) -> Result:
    """Measure one candidate once, in a process of its own, on a core of its own."""
    port = _free_port()
    argv = ["taskset", "-c", RELAY_CORE, sys.executable, str(HERE / "candidates" / f"{name}.py")]
    env = {"RELAY_UPSTREAM": upstream_path, "PYTHONPATH": str(HERE)}
    with _process([*argv, str(port), loop], port, **env) as process:
        load.latencies(port, load.request(contract.PATH), WARM_UP)
        result = _requests(port, process.pid) | _streaming(port, process.pid)
        return result | {
            "memory_mb": measure.memory_mb(process.pid),
            "cancel_stream_ms": _cancelled_after(port, upstream_path, stream=True),
            "cancel_whole_ms": _cancelled_after(port, upstream_path, hang=True),
        }


def _free_port() -> int:
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        return int(finder.getsockname()[1])


def _requests(port: int, pid: int) -> Result:
    message = load.request(contract.PATH)
    before = measure.cpu_seconds(pid)
    times = load.latencies(port, message, REQUESTS)
    alone = measure.cpu_seconds(pid)
    load.together(port, message, connections=BUSY, each=BUSY_EACH)
    busy = measure.cpu_seconds(pid) - alone
    return {
        "cpu_us_request": (alone - before) / REQUESTS * 1e6,
        "cpu_us_request_busy": busy / (BUSY * BUSY_EACH) * 1e6,
        **_quantiles(times),
    }


def _quantiles(times: list[float]) -> Result:
    cuts = statistics.quantiles(times, n=100)
    return {"p50_us": cuts[49] * 1e6, "p99_us": cuts[98] * 1e6}


def _streaming(port: int, pid: int) -> Result:
    message = load.request(contract.PATH, stream=True)
    before = measure.cpu_seconds(pid)
    reads = load.together(port, message, connections=STREAMS, each=BATCHES)
    cpu = measure.cpu_seconds(pid) - before
    events = STREAMS * BATCHES * upstream.EVENTS
    return {"cpu_us_event": cpu / events * 1e6, "events_per_read": events / reads}


def _cancelled_after(port: int, upstream_path: str, **extra: object) -> float:
    """Leave in the middle of an answer; milliseconds until the upstream has noticed."""
    before = _aborted(upstream_path)
    with load.connect(port) as sock:
        sock.sendall(load.request(contract.PATH, **extra))
        time.sleep(0.2)
    left = time.perf_counter()
    while _aborted(upstream_path) == before:
        if time.perf_counter() - left > PATIENCE_S / 5:
            return float("nan")
        time.sleep(0.001)
    return (time.perf_counter() - left) * 1e3


def _aborted(upstream_path: str) -> int:
    with load.connect(upstream_path) as sock:
        sock.sendall(b"GET /aborted HTTP/1.1\r\n\r\n")
        return int(sock.recv(1000).partition(b"\r\n\r\n")[2])


def _direct(upstream_path: str, rounds: int) -> Result:
    """Measure the upstream without any relay: how far it and the load are from being a limit."""
    return _median([_direct_once(upstream_path) for _ in range(rounds)])


def _direct_once(upstream_path: str) -> Result:
    message = load.request(contract.PATH)
    times = load.latencies(upstream_path, message, REQUESTS)
    started = time.perf_counter()
    load.together(upstream_path, message, connections=BUSY, each=BUSY_EACH)
    return _quantiles(times) | {"rate": BUSY * BUSY_EACH / (time.perf_counter() - started)}


def _median(runs: list[Result]) -> Result:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def _print_table(results: dict[tuple[str, str], list[Result]], direct: Result) -> None:
    p50, p99, rate = direct["p50_us"], direct["p99_us"], direct["rate"]
    print(f"direct: p50 {p50:.0f} µs, p99 {p99:.0f} µs, {rate:.0f} requests/s at {BUSY}\n")
    keys = list(next(iter(results.values()))[0])
    print("| candidate | loop |", " | ".join(keys), "|")
    print("|---|---|" + "---|" * len(keys))
    for (name, loop), runs in sorted(results.items()):
        print(f"| {name} | {loop} |", " | ".join(_cell(runs, key) for key in keys), "|")


def _cell(runs: list[Result], key: str) -> str:
    """Write the median, and from where to where the rounds went."""
    values = [run[key] for run in runs]
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    main()
