"""The pictures of docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from generated import ROOT
from sparkwell.catalog.tuned import Row, Tuned
from sparkwell.cli.bench import plot as bench_plot
from sparkwell.cli.picture import LINES, drawn, plain, save
from speed_pages.runs import Json, Run, title
from speed_pages.tables import SHOWN, fronts
from speed_pages.today import Today
from speed_pages.tuned_tables import rows_of, workloads

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = ROOT / "docs" / "benchmarks"
MODELS, FLAGS = FOLDER / "models.svg", FOLDER / "flags.svg"
FAR = 3
"""Ends of an interval, the larger over the smaller: a ratio says nothing then."""
MEASURED, PLANNED, BEFORE = LINES[0], LINES[1], "#B4B4B4"


def draw(runs: Sequence[Run], overlays: Sequence[Tuned]) -> None:
    """Write all of them."""
    draw_models(fronts(runs))
    draw_flags(overlays)
    for run in runs:
        bench_plot.draw(run.document, picture_of(run))


def picture_of(run: Run) -> Path:
    """Of one run."""
    return FOLDER / f"{run.file.stem}.svg"


def draw_models(runs: Sequence[Run]) -> None:
    """Measured and planned, of one client and of many, as shares of the hardware's limit."""
    with drawn((13, 1.8 + 0.55 * len(runs))) as figure:
        axes = figure.subplots(1, len(SHOWN), sharey=True)
        figure.suptitle("Output tokens a second; prompts of 512 tokens, answers of 256")
        for axis, clients in zip(axes, SHOWN, strict=True):
            _speeds(axis, [Today(run) for run in runs], clients)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=3,
                      frameon=False)  # fmt: skip
        save(figure, MODELS)


def _speeds(axes: "Axes", runs: Sequence[Today], clients: int) -> None:
    shares = [_share(today, today.run.clients[clients]) for today in runs]
    axes.scatter([each.planned for each in shares], range(len(runs)), marker="D", color=PLANNED,
                 zorder=3, s=36, label="today's plan, nothing learnt")  # fmt: skip
    axes.barh(range(len(runs)), [each.got for each in shares], color=MEASURED, height=0.55,
              xerr=[each.half for each in shares], capsize=3,
              label="measured, with its 95 % interval")  # fmt: skip
    for at, each in enumerate(shares):
        axes.text(each.end + 0.03, at, each.said, va="center")
    axes.set_yticks(range(len(runs)), [today.run.name for today in runs])
    axes.set_ylim(len(runs) - 0.5, -0.5)  # the first on top
    axes.set_xlim(0, 1.2)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:.0%}")
    axes.set_title(_clients(clients), loc="left", fontweight="bold")
    axes.set_xlabel("of the hardware's limit (roofline)")
    plain(axes)


@dataclass(frozen=True)
class Share:
    """Tokens a second over the roofline; ``half`` of the interval, ``said`` in tokens a second."""

    got: float
    half: float
    planned: float
    said: str

    @property
    def end(self) -> float:
        """Of what is drawn."""
        return max(self.got + self.half, self.planned)


def _share(today: Today, case: Json) -> Share:
    found, expected = case["measured"]["output_tokens_per_s"], today.expected(case)
    if expected is None:
        raise SystemExit(f"{today.run.file.name} has no plan")
    most, mean = expected.limit_tokens_per_s, found["mean"]
    half = 0.0 if found["low"] is None else mean - found["low"]
    waits = "" if expected.running == case["clients"] else f" ({expected.running} run)"
    return Share(
        mean / most, half / most, expected.tokens_per_s / most, f"{_number(mean)} tokens/s{waits}"
    )


def _clients(clients: int) -> str:
    return "One client" if clients == 1 else f"{clients} clients"


def draw_flags(overlays: Sequence[Tuned]) -> None:
    """Goodput and throughput with the flags from before, and with those that were found."""
    pairs = [(each, name) for each in overlays for name in workloads(each)]
    with drawn((13, 1.6 + 0.75 * len(pairs))) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        places = sorted({each.machine.partition("-")[0].upper() for each in overlays})
        figure.suptitle(f"256 clients, 512 requests; {', '.join(places)}, vLLM 0.25.0")
        _pairs(left, pairs, "output_tokens_per_s", "Output tokens a second")
        _pairs(right, pairs, "goodput", "Good requests a second (first token within 2 s)")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
        save(figure, FLAGS)


def _pairs(axes: "Axes", pairs: Sequence[tuple[Tuned, str]], figure: str, words: str) -> None:
    found = [rows_of(tuned, name).get(figure) for tuned, name in pairs]
    for shift, part, colour, label in (
        (-0.19, "before", BEFORE, "64 at once (the guide's flags)"),
        (0.19, "after", MEASURED, "256 at once (tuned-goodput)"),
    ):  # fmt: skip
        values = [0.0 if row is None else getattr(row, part) or 0.0 for row in found]
        bars = axes.barh([at + shift for at in range(len(pairs))], values, height=0.36,
                         color=colour, label=label)  # fmt: skip
        times = [_times(row) if part == "after" else "" for row in found]
        labels = [_number(value) + more for value, more in zip(values, times, strict=True)]
        axes.bar_label(bars, labels, padding=3)
    axes.set_yticks(range(len(pairs)), [_words(*pair) for pair in pairs])
    axes.set_ylim(len(pairs) - 0.5, -0.5)  # the first on top
    axes.margins(x=0.45)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    axes.set_title(words, loc="left", fontweight="bold")
    plain(axes)


def _times(row: Row | None) -> str:
    """How many times as much, where an interval says that it is another."""
    if row is None or row.ratio is None or row.low is None or row.high is None:
        return ""
    if row.low <= 1 <= row.high:
        apart = row.high > FAR * row.low
        return f"  ({'repeats too far apart to tell' if apart else 'no difference shown'})"
    return f"  ({row.ratio:.3g} times)"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def _words(tuned: Tuned, workload: str) -> str:
    return f"{title(tuned.recipe)}\n{workload.replace(', 256 clients', '')}"
