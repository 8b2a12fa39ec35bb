"""The table in docs/security.md, from the newest results: `python benchmarks/security/page.py`."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")
PAGE = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- begin: results -->", "<!-- end: results -->"
Json = Mapping[str, Any]


def main() -> None:
    """Write the table anew."""
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def replaced(text: str) -> str:
    """The page with the table that belongs to the results."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{table()}{END}{rest.partition(END)[2]}"


def table() -> str:
    """What was tried, how often, and what came of it; a row is left out that has no results."""
    rows = ["| what | how many | what came of it | run |", "|---|---|---|---|"]
    machines = set()
    for name, (what, count, outcome) in ROWS.items():
        found = newest(name)
        if found is None:
            continue
        machines.add(_machine(found["machine"]))
        script = found["command"].rpartition("/")[2]
        rows.append(f"| {what} | {count(found)} | {outcome(found)} | `{script}`, {found['date']} |")
    return "\n".join([*rows, "", *sorted(machines), ""])


def newest(name: str) -> Json | None:
    """The latest results of that name; None where there are none."""
    found = sorted(RESULTS.glob(f"20*-{name}.json"))
    return json.loads(found[-1].read_text(encoding="utf-8")) if found else None


def _machine(said: Json) -> str:
    return (
        f"{said['cpus']} processor cores, {said['memory_gib']} GiB, {said['system']}, Linux "
        f"{said['kernel']}, Python {said['python']}, httptools {said['httptools']}, Sparkwell "
        f"{said['sparkwell']}."
    )


def _mb(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def _statuses(found: Json) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in found["statuses"].items())


def _parsers(found: Json) -> str:
    parts = ", ".join(f"{name} {each['inputs']:,}" for name, each in found["targets"].items())
    return f"{parts}. Promises broken: {', '.join(found['broken']) or 'none'}"


def _sockets(found: Json) -> str:
    return (
        f"{found['wrong']} went wrong. Statuses: {_statuses(found)}. "
        f"{found['requests_that_reached_the_engine']:,} requests reached the engine, all well "
        f"formed. The daemon grew by {_mb(found['resident_grown_bytes'])}"
    )


def _api(found: Json) -> str:
    meant = ", ".join(f"{code} {count:,}" for code, count in found["meant_503"].items()) or "none"
    relayed = sum(found["relayed_5xx"].values())
    return (
        f"{found['wrong']} statuses of 500 and above of ours. {found['hangs']} without an answer "
        f"in 20 s; slowest {found['slowest_s']} s. Meant 503: {meant}. Relayed from the fake "
        f"engine: {relayed:,}. Statuses: {_statuses(found)}"
    )


def _connections(found: Json) -> str:
    return (
        f"{found['wrong']} went wrong. Descriptors before: {found['descriptors_before']}, left: "
        f"{found['descriptors_left']}. Memory before: {_mb(found['resident_before_bytes'])}, more "
        f"after: {_mb(found['resident_left_bytes'])}"
    )


def _slow(found: Json) -> str:
    cut = "; ".join(
        f"{each['client']}: {each['end']} after {each['cut_after_s']} s"
        for each in found["clients"]
    )
    return (
        f"{cut}. Of {found['other_requests']} other requests meanwhile the slowest took "
        f"{found['slowest_other_s']} s"
    )


def _timing(found: Json) -> str:
    book, leak, wire = found["book_us"], found["leaking_us"], found["wire_us"]
    grows = "slope_us_over_the_key"
    return (
        f"From 0 right characters to 43 the median changes by {book[grows]} µs (median "
        f"{book['median']} µs). A comparison that leaks: {leak[grows]} µs. Over a socket: "
        f"{wire[grows]} µs, where the tenths of single requests lie from {wire['p10']} to "
        f"{wire['p90']} µs"
    )


Words = Callable[[Json], str]
ROWS: Mapping[str, tuple[str, Words, Words]] = {
    "fuzz-parsers": (
        "atheris on the parsers of heads, bodies, engines' answers and hosts, in process",
        lambda found: f"{found['inputs']:,} inputs",
        _parsers,
    ),
    "fuzz-sockets": (
        "mutated requests, in pieces, to the gateway's port",
        lambda found: f"{found['cases']:,} connections",
        _sockets,
    ),
    "api": (
        "Schemathesis over `/openapi.json`, good and bad cases",
        lambda found: f"{found['cases']:,} requests, {found['operations']} operations",
        _api,
    ),
    "connections": (
        "connections opened and closed",
        lambda found: f"{found['connections']:,}",
        _connections,
    ),
    "slow-clients": (
        "slow clients against the time-outs as they are by default",
        lambda found: f"{len(found['clients'])} kinds",
        _slow,
    ),
    "key-timing": (
        "wrong keys that begin like a right one",
        lambda found: f"{44 * found['checks_of_each_length']:,} checks",
        _timing,
    ),
}

if __name__ == "__main__":
    main()
