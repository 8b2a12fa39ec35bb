"""Direct and through the gateway in turns, with the same load: what the gateway costs.

    measure.py --home HOME --model NAME --out FILE [--limits "--rpm N …"] [--until SECONDS] …

Sparkwell runs in HOME already and the model is asked for (start.sh); this waits until it answers.
``direct`` is the engine's own Unix socket, ``gateway`` the port. With --limits every request
through the gateway has a new key with these options of `sparkwell keys add`; without, there must be
no key yet. What is known is in FILE after every round. Order of rounds: direct, gateway, gateway,
direct, and so on; a ratio is that of neighbours.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from client import Address, Clients, Counted, Load, Window
from figures import quantile, ratio
from well import Well, clock_s, counters

Json = dict[str, Any]
BEGIN_S = 1.5  # for processes to start
ROUND_MORE_S = 6.0  # beside warm-up and window: beginning, reading to the end
SAID_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Size:
    """So many streams, for so long, in so many pairs of rounds."""

    streams: int
    window_s: float
    pairs: int
    output_tokens: int


class Measurement:
    """Where to ask, how, and what came of it."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.well = Well(given.home, given.port, given.program)
        self.document: Json = {"about": about(given)}
        self._addresses: dict[str, Address] = {}
        self._engine_socket = ""

    def write(self) -> None:
        """Write what is known."""
        self.given.out.parent.mkdir(parents=True, exist_ok=True)
        self.given.out.write_text(json.dumps(self.document, indent=1) + "\n", encoding="utf-8")

    def begin(self) -> None:
        """Wait for the model, make the key, note the surroundings."""
        given = self.given
        began = time.monotonic()
        wait_until_ready(self.well, given.model, given.ready_within_s)
        key = self.well.new_key(given.limits) if given.limits else None
        self._engine_socket, name = self.well.engine_address(given.model)
        self._addresses = {
            "direct": Address(name, uds=self._engine_socket),
            "gateway": Address(given.model, port=given.port, key=key),
        }
        self.document["waited_s"] = round(time.monotonic() - began, 1)
        self.document["processes"] = {
            "gateway": list(self.well.gateway().values()),
            "engine": list(self.well.engine().values()),
        }
        self.document["one_answer"] = one_answer(self._addresses["gateway"], given.words)
        self.write()

    def rounds(self, size: Size) -> None:
        """All pairs of one size, as far as time allows, and what they come to."""
        found: list[Json] = []
        order = ("direct", "gateway", "gateway", "direct")
        for number in range(2 * size.pairs):
            way = order[number % 4]
            row = self._round(size, way, number)
            if row is None:
                break
            found.append(row)
            self.document.setdefault("rounds", []).append(row)
            self.document.setdefault("results", {})[str(size.streams)] = summed(found)
            self.write()
            print(json.dumps({k: row[k] for k in SHOWN}), flush=True)

    def _round(self, size: Size, way: str, number: int) -> Json | None:
        given, pair = self.given, number % 2 == 0
        need_s = given.warm_s + size.window_s + ROUND_MORE_S
        if given.until - time.time() < (2 if pair else 1) * need_s:  # no pair that cannot end
            print(f"no time for round {number} of {size.streams} streams", flush=True)
            return None
        asks_at = time.monotonic() + BEGIN_S
        since = asks_at + given.warm_s
        window = Window(asks_at, since, since + size.window_s)
        seed = f"{time.time_ns()}"
        load = Load(size.streams, given.prompt_tokens, size.output_tokens, given.words, seed)
        before = counters(self._engine_socket)
        clients = Clients(self._addresses[way], load, window, given.clients)
        used = self._used(window)
        counted = clients.result(given.warm_s + size.window_s + 180.0)
        after = counters(self._engine_socket)
        moved = {name: after[name] - before.get(name, 0.0) for name in after}
        return {"number": number, "way": way, **asdict(size), **row_of(counted, size, used, moved)}

    def _used(self, window: Window) -> Json:
        """Processor seconds of all within the window."""
        families = {"gateway": self.well.gateway(), "engine": self.well.engine()}
        _sleep_until(window.since)
        began, before, host = time.monotonic(), _clocks(families), _host()
        _sleep_until(window.until)
        after, whole_s, host_after = _clocks(families), time.monotonic() - began, _host()
        used: Json = {"seconds": whole_s}
        for name in families:
            used[name] = {
                pid: (after[name][pid] or 0) - (each or 0) for pid, each in before[name].items()
            }
        busy, total = (new - old for new, old in zip(host_after, host, strict=True))
        used["host"] = busy / total if total else None
        return used

    def end(self) -> None:
        """What Sparkwell itself has counted, and how the day's requests went."""
        self.document["usage"] = self.well.document("usage")
        self.document["events"] = self.well.document("events", "-n", "50")
        self.document["resident_mb"] = {
            words: _resident_mb(pid) for pid, words in self.well.gateway().items()
        }
        self.write()


SHOWN = (
    "streams", "way", "tokens_per_s", "first_ms", "gap_ms", "client_share_of_a_core",
    "gateway_share_of_a_core", "gateway_us_per_event", "errors",
)  # fmt: skip


def row_of(counted: Counted, size: Size, used: Json, moved: dict[str, float]) -> Json:
    """One round as figures; processor time is that of the window."""
    seconds = used["seconds"]
    gateway, engine = (sum(used[name].values()) for name in ("gateway", "engine"))
    return {
        "tokens_per_s": round(counted.tokens / size.window_s, 2),
        "events_per_s": round(counted.events / size.window_s, 1),
        "events_a_read": round(counted.events / max(counted.reads, 1), 3),
        "answers": counted.answers,
        "answers_of_fewer_events_than_tokens": counted.uneven,
        "first_ms": spread(counted.first_s),
        "gap_ms": spread(counted.gaps_s),
        "client_share_of_a_core": round(counted.cpu_s / size.window_s, 4),
        "busiest_client_share": round(counted.most_cpu_s / size.window_s, 4),
        "gateway_share_of_a_core": round(gateway / seconds, 4),
        "gateway_us_per_event": round(gateway / max(counted.events, 1) * 1e6, 2),
        "gateway_cpu_s": used["gateway"],
        "engine_cpu_s": used["engine"],
        "engine_share_of_a_core": round(engine / seconds, 3),
        "host_busy": used["host"],
        "asked_tokens": counted.asked_tokens,
        "engine_counted": moved,
        "errors": len(counted.errors),
        "said": counted.errors[:SAID_ERRORS],
    }


def spread(values: Any) -> Json:
    """Milliseconds: median, 99th hundredth, mean, and how many there were."""
    ordered = sorted(values)
    middle, late = quantile(ordered, 0.5), quantile(ordered, 0.99)
    mean = statistics.fmean(ordered) if ordered else None
    found = {"p50": middle, "p99": late, "mean": mean}
    return {
        **{name: None if each is None else round(each * 1e3, 3) for name, each in found.items()},
        "count": len(ordered),
    }


def summed(rows: list[Json]) -> Json:
    """The ratio of neighbours, and of each way the median of its rounds."""
    pairs = []
    for first, second in zip(rows[::2], rows[1::2], strict=False):
        by_way = {each["way"]: each["tokens_per_s"] for each in (first, second)}
        pairs.append((by_way["direct"], by_way["gateway"]))
    found: Json = {"gateway_over_direct": ratio(pairs) if pairs else None}
    for way in ("direct", "gateway"):
        own = [row for row in rows if row["way"] == way]
        if own:
            found[way] = {name: _median(own, name) for name in MEDIANS}
    with suppress(KeyError, TypeError):
        idle = found["direct"]["gateway_share_of_a_core"]
        more = found["gateway"]["gateway_share_of_a_core"] - idle
        found["gateway_us_per_event_beyond_idle"] = more / found["gateway"]["events_per_s"] * 1e6
    found["errors"] = sum(row["errors"] for row in rows)
    found["tokens_that_the_engine_counted_otherwise"] = sum(
        abs(row["asked_tokens"] - row["engine_counted"].get("vllm:generation_tokens_total", 0.0))
        for row in rows
    )
    return found


MEDIANS = (
    "tokens_per_s", "events_per_s", "first_ms.p50", "first_ms.p99", "gap_ms.p50", "gap_ms.p99",
    "gap_ms.mean", "client_share_of_a_core", "busiest_client_share", "gateway_share_of_a_core",
    "gateway_us_per_event", "engine_share_of_a_core", "host_busy",
)  # fmt: skip


def _median(rows: list[Json], name: str) -> float | None:
    first, _, second = name.partition(".")
    values = [row[first][second] if second else row[first] for row in rows]
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def wait_until_ready(well: Well, model: str, within_s: float) -> None:
    """Return when the engine answers; SystemExit when it has failed or time is over."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        status = well.document("status")
        states = [
            (each.get("state"), each.get("error"))
            for each in (status.get("instances") if isinstance(status, dict) else None) or ()
            if each.get("model") == model
        ]
        if any(state == "ready" for state, _ in states):
            return
        if any(state == "failed" for state, _ in states):
            raise SystemExit(f"{model} has failed: {states}")
        time.sleep(1.0)
    raise SystemExit(f"{model} is not ready after {within_s:g} s: {well.command('status')}")


def one_answer(address: Address, words: tuple[int, int]) -> Json:
    """A short whole answer through the gateway: its headers and its usage."""
    prompt = list(range(words[0], words[0] + 8))
    body = {"model": address.model, "prompt": prompt, "max_tokens": 4, "ignore_eos": True}
    headers = {"Content-Type": "application/json"}
    if address.key:
        headers["Authorization"] = f"Bearer {address.key}"
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=120)
    connection.request("POST", "/v1/completions", json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    found: Json = {"status": answer.status, "headers": dict(answer.getheaders())}
    if answer.status != 200:
        raise SystemExit(f"the gateway said {answer.status}: {text[:500]}")
    return {**found, "usage": json.loads(text).get("usage")}


def about(given: argparse.Namespace) -> Json:
    """The machine, the versions, and how it was asked."""
    versions: Json = {"python": sys.version.split()[0]}
    for name in ("uvloop", "httptools", "aiohttp", "msgspec"):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpu": _gpu(),
        "processors": os.cpu_count(),
        "processor": _processor(),
        "versions": versions,
        "given": {name: str(value) for name, value in vars(given).items()},
    }


def _gpu() -> str | None:
    argv = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str | None:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return None


def _clocks(families: dict[str, dict[int, str]]) -> dict[str, dict[int, float | None]]:
    return {name: {pid: clock_s(pid) for pid in own} for name, own in families.items()}


def _host() -> tuple[float, float]:
    """Ticks of all processors: busy ones, all."""
    line = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    ticks = [int(each) for each in line.split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def _resident_mb(pid: int) -> float | None:
    with suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return None


def _sleep_until(at: float) -> None:
    time.sleep(max(at - time.monotonic(), 0.0))


def size_of(text: str) -> Size:
    """``STREAMS:SECONDS:PAIRS`` of a window; ``:TOKENS`` may follow."""
    streams, window_s, pairs, *output = text.split(":")
    return Size(int(streams), float(window_s), int(pairs), int(output[0]) if output else 0)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", type=size_of, help=size_of.__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--program", default="sparkwell", help="module that is the command")
    parser.add_argument("--limits", default="", help="options of sparkwell keys add")
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--output-tokens", type=int, default=256)
    parser.add_argument("--words", default="1000,150000", help="token ids of prompts, from,to")
    parser.add_argument("--clients", type=int, default=4, help="processes")
    parser.add_argument("--warm-s", type=float, default=5.0)
    parser.add_argument("--ready-within-s", type=float, default=540.0)
    parser.add_argument("--until", type=float, default=float("inf"), help="Unix time")
    given = parser.parse_args()
    low, high = given.words.split(",")
    given.words = (int(low), int(high))
    return given


def main() -> None:
    """Measure, and write what came of it whatever happens."""
    given = arguments()
    measurement = Measurement(given)
    try:
        measurement.begin()
        for size in given.sizes:
            output = size.output_tokens or given.output_tokens
            measurement.rounds(replace(size, output_tokens=output))
        measurement.end()
    except BaseException as error:
        measurement.document["failed"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        measurement.write()
        print(json.dumps(measurement.document.get("results"), indent=1))


if __name__ == "__main__":
    main()
