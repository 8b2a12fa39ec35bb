"""The gateway beside its peers, in one run: `make bench-gateway`.

Exit status 1 where a bound of Sparkwell's is missed. README.md says what the columns mean.
"""

import argparse
import json
import pstats
import random
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from candidates import CANDIDATES, MissingError, profiled, upstream, versions
from figures import MINES, Bound, bounds, others_cores, slope, summary
from measuring import FULL, QUICK, Plan, busy_cores, many_streams, one_round, soak
from neighbours import results
from programs import CACHE, Cores, Json, compiled, cores

RESULTS = Path(__file__).with_name("results")
QUIET_CORES = 0.1


def main() -> int:
    """Measure, print, keep; returns the exit status."""
    given = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that blocks end what they began
    for name in ("load", "upstream"):
        compiled(name)
    if given.profile:
        return show_profile(given.profile)
    with_soak = {"soak": soaked(given.soak)} if given.soak else {}
    document = {**about(given), **(with_soak or compared(given))}
    path = keep(document, given)
    print(f"\n{path}")
    found = bounds(document) if "rounds" in document else []
    others = others_cores(document)
    if others is not None and others > QUIET_CORES:
        print(f"not quiet: others kept {others:.2f} cores busy (median); measure again")
    for each in found:
        print(said(each))
    for name, some in with_soak.get("soak", {}).items():
        print(f"{name}: memory grows by {some['slope_mb_an_hour']} MB an hour (low, high)")
    without = [name for name in MINES if name in document.get("skipped", ())]
    return int(bool(without) or any(each.kept is False for each in found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round: three minutes")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--without-many", action="store_true", help="no 1,000 slow streams")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="mixed load, nothing else")
    parser.add_argument("--profile", type=Path, help="Sparkwell's time by function, into a file")
    parser.add_argument("--save", metavar="NAME", help="results/DATE-NAME.json, for the page")
    return parser.parse_args()


def about(given: argparse.Namespace) -> Json:
    """The run, as far as it is known before it."""
    words = [each for each in sys.argv[1:] if each not in {"--save", given.save}]
    return {
        "date": results.today(),
        "time": time.strftime("%H:%M:%S %Z"),
        "command": shlex.join(["benchmarks/gateway/run.py", *words]),
        "quick": given.quick,
        "machine": {**results.machine(), "processor": processor()},
        "versions": versions(),
    }


def processor() -> str | None:
    """As /proc/cpuinfo names it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else None


def compared(given: argparse.Namespace) -> Json:
    """All candidates in each round, in an order drawn anew; then the many streams."""
    plan: Plan = QUICK if given.quick else FULL
    rounds: dict[str, list[Json]] = {name: [] for name in given.only}
    many: dict[str, Json] = {}
    skipped: dict[str, str] = {}
    on = cores()
    for number in range(given.rounds or plan.rounds):
        for name in random.sample(given.only, len(given.only)):
            if name not in skipped:
                _try(name, on, plan, rounds, skipped)
        progress(f"round {number + 1} is over")
    for name in given.only:
        if not given.without_many and name not in skipped:
            many[name] = _many(name, on, plan)
    return {"plan": _plan(plan), "rounds": rounds, "many": many, "skipped": skipped}


def _try(
    name: str,
    on: Cores,
    plan: Plan,
    rounds: Mapping[str, list[Json]],
    skipped: dict[str, str],
) -> None:
    began, others = time.monotonic(), busy_cores()
    try:
        with upstream(on) as engine, CANDIDATES[name](on, engine) as target:
            rounds[name].append({**one_round(target, on, plan), "others_cores": others})
    except (MissingError, TimeoutError, RuntimeError) as error:
        skipped[name] = str(error)
        return progress("\n".join([f"{name}: {error}", *getattr(error, "__notes__", ())]))
    rows = summary({name: rounds[name][-1:]})[name]
    shown = {row: round(each.median, 1) for row, each in rows.items() if each}
    return progress(f"{name} ({time.monotonic() - began:.0f} s): {json.dumps(shown)}")


def _many(name: str, on: Cores, plan: Plan) -> Json:
    others = busy_cores()
    with upstream(on) as engine, CANDIDATES[name](on, engine) as target:
        found = {**many_streams(target, on, plan), "others_cores": others}
    kept = ("events", "lost", "reordered", "broken", "bad", "unfinished", "most_memory_mb")
    shown = {key: found[key] for key in kept}
    progress(f"{name}, {plan.many} streams: {json.dumps(shown | found['delay_us'])}")
    return found


def soaked(seconds: float) -> Json:
    """Sparkwell alone, without and with a key if there is time for both."""
    on, found = cores(), {}
    name = MINES[0]
    with upstream(on) as engine, CANDIDATES[name](on, engine) as target:
        some = soak(target, on, seconds)
    grows = slope([(at, mb) for at, mb in some["memory"]])
    shown = [round(each, 2) for each in (grows.an_hour, grows.low, grows.high)]
    found[name] = {**some, "slope_mb_an_hour": shown}
    return found


def show_profile(file: Path) -> int:
    """A round under cProfile, which makes functions dearer than they are."""
    on = cores()
    with profiled(on, file.resolve()) as target:
        one_round(target, on, FULL)
    pstats.Stats(str(file)).sort_stats("tottime").print_stats(30)
    return 0


def keep(document: Json, given: argparse.Namespace) -> Path:
    """Write the document: where the page finds it, or aside."""
    saved = RESULTS / f"{document['date']}-{given.save}.json"
    path = saved if given.save else CACHE / "last.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def said(bound: Bound) -> str:
    """A bound in a line."""
    verdict = {True: "kept", False: "MISSED", None: "not measured"}[bound.kept]
    reached = "-" if bound.reached is None else f"{bound.reached:,.1f}"
    most = "-" if bound.most is None else f"{bound.most:,.1f}"
    return f"{verdict:12} {bound.words}: {reached} of {most} {bound.unit}"


def _plan(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__slots__}


def progress(words: str) -> None:
    """What a person who waits wants to see."""
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
