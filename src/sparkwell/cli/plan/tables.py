"""Tables of `sparkwell plan`: one model at several contexts, several models on one machine."""

from collections.abc import Sequence
from typing import Any

import click

from sparkwell.cli.plan.text import flag_lines
from sparkwell.cli.table import table
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.contexts import ContextRow
from sparkwell.planner.placement import Entry, Placement
from sparkwell.planner.question import Question


def contexts_page(question: Question, rows: Sequence[ContextRow]) -> str:
    """What each context takes, how many sequences of it fit, and how fast one is."""
    q = question
    head = f"{q.described.name} on {q.machine.name}, vLLM {q.rules.version}; else with"
    others = {name: value for name, value in q.flags.items() if name != "max_model_len"}
    titles = ("CONTEXT", "KV CACHE", "SEQUENCES", "ONE STREAM", "")
    return f"{head}\n{flag_lines(others)}\n\n{table(titles, [_context(row) for row in rows])}"


def _context(row: ContextRow) -> tuple[str, ...]:
    speed = "unknown" if row.tokens_per_s is None else f"{row.tokens_per_s:.1f} tokens/s"
    size = f"{row.kv_bytes / GIB:.2f} GiB"
    return (f"{row.context:,}", size, f"{row.sequences:.2f}", speed, _note(row))


def _note(row: ContextRow) -> str:
    if row.scaling is None:
        return click.style("beyond what the model takes", fg="red")
    if not row.fits:
        return click.style("does not fit", fg="red")
    return f"YaRN, factor {row.scaling}" if row.scaling > 1 else ""


def contexts_json(question: Question, rows: Sequence[ContextRow]) -> dict[str, Any]:
    """The same as a document."""
    keys = ("context", "kv_bytes", "sequences", "fits", "tokens_per_s", "scaling")
    return {
        "model": question.described.name,
        "hardware": question.machine.name,
        "engine": {"name": question.rules.engine, "version": question.rules.version},
        "flags": dict(question.flags),
        "contexts": [{key: getattr(row, key) for key in keys} for row in rows],
    }


def placement_page(placement: Placement, machine: Machine) -> str:
    """Who gets what, and why not if they do not fit together."""
    verdict = click.style("all fit", fg="green", bold=True)
    if not placement.fits:
        verdict = click.style("they do not fit together", fg="red", bold=True)
    rows = [_entry(entry) for entry in placement.entries]
    lines = [f"{len(rows)} models on {machine.name}: {verdict}", ""]
    lines.append(table(("MODEL", "HOLDS", "UTILIZATION", "KV CACHE", "CONTEXT"), rows))
    held = sum(entry.held_bytes for entry in placement.entries)
    lines += ["", f"Together {held / GIB:.1f} of {placement.free_bytes / GIB:.1f} GiB."]
    lines += [click.style(placement.why_not, fg="red")] if placement.why_not else []
    lines += [f"  - {each.remedy}" for each in placement.advice if each.remedy]
    return "\n".join(lines)


def _entry(entry: Entry) -> tuple[str, ...]:
    size = f"{entry.held_bytes / GIB:.1f} GiB"
    if entry.memory is None:
        return (entry.name, size, "", "", "")
    share = entry.flags.get("gpu_memory_utilization", "")
    tokens = f"{entry.memory.kv_tokens:,} tokens"
    times = f"{entry.memory.max_concurrency:.1f} x {entry.memory.context:,}"
    return (entry.name, size, str(share), tokens, times)


def placement_json(placement: Placement, machine: Machine) -> dict[str, Any]:
    """The same as a document."""
    return {
        "hardware": machine.name,
        "fits": placement.fits,
        "why_not": placement.why_not,
        "advice": [{"id": each.id, "remedy": each.remedy} for each in placement.advice],
        "free_bytes": placement.free_bytes,
        "models": [_entry_json(entry) for entry in placement.entries],
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    memory = entry.memory
    return {
        "model": entry.name,
        "fits": entry.fits,
        "held_bytes": entry.held_bytes,
        "flags": entry.flags,
        "kv_cache_tokens": memory.kv_tokens if memory else None,
        "max_concurrency": round(memory.max_concurrency, 2) if memory else None,
    }
