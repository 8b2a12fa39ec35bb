"""The tables of the pages."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from sparkwell.bench.expected_tables import beside_table, tables
from sparkwell.bench.tables import plain, seconds
from sparkwell.catalog.tuned import Row, Tuned
from speed_pages.runs import Json, Run, title
from speed_pages.today import Today

SHOWN = (1, 64)
"""Clients in the overview."""
UNKNOWN = "-"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Markdown, of a head and rows."""
    head, *body = [list(row) for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def overview(runs: Iterable[Run]) -> str:
    """One client and 64, of each model with each set of flags."""
    head = [
        "model, GPU, flags",
        "clients",
        "output tokens/s",
        "planned",
        "off by",
        "today",
        "of the roofline",
    ]
    rows = [
        _overview(Today(run), clients)
        for run in runs
        if run.suite == "guide" and run.tells
        for clients in SHOWN
        if clients in run.clients
    ]
    return table([[*head, "first token p50", "the guide, of a DGX Spark"], *rows])


def _overview(today: Today, clients: int) -> list[str]:
    run, case = today.run, today.run.clients[clients]
    document = {**run.document, "cases": [case]}
    _, [_, got, planned, off, _, share, guide] = beside_table(document)
    learnt = " ¹" if is_corrected(case) else ""
    now = _off_today(today, case)
    wait = seconds(case["measured"]["ttft_p50_s"]["mean"])
    return [run.name, str(clients), got, f"{planned}{learnt}", off, now, share, wait, guide]


def _off_today(today: Today, case: Json) -> str:
    planned, got = today.expected(case), case["measured"]["output_tokens_per_s"]["mean"]
    return UNKNOWN if planned is None else f"{planned.tokens_per_s / got - 1:+.0%}"


def long_contexts(runs: Iterable[Run]) -> str:
    """Every case of the long prompts."""
    head = ["model, GPU, flags", "prompt", "clients", "output tokens/s", "planned"]
    rows = [
        _long(run, case)
        for run in runs
        if run.suite == "long-context" and run.tells
        for case in run.document["cases"]
    ]
    return table([[*head, "first token p50", "planned"], *rows])


def _long(run: Run, case: Json) -> list[str]:
    _, [_, got, planned, *_] = beside_table({**run.document, "cases": [case]})
    running, clients, first = case["planned"]["running"], case["clients"], case["planned"]["ttft_s"]
    return [
        run.name,
        f"{case['workload']['prompt_tokens']:,}",
        f"{clients}" if running == clients else f"{clients}, {running} at once",
        got,
        planned,
        seconds(case["measured"]["ttft_p50_s"]["mean"]),
        UNKNOWN if first is None else seconds(first),
    ]


def is_corrected(case: Json) -> bool:
    """Whether the plan had learnt from a run before."""
    planned = case["planned"] or {}
    return bool((planned.get("pace") or {}).get("cases"))


def whole(run: Run) -> str:
    """Everything of a run: where, how, what came, what was expected."""
    lines = [f"## {run.name}: `{run.suite}`", "", *_about(run), ""]
    for place, (said, rows) in enumerate(tables(run.document)):
        lines += [*([f"{said}:", ""] if place else []), table(rows), ""]
    if any(is_corrected(case) for case in run.document["cases"]):
        lines += ["The plan had learnt from runs before.", ""]
    lines += [
        f"- {case['name']}: {note}" for case in run.document["cases"] for note in case["notes"]
    ]
    return "\n".join(lines).rstrip() + "\n"


def _about(run: Run) -> list[str]:
    document, versions = run.document, run.document["versions"]
    flags = ", ".join(f"{name}={_value(value)}" for name, value in document["flags"].items())
    return [
        f"- {run.at}, `{document['command']}`",
        f"- {document['machine']['title']}, {_software(versions)}",
        f"- flags: `{flags}`",
        f"- every request: [runs/{run.file.name}](runs/{run.file.name})",
    ]


def _software(versions: Json) -> str:
    engine = f"{versions['engine']} {versions['engine_version']}"
    return f"{engine}, Sparkwell {versions['sparkwell']}, Python {versions['python']}"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def gains(overlays: Iterable[Tuned]) -> str:
    """What tuned flags changed, workload by workload."""
    head = ["model, GPU, goal", "workload", "good", "good requests/s", "ratio"]
    rows = [_gain(each, name) for each in overlays for name in workloads(each)]
    return table([[*head, "output tokens/s", "ratio"], *rows])


def workloads(tuned: Tuned) -> list[str]:
    """In the order of the check."""
    return list(dict.fromkeys(row.workload for row in tuned.evidence.rows))


def rows_of(tuned: Tuned, workload: str) -> dict[str, Row]:
    """By figure."""
    return {row.figure: row for row in tuned.evidence.rows if row.workload == workload}


def _gain(tuned: Tuned, workload: str) -> list[str]:
    found = rows_of(tuned, workload)
    share, good, output = (
        found.get(each) for each in ("good_share", "goodput", "output_tokens_per_s")
    )
    kept = UNKNOWN if share is None else f"{share.before or 0:.0%} → {share.after or 0:.0%}"
    name = f"{title(tuned.recipe)}, {tuned.machine.partition('-')[0].upper()}, {tuned.goal}"
    return [name, workload, kept, *_change(good), *_change(output)]


def _change(row: Row | None) -> list[str]:
    if row is None:
        return [UNKNOWN, UNKNOWN]
    return [f"{_rate(row.before)} → {_rate(row.after)}", _ratio(row)]


def _rate(value: float | None) -> str:
    return UNKNOWN if value is None else plain(value)


def _ratio(row: Row) -> str:
    if row.ratio is None:
        return UNKNOWN
    if row.low is None or row.high is None:
        return f"{row.ratio:.2f}"
    said = f"{row.ratio:.3g} ({row.low:.3g} to {row.high:.3g})"
    return f"**{said}**" if row.low > 1 or row.high < 1 else said


def flags(overlays: Iterable[Tuned]) -> str:
    """Which flags differ, and where the evidence is."""
    head = ["model, GPU, goal", "flags before", "flags after", "searched, or measured, with"]
    return table([head, *map(_flags, overlays)])


def _flags(tuned: Tuned) -> list[str]:
    differ = [
        name
        for name in {**tuned.before, **tuned.flags}
        if tuned.before.get(name) != tuned.flags.get(name)
    ]
    before, found = (
        ", ".join(f"`{name}={_value(of[name])}`" for name in differ if name in of) or UNKNOWN
        for of in (tuned.before, tuned.flags)
    )
    name = f"{title(tuned.recipe)}, {tuned.machine.partition('-')[0].upper()}, {tuned.goal}"
    day = time.strftime("%Y-%m-%d", tuned.evidence.date.timetuple())
    return [
        name,
        before,
        found,
        f"{day}, {tuned.evidence.trials} starts: `{tuned.evidence.command}`",
    ]
