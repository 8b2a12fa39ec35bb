"""Write docs/accuracy.md from the measured starts and the planner: `make docs`.

With --check nothing is written: the exit status is 1 when the file is not what it should be.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from accuracy import speeds
from accuracy.pairs import Pair, calibrated, calibrations
from accuracy.peers import formulas, peer_summary, peers
from accuracy.rows import (
    FLAGS_HEAD,
    Row,
    flags,
    gib,
    largest,
    percent,
    rows,
    table,
    typical,
)
from fit_overhead import cases, lines, shown
from generated import bring_up_to_date
from sparkwell.planner.starts import Session, left_out

FILE = Path(__file__).parent.parent / "docs" / "accuracy.md"
TEMPLATE = Path(__file__).parent / "accuracy" / "page.md"
NOTE = (
    "<!-- Written by tools/accuracy_docs.py from the code: change that, then run `make docs`. -->"
)


def summary(found: Sequence[Row], pairs: Sequence[Pair]) -> str:
    """The page's first table."""
    awake = [row for row in found if not row.settings.sleep_mode]
    weights = [row.weights_error for row in found if row.weights_error is not None]
    same = [pair.error for pair in pairs if not pair.warms]
    warmed = [pair.error for pair in pairs if pair.warms]
    held = [row for row in found if row.case.start.held_bytes]
    lists = (
        ("KV tokens, fitted on all", [row.error for row in found]),
        ("KV tokens, leave one model out", [row.left_out_error for row in found]),
        ("the same without sleep mode", [row.left_out_error for row in awake]),
        ("KV tokens, calibrated by a start of the same kind", same),
        ("KV tokens, calibrated by one that compiled, for one that did not", warmed),
        ("weights", weights),
        ("all that is held under load", [held_error(row) for row in held]),
    )
    return table(
        ("error of", "starts", "median", "largest"),
        ((name, str(len(errors)), typical(errors), largest(errors)) for name, errors in lists),
    )


def sessions(found: Sequence[Row]) -> str:
    """Machine, software, date and source of each session."""
    every: dict[Session, int] = {}
    for row in found:
        session = row.case.start.session
        every[session] = every.get(session, 0) + 1
    return table(
        ("machine", "as", "starts", "software", "date", "source"),
        (
            (each.what, f"`{each.machine}`", str(count), each.software, each.date, each.source)
            for each, count in every.items()
        ),
    )


def all_starts(found: Sequence[Row]) -> str:
    """Planned beside measured, start by start."""
    head = ("machine", *FLAGS_HEAD, "measured", "planned", "error", "left out", "weights")
    return table(
        head,
        (
            (
                row.case.start.session.machine,
                *flags(row),
                f"{row.tokens:,}",
                f"{row.planned.kv_tokens:,}",
                percent(row.error),
                percent(row.left_out_error),
                percent(row.weights_error),
            )
            for row in found
        ),
    )


def by_model(found: Sequence[Row]) -> str:
    """The largest errors of each model."""
    models = sorted({row.case.start.model for row in found})
    groups = [(name, [row for row in found if row.case.start.model == name]) for name in models]
    return table(
        ("model", "starts", "largest error", "largest when left out"),
        (
            (
                name,
                str(len(group)),
                largest([row.error for row in group]),
                largest([row.left_out_error for row in group]),
            )
            for name, group in groups
        ),
    )


def held_error(row: Row) -> float:
    """Of all that the engine holds."""
    return row.planned.held / (row.case.start.held_bytes or 1) - 1


def held(found: Sequence[Row]) -> str:
    """Planned and measured use of the whole GPU."""
    return table(
        ("model", "utilization", "measured", "planned", "error"),
        (
            (
                row.case.start.model,
                f"{row.settings.utilization:.2f}",
                gib(row.case.start.held_bytes or 0),
                gib(row.planned.held),
                percent(held_error(row), 1),
            )
            for row in found
            if row.case.start.held_bytes
        ),
    )


def coefficients() -> str:
    """The table of the fit."""
    return table(
        ("coefficient", "in the code", "fit", "starts that say something", "what they say"),
        (
            (
                f"`{line.name}`",
                shown(line.name, line.code),
                shown(line.name, line.fit) if line.fitted else "set",
                str(line.starts),
                f"{shown(line.name, line.low)} to {shown(line.name, line.high)}",
            )
            for line in lines(cases())
        ),
    )


def not_compared() -> str:
    """The starts that brought no figure."""
    return "; ".join(
        f"`{each.model}` on `{each.machine}` with {each.flags['max_num_batched_tokens']} batched "
        f"tokens and {each.flags['max_num_seqs']} sequences, {each.why}"
        for each in left_out()
    )


NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight")


def page() -> str:
    """The whole page."""
    every = rows()
    found = [row for row in every if not row.case.start.session.fitted]
    spark = [row for row in every if row.case.start.session.fitted]
    pairs = calibrations(found)
    loaded = [row for row in found if row.case.start.held_bytes]
    return TEMPLATE.read_text(encoding="utf-8").format(
        note=NOTE,
        summary=summary(found, pairs),
        new=NUMBERS[sum("compilation_config" in row.case.start.flags for row in found)],
        fitted=" and ".join(sorted({f"`{row.case.start.session.machine}`" for row in spark})),
        sessions=sessions(every),
        left_out=f"{not_compared()}.",
        starts=all_starts(found),
        models=by_model(found),
        calibrated=calibrated(pairs),
        cold=typical([max((pair.error for pair in pairs if pair.warms), key=abs)]),
        held=held(found),
        under=gib(max((row.case.start.held_bytes or 0) - row.planned.held for row in loaded)),
        spark=all_starts(spark),
        formulas=formulas(),
        peer_summary=peer_summary(found),
        peers=peers(every),
        coefficients=coefficients(),
        speed_summary=speeds.summary(),
        speeds=speeds.every(),
        speed_sources=speeds.sources(),
        versions=" and ".join(sorted({row.case.start.session.engine_version for row in every})),
    )


if __name__ == "__main__":
    sys.exit(bring_up_to_date({FILE: page()}, sys.argv[1:]))
