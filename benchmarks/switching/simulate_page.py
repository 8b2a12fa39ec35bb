"""The page and the picture of the simulation, from its results."""

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

THREE = ("Sparkwell", "FIFO", "collation")
COLOURS = ("#0072B2", "#D55E00", "#009E73")
PICTURE = "switching-simulation.svg"
BEGIN, END = "<!-- begin: {} -->", "<!-- end: {} -->"
_LEFT, _BAR, _GAP, _WIDTH, _TOP = 150, 12, 14, 300, 66


def write(document: dict[str, Any], docs: Path) -> None:
    """Put tables and picture in the page; its words stay as they are."""
    page = docs / "switching-simulation.md"
    text = page.read_text(encoding="utf-8")
    parts = {
        "run": _run(document),
        "policies": policies(document["results"]),
        "settings": settings(document["results"]),
    }
    for name, part in parts.items():
        text = _replaced(text, name, part)
    page.write_text(text, encoding="utf-8")
    (docs / "images" / PICTURE).write_text(picture(document["results"]), encoding="utf-8")


def policies(results: list[dict[str, Any]]) -> str:
    """The three policies side by side, trace by trace."""
    head = [
        "trace",
        "policy",
        "requests",
        "swaps",
        "p50",
        "p95",
        "longest",
        "p95 of the worst-off model",
    ]
    rows = [_row([*head, "over 600 s", "refused", "served an hour"]), _row(["---"] * 11)]
    for each in results:
        if each["policy"] in THREE:
            name = each["trace"] if each["policy"] == THREE[0] else ""
            rows.append(_row([name, each["policy"], f"{each['sent']:,}", *_figures(each)]))
    return "\n".join(rows)


def settings(results: list[dict[str, Any]]) -> str:
    """Sparkwell with one setting changed: p50 and p95 in seconds, and what contention leaves."""
    names = list(dict.fromkeys(each["trace"] for each in results))
    rows = [_row(["setting", *names, "served an hour, alternation, closed"])]
    rows.append(_row(["---"] * (len(names) + 2)))
    ours = [each for each in results if each["policy"].startswith(THREE[0])]
    for policy in dict.fromkeys(each["policy"] for each in ours):
        mine = {each["trace"]: each for each in ours if each["policy"] == policy}
        cells = [f"{mine[name]['p50_s']:.0f} / {mine[name]['p95_s']:.0f}" for name in names]
        label = policy.partition(", ")[2] or "as it is"
        rows.append(_row([label, *cells, f"{mine['alternation, closed']['served_per_hour']:,.0f}"]))
    return "\n".join(rows)


def picture(results: list[dict[str, Any]]) -> str:
    """Two charts: swaps for 100 served requests, and the p95 of the worst-off model."""
    found = [each for each in results if each["policy"] in THREE]
    names = list(dict.fromkeys(each["trace"] for each in found))
    height = _TOP + len(names) * (3 * _BAR + _GAP) + 10
    width = _LEFT + 2 * (_WIDTH + 90)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    font = 'font-family="DejaVu Sans, sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    charts = (
        ("swaps for 100 served requests", 100.0, lambda e: 100 * e["swaps"] / max(1, e["served"])),
        ("p95 wait of the worst-off model, s", 1800.0, lambda e: e["worst_p95_s"]),
    )
    for column, (title, most, value) in enumerate(charts):
        left = _LEFT + column * (_WIDTH + 90)
        parts.append(f'<text x="{left}" y="52" font-weight="bold">{title}</text>')
        for place, name in enumerate(names):
            top = _TOP + place * (3 * _BAR + _GAP)
            if column == 0:
                middle = top + 1.5 * _BAR + 4
                parts.append(
                    f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>'
                )
            mine = [each for each in found if each["trace"] == name]
            parts += _bars(mine, value, most, left, top)
    return "\n".join([*parts, "</svg>", ""])


def _bars(mine: list[dict[str, Any]], value: Any, most: float, left: int, top: int) -> list[str]:
    parts = []
    for number, each in enumerate(mine):
        figure = value(each)
        length = max(1.0, _WIDTH * min(1.0, figure / most))
        y = top + number * _BAR
        colour = COLOURS[THREE.index(each["policy"])]
        parts.append(
            f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
        )
        shown = f"{figure:.1f}" if figure < 10 else f"{figure:.0f}"
        parts.append(f'<text x="{left + length + 4:.1f}" y="{y + 9}">{shown}</text>')
    return parts


def _legend() -> list[str]:
    parts = []
    for number, (name, colour) in enumerate(zip(THREE, COLOURS, strict=True)):
        x = _LEFT + number * 110
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{x + 18}" y="24">{name}</text>')
    return parts


def _figures(each: dict[str, Any]) -> list[str]:
    waits = [each["p50_s"], each["p95_s"], each["max_s"], each["worst_p95_s"]]
    shown = [f"{wait:.0f} s" for wait in waits]
    counts = [f"{each['starved']:,}", f"{each['refused']:,}", f"{each['served_per_hour']:,.0f}"]
    return [str(each["swaps"]), *shown, *counts]


def _run(document: dict[str, Any]) -> str:
    rules = ", ".join(f"`{name}` {value:g}" for name, value in document["policy"].items())
    return (
        f"Run on {document['date']}, {document['machine']}, with "
        f"`.venv/bin/python benchmarks/switching/simulate.py`; Sparkwell's settings: {rules}."
    )


def _replaced(text: str, name: str, part: str) -> str:
    begin, end = BEGIN.format(name), END.format(name)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n\n{part}\n\n{end}{after}"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
