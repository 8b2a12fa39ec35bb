"""The dashboard's pages: first paint, weight, and what they cost the daemon.

    python -m benchmarks.monitor.bench_dashboard [--save] [--loads N] [--first]

A real daemon with two fake engines that serve, and Debian's chromium on the same machine. `usual`
is a catalog as it comes, `much` has 50 models more, 10,000 events and a log of 100 MB.

First paint is first-contentful-paint since the navigation began, each load in a browser profile of
its own: nothing is cached, the session's cookie apart. Weight is what the browser received of a
page, headers too, packed as the daemon packs it; of the stream only what came at first. Processor
time of the daemon is that of one GET of the page's HTML, all threads, by the process's clock, less
what the daemon spends anyway. Where others use the cores too, first paint tells more of
them than of a page; the processor time of the page's main thread until then does not. `--first`
puts browser and daemon before the others, by the autogroups of their sessions.

Exit status 1 where a bound is missed: 300 ms, 300 kB.
"""

import argparse
import http.client
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from tests.acceptance.conftest import Home
from tests.acceptance.dashboard_browser import Tab, chromium
from tests.acceptance.test_dashboard_load import (
    LOG_BYTES,
    PAGES,
    lines,
    write_events,
    write_recipes,
)

import sparkwell
from sparkwell.testing.environment import install_fake_environment

RESULTS = Path(__file__).with_name("results")
MOST_PAINT_MS, MOST_BYTES = 300.0, 300_000
COOKIE = "sparkwell_session"
GETS = 10
IDLE_S = 2.0
PATIENCE_S = 30.0
FIRST_NICE = -10
_CPU_CLOCK = 2  # of another process, as clock_getcpuclockid(3) numbers it
Json = dict[str, Any]


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--loads", type=int, default=7, help="cold loads of each page")
    parser.add_argument("--save", action="store_true", help="write results/DAY-dashboard.json")
    parser.add_argument("--first", action="store_true", help="go before other work (Linux, root)")
    chosen = parser.parse_args()
    found = {}
    for name, much in (("usual", False), ("much", True)):
        with tempfile.TemporaryDirectory() as folder, served(Path(folder), much) as home:
            found[name] = measured(home, paths(much), chosen.loads, first=chosen.first)
        print(table(name, found[name]), flush=True)
    if chosen.save:
        save(found, first=chosen.first)
    return int(any(too_much(each) for pages in found.values() for each in pages.values()))


# ── what is measured ────────────────────────────────────────────────────────────────────────


def paths(much: bool) -> dict[str, str]:
    """The pages; of those that name models, ones that there are."""
    if much:
        return PAGES
    renamed = (("load-00", "demo-qwen3"), ("load-01", "demo-llama"))
    found = {}
    for name, path in PAGES.items():
        for old, new in renamed:
            path = path.replace(old, new)  # noqa: PLW2901
        found[name] = path
    return found


@contextmanager
def served(folder: Path, much: bool) -> Iterator[Home]:
    """A daemon with two models that serve."""
    home = Home(folder)
    install_fake_environment(home.paths.engines, style="0.32-cpu")
    models = ["demo-qwen3", "demo-llama"]
    if much:
        write_recipes(home.paths.recipes)
        write_events(home.paths.store)
        models = ["demo-llama", "load-00"]
    try:
        for model in models:
            home.ok("up", model)
        if much:
            for each in home.json("ps")["instances"]:
                log = home.paths.instances / str(each["id"]) / "engine.log"
                with log.open("ab") as opened:
                    opened.writelines(lines(LOG_BYTES // 2))
        yield home
    finally:
        home.clean_up()


def measured(home: Home, pages: Mapping[str, str], loads: int, *, first: bool) -> Json:
    """The figures of each page."""
    with chromium() as browser:
        if first:
            go_first(home)
        tab = Tab.open(browser, home.url)
        tab.sign_in(home)
        [cookie] = [each for each in tab.page.context.cookies() if each["name"].startswith(COOKIE)]
        tab.page.context.close()
        found = {}
        for name, path in pages.items():
            get(home, path, cookie["value"])  # templates are compiled, plans are made
            seen = [load(browser, home, path, cookie) for _ in range(loads)]
            found[name] = {
                "first_paint_ms": [round(each["paint_ms"]) for each in seen],
                "first_paint_median_ms": round(median(each["paint_ms"] for each in seen)),
                "main_thread_median_ms": round(median(each["main_ms"] for each in seen)),
                "received_bytes": round(median(each["bytes"] for each in seen)),
                "requests": seen[0]["requests"],
                **cost(home, path, cookie["value"]),
                "load": round(os.getloadavg()[0], 1),
            }
    return found


def go_first(home: Home) -> None:
    """Put the sessions of the daemon, its engines, this program and its browser before others."""
    us = psutil.Process()
    for each in [us, *us.children(recursive=True), *home.processes()]:
        with suppress(OSError):
            Path(f"/proc/{each.pid}/autogroup").write_text(str(FIRST_NICE))


def load(browser: Any, home: Home, path: str, cookie: Any) -> Json:
    """One page in a fresh profile."""
    tab = Tab.open(browser, home.url)
    tab.page.context.add_cookies([cookie])
    client = tab.page.context.new_cdp_session(tab.page)
    client.send("Network.enable")
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    sizes: list[float] = []
    client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    tab.go(path)
    tab.until(lambda: painted_ms(tab) is not None, PATIENCE_S)
    paint_ms = painted_ms(tab)
    metrics = {
        each["name"]: each["value"] for each in client.send("Performance.getMetrics")["metrics"]
    }
    tab.page.wait_for_timeout(500)  # the modules and the first figures
    tab.is_quiet()
    tab.page.context.close()
    return {
        "paint_ms": paint_ms,
        "main_ms": metrics["TaskDuration"] * 1000,
        "bytes": sum(sizes),
        "requests": len(sizes),
    }


def painted_ms(tab: Tab) -> float | None:
    """When something was drawn first; None before."""
    entry = "performance.getEntriesByName('first-contentful-paint')[0]"
    found: float | None = tab.page.evaluate(f"{entry}?.startTime ?? null")
    return found


def cost(home: Home, path: str, cookie: str) -> Json:
    """Processor time of the daemon for one GET of the page, and its size, packed and not."""
    pid = home.daemon_pid()
    idle = spent_s(pid)
    time.sleep(IDLE_S)
    idle = (spent_s(pid) - idle) / IDLE_S
    began, before = time.monotonic(), spent_s(pid)
    packed = [get(home, path, cookie) for _ in range(GETS)][-1]
    wall = time.monotonic() - began
    plain = get(home, path, cookie, packed=False)
    spent = (spent_s(pid) - before - idle * wall) / GETS
    return {
        "daemon_ms": round(spent * 1000, 1),
        "answer_ms": round(wall / GETS * 1000, 1),
        "html_bytes": plain,
        "html_packed_bytes": packed,
    }


def spent_s(pid: int) -> float:
    """Processor time of a process, all threads."""
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


def get(home: Home, path: str, cookie: str, *, packed: bool = True) -> int:
    """The length of a page as it is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=60)
    headers = {
        "Cookie": f"{COOKIE}_{home.port}={cookie}",
        "Accept-Encoding": "gzip" if packed else "identity",
    }
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status}")
    return len(body)


# ── what is told ────────────────────────────────────────────────────────────────────────────


def too_much(page: Json) -> bool:
    """Whether a bound is missed."""
    return bool(
        page["first_paint_median_ms"] >= MOST_PAINT_MS or page["received_bytes"] >= MOST_BYTES
    )


def table(name: str, pages: Json) -> str:
    """The figures of each page in a row."""
    head = ("first paint, ms (all)", "main ms", "kB", "daemon ms", "html kB")
    rows = [f"{name:<12}{head[0]:<46}" + "".join(f"{each:>11}" for each in head[1:])]
    for page, each in pages.items():
        paints = " ".join(f"{ms:.0f}" for ms in sorted(each["first_paint_ms"]))
        cells = (
            each["main_thread_median_ms"],
            round(each["received_bytes"] / 1000, 1),
            each["daemon_ms"],
            round(each["html_bytes"] / 1000, 1),
        )
        paint = f"{each['first_paint_median_ms']} ({paints})"
        missed = "  MISSED" if too_much(each) else ""
        rows.append(f"{page:<12}{paint:<46}" + "".join(f"{cell:>11}" for cell in cells) + missed)
    return "\n".join(rows)


def save(found: Json, *, first: bool) -> None:
    """Write results/DAY-dashboard.json."""
    RESULTS.mkdir(exist_ok=True)
    day = time.strftime("%Y-%m-%d")
    document = {
        "date": day,
        "machine": machine(),
        "note": "load is the 1-minute load average: other work used the same cores",
        "before_other_work": first,
        **found,
    }
    file = RESULTS / f"{day}-dashboard.json"
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def machine() -> Json:
    """What results depend on; no names of users or folders."""
    with chromium() as browser:
        version = browser.version
    return {
        "cpus": os.cpu_count(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "chromium": version,
        "sparkwell": sparkwell.__version__,
    }


if __name__ == "__main__":
    sys.exit(main())
