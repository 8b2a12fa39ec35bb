"""Trip times and false trips of the memory guard; exit status 1 where a bound is missed.

First the rules on made-up and recorded courses of memory, many phases of the samples each.
Then the program: from a change of MemAvailable to the end of a real process, its memory and
its processor time.
"""

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isinf
from pathlib import Path

import sparkwell.guard
from sparkwell.guard import ending, files
from sparkwell.guard.judge import KILL
from sparkwell.guard.rules import GIB, Limits, floors
from sparkwell.guard.sampling import available_bytes
from sparkwell.testing.memory_traces import SYNTHETIC, Act, Trace, recorded, replay, zero_s

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sparkwell.guard.__file__).parent
RUNS, ROUNDS, IDLE_S = 100, 20, 20.0
MOST_RSS_BYTES, MOST_CORE_SHARE, MOST_REACTION_S = 20 * 1024**2, 0.01, 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One trace: how many runs tripped, and the worst figures of all runs."""

    name: str
    expected: str | None
    tripped: int
    first: str
    first_gib: float
    kill_gib: float
    left_s: float

    @property
    def missed(self) -> bool:
        """Whether it tripped and should not have, or the other way round."""
        return self.tripped != (RUNS if self.expected else 0)


def main() -> int:
    """Print both tables; returns the exit status."""
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {RUNS} runs a trace\n")
    rows = [row(trace, Limits()) for trace in SYNTHETIC]
    for path in sorted((ROOT / "tests/fixtures/meminfo").glob("*.json")):
        trace, about = recorded(path)
        rows.extend(recorded_rows(trace, int(str(about["total_kib"])) * 1024))
    show(rows)
    missed = any(each.missed for each in rows)
    return int(measure_program() or missed)


def recorded_rows(trace: Trace, total_bytes: int) -> Iterable[Row]:
    """The floors of a machine of that size, and floors that free memory alone would cross."""
    soft, hard = floors(total_bytes, 8 * GIB, 4 * GIB)
    small = Limits(soft_floor_bytes=soft, hard_floor_bytes=hard)
    yield row(named(trace, f"recorded: {trace.name}, floors {soft / GIB:.1f}"), small)
    yield row(named(trace, f"recorded: {trace.name}, floors 8.0"), Limits())


def named(trace: Trace, name: str) -> Trace:
    """Give a trace another name."""
    return Trace(name, trace.seconds, trace.course, trace.expected)


def row(trace: Trace, limits: Limits) -> Row:
    """Replay a trace with many phases and keep the worst."""
    runs = [until_kill(replay(trace, limits, seed=seed)) for seed in range(RUNS)]
    firsts = [acts[0] for acts in runs if acts]
    kills = [act for acts in runs for act in acts if act.action == KILL]
    end_s = zero_s(trace)
    return Row(
        trace.name, trace.expected, len(firsts), "/".join(sorted({act.action for act in firsts})),
        min((act.available_bytes / GIB for act in firsts), default=inf),
        min((act.available_bytes / GIB for act in kills), default=inf),
        min((end_s - act.at_s for act in kills or firsts), default=inf),
    )  # fmt: skip


def until_kill(acts: Iterable[Act]) -> list[Act]:
    """Take the acts up to the first kill."""
    taken = []
    for act in acts:
        taken.append(act)
        if act.action == KILL:
            break
    return taken


def show(rows: Iterable[Row]) -> None:
    """Print the rows as a Markdown table."""
    print("| trace | expected | runs that tripped | first act | at, GiB | kill at, GiB "
          "| s from the kill to nothing |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for each in rows:
        figures = " | ".join(map(figure, (each.first_gib, each.kill_gib, each.left_s)))
        wrong = " **missed**" if each.missed else ""
        print(f"| {each.name} | {each.expected or 'quiet'} | {each.tripped} of {RUNS}{wrong} "
              f"| {each.first or '-'} | {figures} |")  # fmt: skip


def figure(value: float) -> str:
    """Write a figure; a dash where there is none."""
    return "-" if isinf(value) else f"{value:.1f}"


def measure_program() -> bool:
    """Start the guard, let it end processes, and measure it; true where a bound is missed."""
    with tempfile.TemporaryDirectory(prefix="guard") as name:
        folder = Path(name)
        meminfo = folder / "meminfo"
        meminfo.touch()
        available(meminfo, 100)
        argv = [sys.executable, "-I", "-S", "-X", "utf8", str(PROGRAM), name, "--daemon-lock",
                f"{name}/none", "--linger-s", "3600"]  # fmt: skip
        guard = start([*argv, "--meminfo", str(meminfo), "--pressure", ""], folder)
        reactions = [reaction_s(folder, meminfo) for _ in range(ROUNDS)]
        end(guard)
        guard = start(argv, folder)  # the real /proc/meminfo and PSI
        idle = core_share(folder, guard, 1)
        near = core_share(folder, guard, int((available_bytes() or 0) / 1.1))
        resident = rss_bytes(guard)
        end(guard)
    print(f"\nfrom the change to the process's end, {ROUNDS} rounds, s: median "
          f"{statistics.median(reactions):.3f}, longest {max(reactions):.3f}")  # fmt: skip
    print(f"share of a core: {idle:.2%} at 250 ms, {near:.2%} at 50 ms near a floor")
    print(f"resident: {resident / 1024**2:.1f} MiB; protected: {guard['protected']}")
    too_much = (max(reactions) > MOST_REACTION_S, idle > MOST_CORE_SHARE, near > MOST_CORE_SHARE,
                resident > MOST_RSS_BYTES)  # fmt: skip
    return any(too_much)


def start(argv: list[str], folder: Path) -> dict[str, int]:
    """Start the guard; gives guard.json."""
    path = folder / files.GUARD
    path.unlink(missing_ok=True)
    subprocess.run(argv, check=True)
    while not path.exists():
        time.sleep(0.01)
    found: dict[str, int] = json.loads(path.read_text("utf-8"))
    return found


def end(guard: dict[str, int]) -> None:
    """End the guard and wait for it."""
    ending.send(guard["pid"], guard["start_ticks"], signal.SIGTERM)
    while ending.is_alive((guard["pid"], guard["start_ticks"])):
        time.sleep(0.01)


def reaction_s(folder: Path, meminfo: Path) -> float:
    """Start a process, take all memory away, and see how long it lives."""
    available(meminfo, 100)
    process = subprocess.Popen(["sleep", "60"])
    tell(folder, process.pid, Limits())
    time.sleep(1.6 + 0.03 * (process.pid % 9))  # seen, and not always in the same phase
    began = time.monotonic()
    available(meminfo, 1)
    process.wait()
    return time.monotonic() - began


def tell(folder: Path, pid: int, limits: Limits) -> None:
    """Name one target."""
    named = {"instance": str(pid), "model": "m", "started_at": 0, "pid": pid,
             "start_ticks": ending.start_ticks(pid)}  # fmt: skip
    given = {name: getattr(limits, name) for name in files.LIMITS}
    document = {"boot_id": files.boot_id(), "limits": given, "targets": [named]}
    files.write_json(str(folder / files.TARGETS), document)


def available(meminfo: Path, size_gib: int) -> None:
    """Rewrite the made-up /proc/meminfo in place."""
    file = os.open(meminfo, os.O_WRONLY)
    os.pwrite(file, f"MemAvailable: {size_gib * 1024**2:>12} kB\n".encode(), 0)
    os.close(file)


def core_share(folder: Path, guard: dict[str, int], soft_bytes: int) -> float:
    """Measure its processor time beside a living target.

    ``soft_bytes`` is the soft floor: 1, or so high that memory is always near it.
    """
    process = subprocess.Popen(["sleep", "600"])
    limits = Limits(soft_floor_bytes=soft_bytes, hard_floor_bytes=0)
    tell(folder, process.pid, limits)
    time.sleep(2)
    before = processor_s(guard)
    time.sleep(IDLE_S)
    spent = processor_s(guard) - before
    process.kill()
    process.wait()
    return spent / IDLE_S


def processor_s(guard: dict[str, int]) -> float:
    """Read the processor time of all its threads, in nanoseconds by the scheduler."""
    tasks = Path(f"/proc/{guard['pid']}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9


def rss_bytes(guard: dict[str, int]) -> int:
    """Read its resident memory."""
    status = Path(f"/proc/{guard['pid']}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


if __name__ == "__main__":
    sys.exit(main())
