"""Put flags that two kept runs compare among Sparkwell's overlays.

    ship_pair.py BEFORE AFTER PROFILE

BEFORE and AFTER are runs of `sparkwell bench --slo`, in docs/benchmarks/runs, with one seed: the
same requests but where a repeat was measured again, with the flags of PROFILE and with others that
were found for another model. For where the time on a machine is too short for a tuning of its own;
the overlay says so.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generated import ROOT
from sparkwell.app.tuning.overlay import DUMMIES, DUMMY, NOTES, kept_flags
from sparkwell.app.tuning.workloads import told
from sparkwell.bench.figures import Slo
from sparkwell.bench.intervals import middle_of, ratio
from sparkwell.bench.notes import MEASURED_AGAIN
from sparkwell.bench.run_document import requests_of
from sparkwell.bench.workload import Workload
from sparkwell.catalog.tuned import Evidence, Row, Tuned
from sparkwell.catalog.tuned import Slo as KeptSlo
from sparkwell.catalog.tuned_files import SHIPPED_TUNED, write_tuned

Json = Mapping[str, Any]
BY_HAND = "The flags were not searched for here: they are those that were found for another model."


def rows(before: Json, after: Json) -> Iterator[Row]:
    """Goodput, tokens a second, and the share within the SLO, of each case of both."""
    for one in before["cases"]:
        for other in after["cases"]:
            if all(one[name] == other[name] for name in ("workload", "clients")):
                yield from _of_case(one, other, Slo(**before["slo"]))


def _of_case(one: Json, other: Json, slo: Slo) -> Iterator[Row]:
    said = f"{told(Workload(**one['workload']))}, {one['clients']:,} clients"
    ours, theirs = ([_figures(each, slo) for each in case["repeats"]] for case in (one, other))
    for figure in ours[0]:
        before, after = ([each[figure] for each in runs] for runs in (ours, theirs))
        found = ratio(before, after)
        yield Row(
            workload=said, tuned_on=False, figure=figure,
            before=_proper(middle_of(before)), after=_proper(middle_of(after)),
            **({} if found is None else {
                name: _proper(value) for name, value in
                (("ratio", found.value), ("low", found.low), ("high", found.high))
            }),
        )  # fmt: skip


def _figures(repeat: Json, slo: Slo) -> dict[str, float]:
    asked, seconds = requests_of(repeat), repeat["seconds"]
    good = [each for each in asked if each["error"] is None]
    kept = sum(_is_kept(each, slo) for each in good)
    return {
        "goodput": kept / seconds,
        "output_tokens_per_s": sum(each["output"] for each in good) / seconds,
        "good_share": kept / len(asked),
    }


def _is_kept(request: Json, slo: Slo) -> bool:
    limits = {"ttft_s": slo.ttft_s, "tpot_s": slo.tpot_s, "e2e_s": slo.e2e_s}
    return all(
        most is None or request[name] is None or request[name] <= most
        for name, most in limits.items()
    )


def _proper(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def again(run: Json, flags: str) -> Iterator[str]:
    """Which repeats did not ask the same as the other run's: they were measured again."""
    for case in run["cases"]:
        for note in case["notes"]:
            if note.startswith(MEASURED_AGAIN):
                yield f"With {flags}: {note}"


def overlay(before: Json, after: Json, profile: str) -> Tuned:
    """For goodput; both runs are of one model on one machine, with one version."""
    machine, flags = after["machine"], after["flags"]
    for name in ("model", "machine", "slo", "seed"):
        if before[name] != after[name]:
            raise ValueError(f"the runs differ in {name}: {before[name]}, {after[name]}")
    return Tuned(
        recipe=after["model"], goal="goodput", slo=KeptSlo(**after["slo"]),
        machine=machine["name"], title=machine["title"], gpus=machine["gpus"],
        total_bytes=machine["total_bytes"], engine="vllm",
        version=after["versions"]["engine_version"],
        flags=kept_flags(flags), before=kept_flags(before["flags"]), before_profile=profile,
        evidence=Evidence(
            date=datetime.fromtimestamp(after["at"], UTC).date(), command=after["command"],
            trials=2, sparkwell=after["versions"]["sparkwell"],
            rows=tuple(rows(before, after)),
            notes=(
                *NOTES, BY_HAND, *again(before, "the flags before"), *again(after, "these flags"),
                *((DUMMIES,) if DUMMY in flags.items() else ()),
            ),
        ),
    )  # fmt: skip


def main(before: str, after: str, profile: str) -> None:
    """Write it."""
    one, other = (json.loads(Path(each).read_text(encoding="utf-8")) for each in (before, after))
    print(write_tuned(SHIPPED_TUNED, overlay(one, other, profile)).relative_to(ROOT))


if __name__ == "__main__":
    main(*sys.argv[1:])
