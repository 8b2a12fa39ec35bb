"""The tables of the pages."""

from collections.abc import Iterable, Sequence
from typing import Any

from sparkwell.bench.expected_tables import beside_table, tables
from sparkwell.bench.run_document import requests_of
from sparkwell.bench.tables import seconds
from sparkwell.planner.graphs import graph_tokens
from speed_pages.runs import Json, Run
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
    """One client and 64, of each model on each GPU with the guide's flags where they were run."""
    head = ["model, GPU, flags", "clients", "output tokens/s", "planned before", "off by"]
    rows = [_overview(Today(run), clients) for run in fronts(runs) for clients in SHOWN]
    last = ["today's plan off by", "of the roofline", "the guides say, of a DGX Spark"]
    return table([[*head, *last], *rows])


def fronts(runs: Iterable[Run]) -> list[Run]:
    """A run of each model on each GPU: that with the guide's flags, or else the first."""
    found: dict[tuple[str, str], Run] = {}
    for run in runs:
        if run.shows_few_and_many and (run.has_guide_flags or (run.model, run.place) not in found):
            found[(run.model, run.place)] = run
    return list(found.values())


def _overview(today: Today, clients: int) -> list[str]:
    run, case = today.run, today.run.clients[clients]
    document = {**run.document, "cases": [case]}
    _, [_, got, planned, off, _, share, guide] = beside_table(document)
    learnt = " ¹" if is_corrected(case) else ""
    now = _off_today(today, case)
    return [run.name, _at_once(case), got, f"{planned}{learnt}", off, now, share, guide]


def _at_once(case: Json) -> str:
    clients, running = case["clients"], case["planned"]["running"]
    return str(clients) if running == clients else f"{clients}, {running} at once"


def _off_today(today: Today, case: Json) -> str:
    planned, got = today.expected(case), case["measured"]["output_tokens_per_s"]["mean"]
    return UNKNOWN if planned is None else f"{planned.tokens_per_s / got - 1:+.0%}"


def first_tokens(runs: Iterable[Run]) -> str:
    """Of one client's short prompts, by the largest CUDA graph."""
    head = ["model, GPU, flags", "graphs up to", "first token, p50", "each request", "today's plan"]
    alone = [run for run in runs if run.suite == "guide" and 1 in run.clients]
    return table([head, *(_first(Today(run), run.clients[1]) for run in alone)])


def _first(today: Today, case: Json) -> list[str]:
    largest = graph_tokens(today.run.document["flags"], today.plan.settings)
    waits = sorted(each["ttft_s"] for repeat in case["repeats"] for each in requests_of(repeat))
    planned = today.expected(case)
    name = today.run.name.partition(", graphs up to")[0]
    return [
        name,
        str(largest),
        seconds(case["measured"]["ttft_p50_s"]["mean"]),
        f"{seconds(waits[0])} to {seconds(waits[-1])} ({len(waits)})",
        UNKNOWN if planned is None or planned.ttft_s is None else seconds(planned.ttft_s),
    ]


def long_contexts(runs: Iterable[Run]) -> str:
    """Every case of the long prompts."""
    head = ["model, GPU, flags", "prompt", "clients", "output tokens/s", "planned"]
    rows = [
        _long(run, case)
        for run in runs
        if run.suite == "long-context" and run.tells
        for case in run.document["cases"]
    ]
    return table([[*head, "first token p50", "planned, of the last"], *rows])


def _long(run: Run, case: Json) -> list[str]:
    _, [_, got, planned, *_] = beside_table({**run.document, "cases": [case]})
    first = case["planned"]["ttft_s"]
    return [
        run.name,
        f"{case['workload']['prompt_tokens']:,}",
        _at_once(case),
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
    for place, (words, rows) in enumerate(tables(run.document)):
        lines += [*([f"{words}:", ""] if place else []), table(rows), ""]
    if any(is_corrected(case) for case in run.document["cases"]):
        lines += ["The plan had learnt from runs before.", ""]
    lines += [
        f"- {case['name']}: {note}" for case in run.document["cases"] for note in case["notes"]
    ]
    return "\n".join(lines).rstrip() + "\n"


def _about(run: Run) -> list[str]:
    document, versions = run.document, run.document["versions"]
    flags = ", ".join(f"{name}={said(value)}" for name, value in document["flags"].items())
    return [
        f"- {run.at}, `{document['command']}`",
        f"- {document['machine']['title']}, {_software(versions)}",
        f"- flags: `{flags}`",
        f"- every request: [runs/{run.file.name}](runs/{run.file.name})",
    ]


def _software(versions: Json) -> str:
    engine = f"{versions['engine']} {versions['engine_version']}"
    return f"{engine}, Sparkwell {versions['sparkwell']}, Python {versions['python']}"


def said(value: Any) -> str:
    """A flag's value."""
    return str(value).lower() if isinstance(value, bool) else str(value)
