"""The head of `sparkwell top`: who runs, what is asked of it, how busy the machine is, memory."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from sparkwell.cli.top.figures import asked, machine_words
from sparkwell.cli.top.finding_words import troubles
from sparkwell.cli.top.findings import counts
from sparkwell.cli.top.lines import joined, line, spread
from sparkwell.cli.top.sections import Section
from sparkwell.cli.top.words import UNKNOWN, clock, counted, gib, guard_words, memory_words
from sparkwell.core.units import duration

Json = Mapping[str, Any]
USED, FREE, PROMISED, FLOOR = SIGNS = "█░▒▞"
WIDE = 100
"""Columns from which on the process is named, too."""


def header(status: Json, now: float, width: int, *, live: bool, low: bool) -> Section:
    """Who runs, for how long, what is asked of it, how busy the machine is, and the memory.

    On a ``low`` screen the machine is left out, and findings are only counted.
    """
    words: list[str | tuple[str, str]] = [
        (f"Sparkwell {status.get('version', '')}".strip(), "bold"),
        f"up {duration(status.get('uptime_s') or 0)}",
        f"{status.get('gateway', '')}/v1",
        *([f"process {status.get('pid')}"] if width >= WIDE else []),
    ]
    right = line((clock(now), "bold"), (" · q quits", "dim") if live else "")
    left = joined(words, width - right.cell_len - 3)
    lines = [
        spread(line(" ", left), right, width - 1),
        _work(status, width, low=low),
        *([] if low else _machine(status, width)),
        *_memory(status, width),
    ]
    return Section(None, tuple(lines), least=len(lines), rank=0)


def _work(status: Json, width: int, *, low: bool) -> Text:
    parts: list[str | tuple[str, str]] = [*counts(troubles(status.get("findings")))] if low else []
    if status.get("requests_running") is not None:
        parts.append(f"{counted(status['requests_running'], 'request')} running")
    if status.get("queue") is not None:
        waiting = sum(entry.get("waiting") or 0 for entry in status["queue"])
        parts.append((f"{waiting} waiting", "yellow" if waiting else ""))
    guard = status.get("guard")
    parts += [(guard_words(guard), _guard_style(guard)), *asked(status.get("machine"))]
    return line(" ", joined(parts, width - 1))


def _machine(status: Json, width: int) -> list[Text]:
    """How busy it is; no line where nothing is known."""
    words = machine_words(status.get("machine"))
    return [line(" Machine ", joined(words, width - 9))] if words else []


def _guard_style(guard: Json | None) -> str:
    if guard is None or guard.get("running") is None:
        return "dim"
    if not guard["running"]:
        return "dim" if guard.get("enabled") is False else "bold red"
    return "yellow" if guard.get("protected") is False else ""


def _memory(status: Json, width: int) -> list[Text]:
    memory = status.get("memory") or {}
    words = memory_words(memory)
    if not words:
        return [line(" Memory  ", (UNKNOWN, "dim"))]
    if memory.get("total_bytes") is None or memory.get("available_bytes") is None:
        return [line(" Memory  ", joined(words, width - 9))]
    used = f" {gib(memory['total_bytes'] - memory['available_bytes'])} GiB used"
    drawn = memory_bar(memory, width - 10 - len(used))
    legend = [f"{sign} {said}" for sign, said in zip(SIGNS[1:], words, strict=True)]
    return [line(" Memory  ", drawn, used), line("         ", joined(legend, width - 9))]


def memory_bar(memory: Json, width: int) -> Text:
    """All memory: used, promised by plans beyond that, free, and the guard's floor at the end.

    Each has a character of its own, so that it can be read without colours.
    """
    total = max(1, memory["total_bytes"])
    used = round(width * (total - memory["available_bytes"]) / total)
    promised = round(width * (memory.get("promised_bytes") or 0) / total)
    floor = width - round(width * (memory.get("floor_bytes") or 0) / total)
    return line(*(_cell(place, used, promised, floor) for place in range(max(0, width))))


def _cell(place: int, used: int, promised: int, floor: int) -> tuple[str, str]:
    if place < used:
        return USED, "bold red" if place >= floor else "cyan"
    if place >= floor:
        return FLOOR, "red"
    return (PROMISED, "yellow") if place < promised else (FREE, "dim")
