"""The picture of `sparkwell compare --plot`: the memory split, and tokens/s against concurrency."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sparkwell.cli.picture import LINES, MARKERS, drawn, plain, plain_numbers, save
from sparkwell.core.units import GIB
from sparkwell.planner.compare import Candidate, Comparison
from sparkwell.planner.plan import Plan
from sparkwell.planner.speed import Speed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


class _Part(NamedTuple):
    """How a part of a bar looks: its colour, that of the figure in it, its hatching."""

    colour: str
    ink: str = "black"
    hatch: str = ""


_PARTS: Mapping[str, _Part] = {  # in the order of the bar
    "system": _Part("#B4B4B4"),
    "weights": _Part("#0072B2", "white"),
    "overhead": _Part("#E69F00"),
    "KV cache": _Part("#009E73", "white"),
    "outside the budget": _Part("#CC79A7"),
    "headroom": _Part("#FFFFFF"),
    "guard's floor": _Part("#E8E8E8", hatch="////"),
}
_EDGE = "#7A7A7A"
_UNKNOWN = "not known, as the memory's bandwidth is"
_RED = "#B00020"
_HEIGHT = 0.52
# A figure is written into a part that is at least this share of the axis, in GiB beyond the end.
_WIDE = 0.055
_LEAST_BEYOND = 0.05


def draw(comparison: Comparison, file: Path) -> None:
    """Write the picture; its format goes by the suffix. The same plans give the same bytes."""
    rows = len(comparison.candidates)
    with drawn((15, max(4.4, 2.4 + 0.55 * rows))) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
        figure.suptitle(title(comparison), fontsize=13, fontweight="bold")
        _bars(left, comparison)
        _curves(right, comparison)
        _legend_of_parts(figure, left)
        save(figure, file)


def title(comparison: Comparison) -> str:
    """The machine, the engine's versions, and the profile where all have the same."""
    plans = [each.plan for each in comparison.candidates if each.plan]
    machines = dict.fromkeys(plan.question.machine.title for plan in plans)
    versions = dict.fromkeys(plan.question.rules.version for plan in plans)
    profiles = {each.profile for each in comparison.candidates}
    shared = [f"profile {profile}" for profile in profiles if len(profiles) == 1]
    return ", ".join([*machines, f"vLLM {' and '.join(versions)}", *shared])


def memory_split(plan: Plan) -> dict[str, int]:
    """Bytes of one device by use; with what is left they sum to its memory.

    The overhead is what is held at the peak, and on unified memory the system and the guard's
    floor take part. ``headroom`` is 0 where it is negative: the rest then exceeds the memory.
    """
    memory, machine = plan.memory, plan.question.machine
    cache = max(0, memory.kv_cache)
    split = {
        "system": (machine.system_bytes or 0) + plan.question.beside_bytes,
        "weights": memory.weights,
        "overhead": memory.held - memory.weights - cache - memory.outside,
        "KV cache": cache,
        "outside the budget": memory.outside,
        "headroom": max(0, memory.headroom or 0),
        "guard's floor": machine.floor_bytes if machine.unified else 0,
    }
    return {name: size for name, size in split.items() if size > 0}


def _bars(axes: "Axes", comparison: Comparison) -> None:
    plans = [each.plan for each in comparison.candidates]
    splits = [memory_split(plan) if plan else {} for plan in plans]
    sums = [sum(split.values()) / GIB for split in splits]
    named: set[str] = set()
    reach = max([*sums, *(plan.memory.total / GIB for plan in plans if plan)])
    for place, (plan, split) in enumerate(zip(plans, splits, strict=True)):
        _bar(axes, place, split, _WIDE * reach, named)
        named |= split.keys()
        if plan:
            _beyond(axes, place, sums[place], plan.memory.total / GIB)
    _totals(axes, plans)
    _names(axes, comparison)
    axes.set_xlim(0, 1.01 * reach)
    axes.set_ylim(len(plans) - 0.5, -0.5)
    axes.set_xlabel(_memory_label(plans))
    axes.set_title("Memory", loc="left", fontweight="bold")
    axes.spines[["top", "right", "left"]].set_visible(False)


def _bar(
    axes: "Axes", place: int, split: Mapping[str, int], wide: float, named: Collection[str]
) -> None:
    """One model's bar; parts that are not ``named`` yet get a line in the legend."""
    start = 0.0
    for name, part in _PARTS.items():
        size = split.get(name, 0) / GIB
        if not size:
            continue
        label = "" if name in named else name
        axes.barh(place, size, left=start, height=_HEIGHT, label=label, **_looks(part))
        if size >= wide and not part.hatch:
            middle = start + size / 2
            axes.text(middle, place, f"{size:.1f}", ha="center", va="center", color=part.ink)
        start += size


def _looks(part: _Part) -> dict[str, Any]:
    return {"facecolor": part.colour, "edgecolor": _EDGE, "linewidth": 0.6, "hatch": part.hatch}


def _beyond(axes: "Axes", place: int, end: float, total: float) -> None:
    """How far a bar goes beyond the machine's memory, under its end."""
    if end - total >= _LEAST_BEYOND:
        text = f"{end - total:.1f} GiB too much"
        at = (end, place + _HEIGHT / 2 + 0.02)
        axes.text(*at, text, ha="right", va="top", color=_RED, size=9)


def _totals(axes: "Axes", plans: Sequence[Plan | None]) -> None:
    """A mark at what the engine sees, by bar: it depends on the engine's version."""
    labelled = None
    for place, plan in enumerate(plans):
        if plan is None:
            continue
        total = plan.memory.total / GIB
        top = place - _HEIGHT / 2 - 0.12
        axes.plot([total, total], [top, place + _HEIGHT / 2], color="black", linewidth=2)
        if total != labelled:
            axes.text(total, top, f"{total:.1f}", ha="center", va="bottom", fontweight="bold")
            labelled = total


def _names(axes: "Axes", comparison: Comparison) -> None:
    names = [
        f"{label}{_state(each)}"
        for label, each in zip(comparison.labels, comparison.candidates, strict=True)
    ]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    for text, each in zip(axes.get_yticklabels(), comparison.candidates, strict=True):
        text.set_color("black" if each.fits else _RED)


def _state(candidate: Candidate) -> str:
    if candidate.plan is None:
        return "\ncannot be planned"
    return "" if candidate.fits else "\ndoes not fit"


def _memory_label(plans: Sequence[Plan | None]) -> str:
    devices = {plan.memory.of_gpus for plan in plans if plan}
    each = " on each device" if max(devices, default=1) > 1 else ""
    return f"GiB{each}; the black mark is all that the engine sees"


def _legend_of_parts(figure: "Figure", axes: "Axes") -> None:
    """Below the panels; in the order of the parts, which no single bar need have all of."""
    handles, labels = axes.get_legend_handles_labels()
    found = dict(zip(labels, handles, strict=True))
    parts = [name for name in _PARTS if name in found]
    handles = [found[name] for name in parts]
    figure.legend(handles, parts, loc="outside lower left", ncols=len(parts), frameon=False)


def _curves(axes: "Axes", comparison: Comparison) -> None:
    lines = []
    for place, each in enumerate(comparison.candidates):
        if each.plan and each.plan.speed:
            label = f"{comparison.labels[place]}{_state(each)}"
            lines.append(_curve(axes, place, label, each.plan.speed, dashed=not each.fits))
    if lines:
        plain_numbers(axes)
        _legend_of_curves(axes, lines)
    else:
        axes.text(0.5, 0.5, _UNKNOWN, ha="center", transform=axes.transAxes)
    axes.set_xlabel(_requests_label(comparison))
    axes.set_ylabel("tokens/s of all together")
    axes.set_title("Speed", loc="left", fontweight="bold")
    plain(axes)


def _legend_of_curves(axes: "Axes", lines: Iterable[tuple[float, "Line2D"]]) -> None:
    """At the right, from the highest end to the lowest, as the curves are seen."""
    handles = [line for _, line in sorted(lines, key=lambda each: -each[0])]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _requests_label(comparison: Comparison) -> str:
    plans = [each.plan for each in comparison.candidates if each.plan]
    contexts = {plan.speed.context for plan in plans if plan.speed}
    each = f", each with {contexts.pop():,} tokens of context" if len(contexts) == 1 else ""
    return f"requests at once{each}"


def _curve(
    axes: "Axes", place: int, label: str, speed: Speed, *, dashed: bool
) -> tuple[float, "Line2D"]:
    """Draw one model's rates; gives the last of them with the line."""
    points = {each.concurrency: each.tokens_per_s for each in speed.batched}
    points.setdefault(1, speed.single_tokens_per_s)
    counts = sorted(points)
    (line,) = axes.plot(
        counts,
        [points[count] for count in counts],
        color=LINES[place % len(LINES)],
        marker=MARKERS[place % len(MARKERS)],
        markersize=5,
        linestyle="--" if dashed else "-",
        label=label,
    )
    return points[counts[-1]], line
