"""The picture of runs side by side: a bar for each in every case."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkwell.bench.side_by_side import Row, side_by_side
from sparkwell.cli.picture import LINES, drawn, plain, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Run = Mapping[str, Any]
_PANELS = (
    ("output_tokens_per_s", "Output tokens/s of all together", 1.0),
    ("ttft_p50_s", "Time to the first token, p50, ms", 1e3),
    ("tpot_p50_s", "Time of a later token, p50, ms", 1e3),
)
_GROUP = 0.8
"""Of the distance from case to case; the rest is the gap."""


def draw(names: Sequence[str], runs: Sequence[Run], file: Path) -> None:
    """Write the picture; its format goes by the suffix."""
    with drawn((15, 5)) as figure:
        figure.suptitle(_title(runs[0]), fontsize=13, fontweight="bold")
        panels = figure.subplots(1, len(_PANELS))
        for axes, (name, title, scale) in zip(panels, _PANELS, strict=True):
            axes.set_title(title, loc="left", fontweight="bold")
            _bars(axes, names, side_by_side(runs, [name]), scale)
        panels[0].legend(frameon=False)
        save(figure, file)


def _title(run: Run) -> str:
    machine = run["machine"].get("title") or run["machine"].get("name") or "an unknown machine"
    return f"{run['model']} on {machine}, suite {run['suite']}"


def _bars(axes: "Axes", names: Sequence[str], rows: Sequence[Row], scale: float) -> None:
    """A group for each case; a figure that is not known has no bar."""
    width = _GROUP / len(names)
    for place, name in enumerate(names):
        known = [(at, row.values[place]) for at, row in enumerate(rows)]
        points = [(at, value * scale) for at, value in known if value is not None]
        if points:
            xs, heights = zip(*points, strict=True)
            left = [x - _GROUP / 2 + (place + 0.5) * width for x in xs]
            axes.bar(left, heights, width, color=LINES[place % len(LINES)], label=name)
    axes.set_xticks(range(len(rows)), [row.case for row in rows])
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:,g}")
    plain(axes)
