"""The rows of measure.py as tables and a picture: ``report.py ROWS.jsonl... [--plot OUT.svg]``."""

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
WAYS = {
    "cold-empty": "cold, empty caches",
    "cold-kept": "cold, kept caches",
    "sleep-2-unread": "sleep level 2, checkpoint not in the page cache",
    "sleep-2": "sleep level 2, checkpoint in the page cache",
    "sleep-1": "sleep level 1",
}
STARTS = {
    "cold-empty": "empty caches",
    "cold-kept": "kept caches",
    "start-with-sleep-mode-empty": "sleep mode, empty caches",
    "start-with-sleep-mode-kept": "sleep mode, caches kept without it",
}
PHASES = ("launch", "init", "weights", "compile", "profile", "graphs", "warm-up")
WHOLE = "request_to_first_token_s"
DASH = "\u2013"


def main() -> None:
    """Print the tables; draw the picture when it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="+", type=Path)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    rows = [json.loads(line) for file in given.rows for line in file.read_text().splitlines()]
    for row in rows:
        if row["case"] in ("about", "failed", "skipped"):
            print(json.dumps(row))
    print(ways(rows), starts(rows), sep="\n\n")
    if given.plot:
        plot(rows, given.plot)


def of(rows: Iterable[Row], case: str) -> list[Row]:
    """The rows of one case; of a start with sleep mode, those with such caches."""
    return [row for row in rows if "-".join([row["case"], *caches(row)]) == case]


def caches(row: Row) -> list[str]:
    """What was in the caches, where the case does not say it."""
    return [row["caches"]] if "caches" in row else []


def seconds(rows: Sequence[Row], *keys: str) -> str:
    """The median of a figure and, of several, the least and the most."""
    figures = [figure for row in rows if (figure := value(row, *keys)) is not None]
    if not figures:
        return DASH
    middle = f"{statistics.median(figures):.2f}"
    spread = f" ({min(figures):.2f}{DASH}{max(figures):.2f})" if len(figures) > 1 else ""
    return middle + spread


def value(row: Row, *keys: str) -> float | None:
    """A figure inside of a row; None where it is not."""
    found: Any = row
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def ways(rows: Sequence[Row]) -> str:
    """One line a way back, in Markdown; seconds."""
    head = ["way back", "n", "request to first token", "stopped or asleep after"]
    lines = [[*head, "GPU held meanwhile", "host memory taken"]]
    for case, title in WAYS.items():
        if own := of(rows, case):
            room = seconds(own, "stop_s" if "stop_s" in own[0] else "sleep_s")
            line = [title, str(len(own)), seconds(own, WHOLE), room, gibibytes(own, asleep)]
            lines.append([*line, gibibytes(own, taken)])
    return markdown(lines)


def asleep(row: Row) -> int | None:
    """What stayed on the GPU; None for an engine that ended."""
    return row.get("gpu_asleep_bytes")


def taken(row: Row) -> int | None:
    """What falling asleep took of the host's memory."""
    after, before = row.get("host_used_asleep_bytes"), row.get("host_used_bytes")
    return None if after is None or before is None else max(after - before, 0)


def gibibytes(rows: Sequence[Row], figure: Any) -> str:
    """The most of a figure, in GiB."""
    known = [found for row in rows if (found := figure(row)) is not None]
    return f"{max(known) / 2**30:.1f} GiB" if known else DASH


def starts(rows: Sequence[Row]) -> str:
    """One line a kind of start with its phases, in Markdown; medians in seconds."""
    lines = [["start", "n", "whole", *PHASES]]
    for case, title in STARTS.items():
        if own := of(rows, case):
            keys = [(WHOLE,), *(("phases", phase) for phase in PHASES)]
            lines.append([title, str(len(own)), *(seconds(own, *key).split()[0] for key in keys)])
    return markdown(lines)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table; its first line is the head."""
    head, *rest = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *rest])


def plot(rows: Sequence[Row], out: Path) -> None:
    """Bars on a logarithmic axis: the median of each way back, each repetition as a dot."""
    import matplotlib as mpl  # noqa: PLC0415 - only a picture needs it
    from matplotlib import pyplot  # noqa: PLC0415

    mpl.rcParams["svg.hashsalt"] = "switching"  # the same rows, the same file
    cases = [case for case in reversed(WAYS) if of(rows, case)]
    every = [[row[WHOLE] for row in of(rows, case)] for case in cases]
    figure, axes = pyplot.subplots(figsize=(9, 0.6 * len(cases) + 1.2))
    for at, times in enumerate(every):
        middle = statistics.median(times)
        axes.barh(at, middle, color="#4477aa", height=0.6)
        axes.plot(times, [at] * len(times), "o", color="#222222", markersize=3)
        axes.text(max(times) * 1.15, at, f"{middle:.3g} s", va="center")
    axes.set_yticks(range(len(cases)), [WAYS[case].replace(", ", ",\n") for case in cases])
    axes.set_xscale("log")
    axes.set_xlim(left=0.1, right=max(max(times) for times in every) * 3)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("seconds from the request to its first token (bar: median, dot: each time)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
