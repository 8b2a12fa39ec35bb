"""The columns of the models in `sparkwell top`: which a screen has room for, and their cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from sparkwell.cli.top.figures import figures_of, rate, share, short_time
from sparkwell.cli.top.lines import GAP, LEAST, Column
from sparkwell.cli.top.words import brief, engine, gib, serving

Json = Mapping[str, Any]
Cell = tuple[str, str]
STATE_STYLES = {
    "ready": "green",
    "starting": "yellow",
    "waking": "yellow",
    "draining": "yellow",
    "stopping": "yellow",
    "sleeping": "blue",
    "asleep": "blue",
    "failed": "bold red",
}
MODEL = "MODEL"
COLUMNS = (
    Column("MODEL", gives_way=True),
    Column("STATE", least=8),
    Column("REQ", right=True),
    Column("WAIT", right=True),
    Column("TOK/S", right=True),
    Column("TTFT P95", right=True),
    Column("KV", right=True, least=5),
    Column("PLAN", right=True, least=5),
    Column("PROMPT/S", right=True),
    Column("IDLE", right=True, least=7),
    Column("LOADED", right=True, least=7),
    Column("HOLDS", right=True, least=9),
    Column("ENGINE"),
    Column("PINNED"),
    Column("RUNS AS", gives_way=True, least=16),
)
"""In the order in which they stand. Figures come and go: their columns stay as wide as they are."""
FIGURES = ("WAIT", "TOK/S", "TTFT P95", "KV", "PLAN", "PROMPT/S")
"""The columns of what the monitor measures; a daemon without it has none of them."""
USEFUL = (
    *("STATE", "REQ", "TOK/S", "KV", "TTFT P95", "HOLDS", "IDLE", "LOADED", "PLAN", "WAIT"),
    *("ENGINE", "PINNED", "PROMPT/S", "RUNS AS"),
)
"""The most useful first: the others are left out where there is no room."""


@dataclass(frozen=True, slots=True)
class Models:
    """The columns that there is room for, and a row of cells for each instance."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]


def laid_out(entries: Sequence[Json], now: float, width: int) -> Models:
    """As many of the columns as ``width`` has room for; ``now`` is Unix seconds."""
    cells: list[Mapping[str, Cell]] = [_cells(entry, now) for entry in entries]
    measured = any("figures" in entry for entry in entries)
    names = [name for name in USEFUL if measured or name not in FIGURES]
    chosen = _chosen(names, cells, width)
    if "PINNED" not in chosen:
        cells = [_pinned_as_idle(row) for row in cells]
    columns = [column for column in COLUMNS if column.head in chosen]
    return Models(columns, [[row[column.head] for column in columns] for row in cells])


def _chosen(names: Sequence[str], cells: Sequence[Mapping[str, Cell]], width: int) -> set[str]:
    by_name = {column.head: column for column in COLUMNS}
    longest = max((cell_len(row[MODEL][0]) for row in cells), default=0)
    used = 1 + max(LEAST, min(longest, width * 3 // 10))  # longer names give way to figures
    chosen = {MODEL}
    for name in names:
        used += len(GAP) + _wide(by_name[name], cells)
        if used > width and name != "STATE":
            break
        chosen.add(name)
    return chosen


def _wide(column: Column, cells: Sequence[Mapping[str, Cell]]) -> int:
    widest = max((cell_len(row[column.head][0]) for row in cells), default=0)
    return max(len(column.head), column.least, LEAST if column.gives_way else widest)


def _pinned_as_idle(row: Mapping[str, Cell]) -> Mapping[str, Cell]:
    return {**row, "IDLE": ("pinned", "")} if row["PINNED"][0] else row


def _cells(entry: Json, now: float) -> dict[str, Cell]:
    state, count, held = str(entry.get("state")), serving(entry), entry.get("held_bytes")
    return {
        "MODEL": (str(entry.get("model")), "bold"),
        "STATE": (state, STATE_STYLES.get(state, "")),
        "REQ": ("" if count is None else str(count), "cyan" if count else ""),
        "IDLE": ("" if count else brief(entry.get("idle_s")), ""),
        "LOADED": (brief(_resident_s(entry, now)), ""),
        "HOLDS": ("not known", "dim") if held is None else (f"{gib(held)} GiB", ""),
        "ENGINE": (engine(entry), ""),
        "PINNED": ("yes" if entry.get("pinned") else "", ""),
        "RUNS AS": (str(entry.get("container") or entry.get("driver") or ""), ""),
        **_figures(figures_of(entry)),
    }


def _figures(figures: Json) -> dict[str, Cell]:
    output, waiting = figures.get("output_tokens_per_s"), figures.get("waiting")
    return {
        "WAIT": ("" if waiting is None else f"{waiting:.0f}", "yellow" if waiting else ""),
        "TOK/S": (rate(output), "cyan" if output else ""),
        "TTFT P95": (short_time(figures.get("ttft_p95_s")), ""),
        "KV": (share(figures.get("kv_used")), ""),
        "PLAN": (share(figures.get("plan_share")), ""),
        "PROMPT/S": (rate(figures.get("prompt_tokens_per_s")), ""),
    }


def _resident_s(entry: Json, now: float) -> float | None:
    """Seconds since it was ready; counted here where the daemon does not say."""
    ready_at = (entry.get("phases") or {}).get("ready")
    if "resident_s" in entry or ready_at is None or entry.get("state") != "ready":
        resident: float | None = entry.get("resident_s")
        return resident
    return float(now - ready_at)
