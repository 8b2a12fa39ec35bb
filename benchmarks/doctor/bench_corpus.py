"""How right the checks are on the labelled logs; exit status 1 where a bound is missed.

    python benchmarks/doctor/bench_corpus.py [--save NAME] [--wrong] [--page]

Precision: of the findings that came, the share that a label names. Recall: of those that labels
name, the share that came. Both on findings of severity warning and error; infos are counted apart.
The held-out logs (tests/data/doctor/README.md) are counted apart too, and have no part in the
bound. An error on a healthy log misses the bound whatever the shares are.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from platform import python_version

from tests.unit.checks.diagnosis.corpus import Entry, entries, said

from sparkwell import __version__
from sparkwell.checks.diagnosis.judge import abouts
from sparkwell.core.findings import Severity

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).resolve().parents[2] / "docs/doctor-figures.md"
BEGINS, ENDS = "<!-- figures begin -->", "<!-- figures end -->"
LEAST = 0.95
LOUD = {Severity.WARNING, Severity.ERROR}
USUAL = {about.id: about.severity for about in abouts()}


@dataclass
class Tally:
    """Findings by id: right ones, ones too many, ones that lack."""

    right: Counter[str] = field(default_factory=Counter)
    extra: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    logs: int = 0

    def add(self, other: "Tally") -> "Tally":
        """Count another one in."""
        self.right += other.right
        self.extra += other.extra
        self.missing += other.missing
        self.logs += other.logs
        return self

    def precision(self, one: str | None = None) -> float | None:
        """Of all, or of one id; None where nothing came."""
        return _share(_count(self.right, one), _count(self.extra, one))

    def recall(self, one: str | None = None) -> float | None:
        """Of all, or of one id; None where no label names it."""
        return _share(_count(self.right, one), _count(self.missing, one))


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one log: its findings of weight, its infos, and errors though all is well."""

    entry: Entry
    loud: Tally
    quiet: Tally
    alarms: tuple[str, ...]

    @property
    def wrong(self) -> str:
        """What is not as labelled, in words; empty where all is."""
        extra = [*self.loud.extra, *self.quiet.extra]
        missing = [*self.loud.missing, *self.quiet.missing]
        return " ".join([*(f"+{each}" for each in extra), *(f"-{each}" for each in missing)])


def main() -> int:
    """Judge all logs; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--save", metavar="NAME")
    parser.add_argument(
        "--wrong", action="store_true", help="name the logs that are not as labelled"
    )
    parser.add_argument("--page", action="store_true", help="write the tables into the page")
    asked = parser.parse_args()
    judged = [judged_log(each) for each in entries()]
    print(tables(judged))
    if asked.wrong:
        print(*(f"\n{each.entry.file}: {each.wrong}" for each in judged if each.wrong), sep="")
    if asked.page:
        write_page(tables(judged))
    if asked.save:
        save(judged, asked.save)
    bound = whole([each for each in judged if each.entry.kind != "held out"])
    alarms = [alarm for each in judged for alarm in each.alarms]
    return int(min(bound.precision() or 0, bound.recall() or 0) < LEAST or bool(alarms))


def judged_log(entry: Entry) -> Judged:
    """Compare what the checks say of a log with its label."""
    came = {each.id: each.severity for each in said(entry.path.read_bytes(), entry.file)}
    loud, quiet = Tally(logs=1), Tally(logs=1)
    for one in came.keys() | set(entry.expects):
        tally = loud if came.get(one, USUAL.get(one, Severity.ERROR)) in LOUD else quiet
        kind = tally.missing if one not in came else tally.extra
        (tally.right if one in came and one in entry.expects else kind)[one] += 1
    errors = [one for one, severity in came.items() if severity is Severity.ERROR]
    return Judged(entry, loud, quiet, tuple(errors) if entry.healthy else ())


def whole(judged: Iterable[Judged], *, quiet: bool = False) -> Tally:
    """Several logs as one."""
    tally = Tally()
    for each in judged:
        tally.add(each.quiet if quiet else each.loud)
    return tally


def parts(judged: list[Judged]) -> dict[str, list[Judged]]:
    """The logs by where they come from."""
    apart = {
        kind: [each for each in judged if each.entry.kind == kind]
        for kind in ("recorded", "written", "held out")
    }
    return {"recorded and written": [*apart["recorded"], *apart["written"]], **apart}


def tables(judged: list[Judged]) -> str:
    """The figures as Markdown."""
    tally = whole(judged).add(whole(judged, quiet=True))
    ids = sorted(tally.right.keys() | tally.extra.keys() | tally.missing.keys())
    alarms = sum(len(each.alarms) for each in judged)
    lines = [
        "| logs | count | healthy | precision | recall | infos: precision | infos: recall |",
        "|---|---|---|---|---|---|---|",
        *(_of_part(name, some) for name, some in parts(judged).items()),
        "",
        f"Errors found on healthy logs: {alarms}.",
        "",
        "| finding | right | too many | missing |",
        "|---|---|---|---|",
        *(
            f"| {one} | {tally.right[one]} | {tally.extra[one]} | {tally.missing[one]} |"
            for one in ids
        ),
    ]
    return "\n".join(lines)


def _of_part(name: str, some: list[Judged]) -> str:
    loud, quiet = whole(some), whole(some, quiet=True)
    healthy = sum(each.entry.healthy for each in some)
    shares = (loud.precision(), loud.recall(), quiet.precision(), quiet.recall())
    return f"| {name} | {len(some)} | {healthy} | {' | '.join(map(_said, shares))} |"


def write_page(text: str) -> None:
    """Put the tables into the page, between its marks."""
    before, rest = PAGE.read_text().split(BEGINS)
    after = rest.split(ENDS)[1]
    PAGE.write_text(f"{before}{BEGINS}\n{text}\n{ENDS}{after}")


def save(judged: list[Judged], name: str) -> None:
    """Write the figures down."""
    figures = {
        kind: {
            "logs": len(some),
            "precision": whole(some).precision(),
            "recall": whole(some).recall(),
            "wrong": {each.entry.file: each.wrong for each in some if each.wrong},
        }
        for kind, some in parts(judged).items()
    }
    now = datetime.now(UTC)
    about = {
        "at": now.isoformat("T", "seconds"),
        "sparkwell": __version__,
        "python": python_version(),
    }
    path = RESULTS / f"{now.date().isoformat()}-{name}.json"
    path.write_text(json.dumps(about | {"kinds": figures}, indent=1) + "\n")


def _count(counter: Counter[str], one: str | None) -> int:
    return counter.total() if one is None else counter[one]


def _share(right: int, wrong: int) -> float | None:
    return right / (right + wrong) if right + wrong else None


def _said(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


if __name__ == "__main__":
    sys.exit(main())
