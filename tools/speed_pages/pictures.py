"""The pictures of docs/benchmarks.md."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from generated import ROOT
from sparkwell.catalog.tuned import Row, Tuned
from sparkwell.cli.bench import plot as bench_plot
from sparkwell.cli.picture import LINES, drawn, plain, save
from speed_pages.runs import Run, title
from speed_pages.tables import SHOWN, is_corrected, rows_of, workloads
from speed_pages.today import Today

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = ROOT / "docs" / "benchmarks"
MODELS, FLAGS = FOLDER / "models.svg", FOLDER / "flags.svg"
Point = tuple[float, int]
"""A value, and its row."""
MEASURED, PLANNED, LIMIT, BEFORE = LINES[0], LINES[1], "#7A7A7A", "#B4B4B4"


def draw(runs: Sequence[Run], overlays: Sequence[Tuned]) -> None:
    """Write all of them."""
    draw_models([run for run in runs if run.shows_few_and_many])
    draw_flags(overlays)
    for run in runs:
        bench_plot.draw(run.document, picture_of(run))


def picture_of(run: Run) -> Path:
    """Of one run."""
    return FOLDER / f"{run.file.stem}.svg"


def draw_models(runs: Sequence[Run]) -> None:
    """Measured, planned and the roofline, of one client and of many."""
    with drawn((13, 1.6 + 0.5 * len(runs))) as figure:
        axes = figure.subplots(1, len(SHOWN), sharey=True)
        figure.suptitle("Prompts of 512 tokens, answers of 256, vLLM 0.25.0")
        for axis, clients in zip(axes, SHOWN, strict=True):
            _speeds(axis, runs, clients)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        save(figure, MODELS)


def _speeds(axes: "Axes", runs: Sequence[Run], clients: int) -> None:
    cases = [run.clients[clients] for run in runs]
    got = [case["measured"]["output_tokens_per_s"] for case in cases]
    means, places = [each["mean"] for each in got], range(len(runs))
    halves = [0.0 if each["low"] is None else each["mean"] - each["low"] for each in got]
    axes.barh(places, means, xerr=halves, capsize=3, color=MEASURED, height=0.55,
              label="measured, with its 95 % interval")  # fmt: skip
    before, today = _planned(runs, clients)
    _mark(axes, before, "D", PLANNED, "planned before")
    _mark(axes, today, "D", PLANNED, "planned today, nothing learnt", facecolor="white")
    limits = [(case["planned"]["limit_tokens_per_s"], at) for at, case in enumerate(cases)]
    _mark(axes, limits, "|", LIMIT, "the hardware's limit (roofline)")
    axes.set_yticks(places, [run.name for run in runs])
    axes.set_ylim(len(runs) - 0.5, -0.5)  # the first on top
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    axes.set_title(_clients(clients), loc="left", fontweight="bold")
    axes.set_xlabel("output tokens a second")
    plain(axes)


def _planned(runs: Sequence[Run], clients: int) -> tuple[list[Point], list[Point]]:
    """Plans that had learnt nothing; for those that had, what the plan of today says."""
    before, today = [], []
    for at, run in enumerate(runs):
        case = run.clients[clients]
        if not is_corrected(case):
            before.append((case["planned"]["tokens_per_s"], at))
        elif found := Today(run).expected(case):
            today.append((found.tokens_per_s, at))
    return before, today


def _mark(
    axes: "Axes", points: Sequence[Point], marker: str, colour: str, label: str, **more: str
) -> None:
    if points:
        axes.scatter(*zip(*points, strict=True), marker=marker, color=colour, zorder=3, label=label,
                     s=260 if marker == "|" else 36, linewidths=2, **more)  # fmt: skip


def _clients(clients: int) -> str:
    return "One client" if clients == 1 else f"{clients} clients at once"


def draw_flags(overlays: Iterable[Tuned]) -> None:
    """Goodput and throughput with the flags from before, and with those that were found."""
    pairs = [(each, name) for each in overlays for name in workloads(each)]
    with drawn((13, 1.6 + 0.75 * len(pairs))) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        figure.suptitle("256 clients at once; good: first token within 2 s")
        _pairs(left, pairs, "goodput", "Good requests a second")
        _pairs(right, pairs, "output_tokens_per_s", "Output tokens a second")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
        save(figure, FLAGS)


def _pairs(axes: "Axes", pairs: Sequence[tuple[Tuned, str]], figure: str, words: str) -> None:
    found = [rows_of(tuned, name).get(figure) for tuned, name in pairs]
    for shift, part, colour, label in (
        (-0.19, "before", BEFORE, "the guide's flags"),
        (0.19, "after", MEASURED, "the profile tuned-goodput"),
    ):  # fmt: skip
        values = [0.0 if row is None else getattr(row, part) or 0.0 for row in found]
        bars = axes.barh([at + shift for at in range(len(pairs))], values, height=0.36,
                         color=colour, label=label)  # fmt: skip
        times = [_times(row) if part == "after" else "" for row in found]
        labels = [_number(value) + more for value, more in zip(values, times, strict=True)]
        axes.bar_label(bars, labels, padding=3)
    axes.set_yticks(range(len(pairs)), [_words(*pair) for pair in pairs])
    axes.set_ylim(len(pairs) - 0.5, -0.5)  # the first on top
    axes.margins(x=0.3)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    axes.set_title(words, loc="left", fontweight="bold")
    plain(axes)


def _times(row: Row | None) -> str:
    """How many times as much, where an interval says that it is another."""
    if row is None or row.ratio is None or row.low is None or row.high is None:
        return ""
    if row.low <= 1 <= row.high:
        return "  (no difference shown)"
    return f"  ({row.ratio:.3g} times)"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _words(tuned: Tuned, workload: str) -> str:
    parts = workload.replace(", 256 clients", "")
    return f"{title(tuned.recipe)}, {tuned.machine.partition('-')[0].upper()}\n{parts}"
