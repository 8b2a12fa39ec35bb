"""The queue in `sparkwell top`: the models that requests wait for."""

from collections.abc import Mapping
from typing import Any

from sparkwell.cli.top.lines import Column, line, rule, table
from sparkwell.cli.top.sections import Section
from sparkwell.cli.top.words import counted
from sparkwell.core.units import duration

Json = Mapping[str, Any]
_COLUMNS = (
    (Column("MODEL", gives_way=True), 0),
    (Column("WAITING", right=True), 0),
    (Column("OLDEST", right=True), 48),
    (Column("PRIORITY", right=True), 60),
    (Column("TIME LEFT", right=True), 0),
)
"""The columns, and from which width on they are shown."""


def queue(status: Json, width: int) -> Section | None:
    """The models that requests wait for; None when nothing waits."""
    entries = status.get("queue")
    if not entries:
        return None
    waiting = sum(entry.get("waiting") or 0 for entry in entries)
    said = f"  {counted(waiting, 'request')} for {counted(len(entries), 'model')}"
    columns = [column for column, least in _COLUMNS if width >= least]
    rows = [[_waiting(entry)[column.head] for column in columns] for entry in entries]
    lines = table(columns, rows, width)
    title = rule(line(("Queue", "bold"), said), width)
    return Section(title, tuple(lines), least=min(4, 1 + len(lines)), rank=4)


def _waiting(entry: Json) -> dict[str, tuple[str, str]]:
    oldest, left = entry.get("oldest_s"), entry.get("estimated_s")
    priority = entry.get("priority")
    time_left = ("not known", "dim") if left is None else (f"about {duration(left)}", "")
    return {
        "MODEL": (str(entry.get("model")), "bold"),
        "WAITING": (str(entry.get("waiting")), "yellow"),
        "OLDEST": ("" if oldest is None else duration(oldest), ""),
        "PRIORITY": ("" if priority is None else str(priority), ""),
        "TIME LEFT": time_left,
    }
