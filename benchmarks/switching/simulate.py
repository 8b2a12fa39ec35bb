"""The queue's order against two others, in virtual time: swaps, waits, starvation.

    .venv/bin/python benchmarks/switching/simulate.py            # the whole, and writes the page
    .venv/bin/python benchmarks/switching/simulate.py --quick    # a tenth of it, as JSON, no files

The exit status is 1 where a bound is missed.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import simulate_page
from simulate_traces import Trace, every_trace
from simulate_world import Collation, Fifo, Maker, Ours, Sent, run

from sparkwell.supervisor.terms import USUAL_POLICY, Policy

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("simulate.json")
QUICK = 0.1
STARVED = 10
"""Who waits so many times as long as a request is to be patient is taken to starve."""
OURS, FIFO, COLLATION = "Sparkwell", "FIFO", "collation"
BASE: Sequence[tuple[str, Maker, Policy]] = (
    (OURS, Ours, USUAL_POLICY),
    (FIFO, Fifo, USUAL_POLICY),
    (COLLATION, Collation, USUAL_POLICY),
)
SETTINGS: Sequence[tuple[str, Maker, Policy]] = (
    *(
        (f"{OURS}, residency {seconds:g} s", Ours, replace(USUAL_POLICY, min_residency_s=seconds))
        for seconds in (5.0, 60.0, 120.0)
    ),
    *(
        (f"{OURS}, patience {seconds:g} s", Ours, replace(USUAL_POLICY, patience_s=seconds))
        for seconds in (30.0, 120.0, 300.0)
    ),
    *(
        (f"{OURS}, quiet {seconds:g} s", Ours, replace(USUAL_POLICY, quiet_s=seconds))
        for seconds in (0.0, 10.0)
    ),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a trace under one policy. Waits count refused requests with their wait.

    ``worst`` is the model that waits longest.
    """

    trace: str
    what: str
    policy: str
    sent: int
    served: int
    refused: int
    swaps: int
    p50_s: float
    p95_s: float
    max_s: float
    starved: int
    worst: str
    worst_p95_s: float
    served_per_hour: float


def play(trace: Trace, name: str, make: Maker, policy: Policy) -> Result:
    """One trace under one policy."""
    sent, scheduler, took_s = run(trace, make, policy)
    waits = sorted(one.waited_s for one in sent)
    served = sum(one.served_at_s is not None for one in sent)
    names = [each.name for each in trace.models]
    p95_s = {name: _share(_waits_for(sent, name), 0.95) for name in names}
    worst = max(p95_s, key=lambda name: p95_s[name])
    limit_s = STARVED * USUAL_POLICY.patience_s
    return Result(
        trace=trace.name,
        what=trace.what,
        policy=name,
        sent=len(sent),
        served=served,
        refused=len(sent) - served,
        swaps=scheduler.swaps,
        p50_s=_share(waits, 0.5),
        p95_s=_share(waits, 0.95),
        max_s=round(waits[-1], 1),
        starved=sum(wait > limit_s for wait in waits),
        worst=worst,
        worst_p95_s=p95_s[worst],
        served_per_hour=round(3600 * served / took_s, 1),
    )


def missed(results: Sequence[Result]) -> list[str]:
    """The bounds that were not kept."""
    by = {(each.trace, each.policy): each for each in results}
    found = []
    for trace in ("zipf-2", "zipf-5", "alternation, open", "alternation, closed", "busy"):
        ours, fifo = by[trace, OURS], by[trace, FIFO]
        per_served = ours.swaps / ours.served < fifo.swaps / max(1, fifo.served)
        checks = {
            "somebody starved": ours.starved == 0 and ours.refused == 0,
            "as many swaps for a request as FIFO": per_served,
        }
        found += [f"{trace}: {words}" for words, kept in checks.items() if not kept]
    for trace in ("busy", "alternation, closed"):
        ours, greedy = by[trace, OURS], by[trace, COLLATION]
        if ours.worst_p95_s > greedy.worst_p95_s / 2:
            found.append(f"{trace}: the worst-off model waits nearly as long as under collation")
    return found


def _waits_for(sent: Sequence[Sent], model: str) -> list[float]:
    return sorted(one.waited_s for one in sent if one.call.model == model)


def _share(waits: Sequence[float], share: float) -> float:
    return round(waits[min(len(waits) - 1, int(share * len(waits)))], 1) if waits else 0.0


def main(arguments: Sequence[str]) -> int:
    """Play everything; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth, as JSON; no files")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d"))
    given = parser.parse_args(arguments)
    policies = BASE if given.quick else (*BASE, *SETTINGS)
    traces = every_trace(QUICK if given.quick else 1.0)
    results = [play(trace, *policy) for trace in traces for policy in policies]
    document = {
        "date": given.date,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "policy": {name: getattr(USUAL_POLICY, name) for name in USUAL_POLICY.__slots__},
        "results": [asdict(each) for each in results],
        "missed": missed(results),
    }
    text = json.dumps(document, indent=1)
    if given.quick:
        print(text)
    else:
        RESULTS.write_text(text + "\n", encoding="utf-8")
        simulate_page.write(document, ROOT / "docs")
    for words in document["missed"]:
        print(f"MISSED {words}", file=sys.stderr)
    return int(bool(document["missed"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
