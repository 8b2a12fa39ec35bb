"""The picture of a run: throughput, latency against it, first tokens, measured against planned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sparkwell.bench.run_document import mean_of, requests_of
from sparkwell.bench.tables import title
from sparkwell.cli.picture import (
    LINES,
    MARKERS,
    drawn,
    plain,
    plain_decades,
    plain_numbers,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Json = Mapping[str, Any]
_SIZE = (15.0, 9.0)
_MEASURED, _PLANNED, _LIMIT, _GUIDE = LINES[0], LINES[1], "#7A7A7A", LINES[4]


def draw(document: Json, file: Path) -> None:
    """Write the picture of a run; its format goes by the suffix."""
    with drawn(_SIZE) as figure:
        panels(document, figure)
        save(figure, file)


def panels(document: Json, figure: "Figure") -> None:
    """All four, onto a figure."""
    axes = figure.subplots(2, 2)
    figure.suptitle(title(document), fontsize=13, fontweight="bold")
    _throughput(axes[0][0], document["cases"])
    _latency(axes[0][1], document["cases"])
    _first_tokens(axes[1][0], document["cases"])
    _planned(axes[1][1], document["cases"])


def _closed(cases: Sequence[Json]) -> list[Json]:
    """Cases with clients, fewest first."""
    known = [each for each in cases if each["clients"] and mean_of(each, "output_tokens_per_s")]
    return sorted(known, key=lambda each: each["clients"])


def _throughput(axes: "Axes", cases: Sequence[Json]) -> None:
    """Tokens a second against clients: measured, planned, the roofline, the guide's range."""
    found = _closed(cases)
    axes.set_title("Output tokens/s of all together", loc="left", fontweight="bold")
    if not found:
        _nothing(axes, "no case with clients")
        return
    if not _alike(found):
        _bars(axes, found)
        return
    for each in found:
        _measured_point(axes, each)
        if guide := each["guide"]:
            axes.vlines(each["clients"], guide["low"], guide["high"], color=_GUIDE, linewidth=7,
                        alpha=0.6, label="the guide, of a DGX Spark")  # fmt: skip
    for name, colour, label in (
        ("tokens_per_s", _PLANNED, "planned"),
        ("limit_tokens_per_s", _LIMIT, "roofline"),
    ):
        points = [(each["clients"], each["planned"][name]) for each in found if each["planned"]]
        if points:
            axes.plot(*zip(*points, strict=True), "--", color=colour, marker="_", label=label)
    plain_numbers(axes)
    axes.set_xticks([each["clients"] for each in found])
    axes.set_xlabel("clients at once")
    _legend(axes)
    plain(axes)


def _alike(cases: Sequence[Json]) -> bool:
    """Whether a line through them means something: the same requests, of more and more clients."""
    return all(each["workload"] == cases[0]["workload"] for each in cases)


def _bars(axes: "Axes", cases: Sequence[Json]) -> None:
    """Each case by its name."""
    means = [mean_of(each, "output_tokens_per_s") or 0.0 for each in cases]
    bars = axes.barh([str(each["name"]) for each in cases], means, color=_MEASURED)
    axes.bar_label(bars, [f" {mean:,.0f}" for mean in means])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    plain(axes)


def _measured_point(axes: "Axes", case: Json) -> None:
    got = case["measured"]["output_tokens_per_s"]
    half = 0.0 if got["low"] is None else got["mean"] - got["low"]
    down = min(half, 0.9 * got["mean"])  # a logarithmic scale has no zero
    axes.errorbar([case["clients"]], [got["mean"]], yerr=[[down], [half]], fmt="o", capsize=4,
                  color=_MEASURED, label="measured, 95 %")  # fmt: skip


def _latency(axes: "Axes", cases: Sequence[Json]) -> None:
    """What more throughput costs those who wait."""
    axes.set_title("What those wait who share it", loc="left", fontweight="bold")
    lines = (("ttft_p50_s", "TTFT p50"), ("ttft_p99_s", "TTFT p99"), ("tpot_p50_s", "TPOT p50"))
    drawn_any, style = False, "-" if _alike(_closed(cases)) else "none"
    for place, (figure, label) in enumerate(lines):
        points = [
            (mean_of(each, "output_tokens_per_s"), 1000 * wait)
            for each in _closed(cases)
            if (wait := mean_of(each, figure)) is not None
        ]
        if points:
            drawn_any = True
            axes.plot(*zip(*points, strict=True), linestyle=style, color=LINES[place],
                      marker=MARKERS[place], label=label)  # fmt: skip
    if not drawn_any:
        _nothing(axes, "no case with clients")
        return
    axes.set_yscale("log")
    plain_decades(axes.yaxis)
    axes.xaxis.set_major_formatter(lambda value, _place: f"{value:,.0f}")
    axes.set_xlabel("output tokens/s of all together")
    axes.set_ylabel("ms")
    _legend(axes)
    plain(axes)


def _first_tokens(axes: "Axes", cases: Sequence[Json]) -> None:
    """Which share of the requests had their first token within which time."""
    axes.set_title("First tokens", loc="left", fontweight="bold")
    for place, case in enumerate(cases):
        waits = sorted(1000 * each for each in first_tokens(case))
        if waits:
            shares = [(at + 1) / len(waits) for at in range(len(waits))]
            axes.step(waits, shares, where="post", color=LINES[place % len(LINES)],
                      label=case["name"])  # fmt: skip
    if not axes.lines:
        _nothing(axes, "no request was answered")
        return
    axes.set_xscale("log")
    plain_decades(axes.xaxis)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("ms to the first token")
    axes.set_ylabel("share of requests")
    _legend(axes)
    plain(axes)


def first_tokens(case: Json) -> list[float]:
    """Seconds to the first token of every request that was answered, of all repeats."""
    rows = [row for repeat in case["repeats"] for row in requests_of(repeat)]
    return [row["ttft_s"] for row in rows if row["error"] is None and row["ttft_s"] is not None]


def _planned(axes: "Axes", cases: Sequence[Json]) -> None:
    """Measured as a share of the plan, and of the roofline."""
    axes.set_title("Measured, as a share of", loc="left", fontweight="bold")
    known = [each for each in _closed(cases) if each["planned"]]
    if not known:
        _nothing(axes, "not planned: the memory's bandwidth is not known")
        return
    for shift, (name, label, colour) in enumerate((
        ("tokens_per_s", "the plan", _PLANNED), ("limit_tokens_per_s", "the roofline", _LIMIT)
    )):  # fmt: skip
        shares = [_share(each, name) for each in known]
        places = [place + 0.4 * shift for place in range(len(known))]
        bars = axes.bar(places, shares, width=0.38, color=colour, label=label)
        axes.bar_label(bars, [f"{share:.0%}" for share in shares])
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks([place + 0.2 for place in range(len(known))], [_name(each) for each in known])
    axes.yaxis.set_major_formatter(lambda value, _place: f"{value:.0%}")
    axes.set_ylim(0, 1.3 * axes.dataLim.ymax)  # the legend stands above the bars
    _legend(axes, loc="upper right")
    plain(axes)


def _share(case: Json, of: str) -> float:
    return (mean_of(case, "output_tokens_per_s") or 0.0) / float(case["planned"][of])


def _name(case: Json) -> str:
    return str(case["name"]).replace(", ", ",\n")


def _nothing(axes: "Axes", why: str) -> None:
    axes.text(0.5, 0.5, why, ha="center", transform=axes.transAxes, color=_LIMIT)
    axes.set_axis_off()


def _legend(axes: "Axes", loc: Literal["best", "upper right"] = "best") -> None:
    """Each label once."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(reversed(labels), reversed(handles), strict=True))
    axes.legend(once.values(), once.keys(), frameon=False, loc=loc)
