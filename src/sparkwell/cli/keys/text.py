"""Keys and usage as a person reads them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparkwell.cli.finding_text import plain
from sparkwell.cli.table import table
from sparkwell.cli.times import expiry

Entry = Mapping[str, Any]
_LONGEST = 24
"""Characters of a name in the table, which is as wide as its longest; --json has all."""
_USED = ("REQUESTS", "ERRORS", "PROMPT TOKENS", "OUTPUT TOKENS")


def keys_table(keys: Iterable[Entry]) -> str:
    """One line for each key."""
    when = ("EXPIRES (LOCAL)", "LAST USED (UTC)")  # a day is all that is kept of a use
    head = ("NAME", "STATE", "MODELS", "LIMITS", *when, "SECRET", "ID")
    return table(head, map(_row, keys))


def _row(key: Entry) -> tuple[str, ...]:
    return (
        _shortened(plain(key["name"])),
        key["state"],
        plain(", ".join(key["models"]) or "all"),
        limits(key) or "none",
        _expiry(key) or "never",
        key["last_used"] or "never",
        f"…{key['hint']}",
        key["id"],
    )


def limits(key: Entry) -> str:
    """What a key may, and how soon it is served."""
    said = []
    if key["rpm"] is not None:
        said.append(f"{key['rpm']:,} requests/min")
    if key["tpm"] is not None:
        said.append(f"{key['tpm']:,} tokens/min")
    if key["concurrency"] is not None:
        said.append(f"{key['concurrency']:,} at a time")
    if key["priority"]:
        said.append(f"priority {key['priority']}")
    return ", ".join(said)


def described(key: Entry) -> str:
    """A key in a sentence: what it is for, and until when."""
    models = f"for {', '.join(key['models'])}" if key["models"] else "for all models"
    return plain(", ".join(filter(None, (models, limits(key), _expiry(key)))))


def _expiry(key: Entry) -> str:
    return "" if key["expires_at"] is None else expiry(key["expires_at"])


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


@dataclass(slots=True)
class _Sum:
    requests: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0

    def add(self, entry: Entry) -> None:
        self.requests += entry["requests"]
        self.errors += entry["errors"]
        self.prompt_tokens += entry["prompt_tokens"]
        self.output_tokens += entry["output_tokens"]

    @property
    def cells(self) -> tuple[str, ...]:
        counts = (self.requests, self.errors, self.prompt_tokens, self.output_tokens)
        return tuple(f"{each:,}" for each in counts)


def usage_table(entries: Sequence[Entry]) -> str:
    """What each key used of each model in the whole time, the most tokens first."""
    sums: dict[tuple[str, str], _Sum] = {}
    whole = _Sum()
    for entry in entries:
        who = plain(entry["key"] or entry["key_id"] or "-")
        sums.setdefault((who, plain(entry["model"])), _Sum()).add(entry)
        whole.add(entry)
    ordered = sorted(sums.items(), key=lambda each: (-_tokens(each[1]), -each[1].requests, each[0]))
    rows = [(*who, *used.cells) for who, used in ordered]
    if len(rows) > 1:
        rows.append(("all", "", *whole.cells))
    return table(("KEY", "MODEL", *_USED), right_aligned(("KEY", "MODEL", *_USED), rows))


def _tokens(used: _Sum) -> int:
    return used.prompt_tokens + used.output_tokens


def right_aligned(
    head: Sequence[str], rows: Sequence[Sequence[str]], first: int = 2
) -> list[tuple[str, ...]]:
    """The rows with the columns from ``first`` on as figures: their last digits in one line."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        (*row[:first], *(cell.rjust(widths[first + at]) for at, cell in enumerate(row[first:])))
        for row in rows
    ]
