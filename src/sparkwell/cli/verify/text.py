"""What `sparkwell verify` says: the figures side by side, what failed, what was found."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sparkwell.bench.tables import UNKNOWN, seconds
from sparkwell.bench.tables import plain as rate
from sparkwell.cli.finding_text import counted, plain, text_width, wrapped
from sparkwell.cli.table import table
from sparkwell.core.units import GIB

Json = Mapping[str, Any]
_COLOURS = {"holds": "green", "does not hold": "red", "not measured": "yellow"}
_HEAD = ("", "MEASURED", "PLANNED", "OFF BY", "THE PLAN", "THE GUIDE", "")
_SHOWN = ("error", "warning")


def text(document: Json) -> str:
    """A report for a person: of this machine, or one that somebody sent."""
    parts = [_head(document), *_failed(document), _figures(document), *_refuted(document)]
    rest = [*_reasons(document), *_doubts(document), *_found(document), _summary(document)]
    return "\n\n".join([*parts, *rest])


def written(file: Path, size: int) -> str:
    """Where it lies, and what to do with it."""
    return (
        f"\nThe report is {file} ({size / 1000:,.0f} kB). Secrets, names and addresses of this "
        "machine are not in it.\nRead it, then send it in: docs/verify.md says where to."
    )


def _head(document: Json) -> str:
    engine = document["engine"] or {}
    named = f"{engine.get('engine') or 'no engine'} {engine.get('engine_version') or ''}".strip()
    machine = plain(str(document["machine"].get("title") or document["machine"].get("name")))
    model = click.style(plain(document["model"]), bold=True)
    rest = f"suite {document['suite']}, {named}, {machine}, {document['date']}"
    return f"{model}, {plain(rest)}"


def _failed(document: Json) -> Iterator[str]:
    """Steps that were not done to their end."""
    for step in document["steps"]:
        if step["state"] in _ENDED:
            mark = click.style("Not whole: ", fg="red", bold=True)
            name, how = plain(step["name"]), _ENDED[step["state"]]
            why = f" {plain(step['why'])}" if step["why"] and step["state"] == "failed" else ""
            hint = f"\n{plain(step['hint'])}" if step.get("hint") else ""
            yield f"{mark}{name} {how}.{why}{hint}"


_ENDED = {"failed": "failed", "stopped": "was stopped by hand"}


def _figures(document: Json) -> str:
    return table(_HEAD, [_row(each) for each in document["figures"]])


def _row(figure: Json) -> list[str]:
    unit, off = figure["unit"], figure["off"]
    guide = _first_judged(figure["guides"])
    return [
        plain(figure["name"]),
        shown(figure["measured"], unit),
        shown(figure["planned"], unit),
        UNKNOWN if off is None else f"{off:+.1%}",
        _verdict(figure["verdict"], figure["tolerance"]),
        UNKNOWN if guide is None else _range(guide, unit),
        "" if guide is None else _verdict(guide["verdict"], None),
    ]


def _first_judged(guides: Sequence[Json]) -> Json | None:
    """Else the first: the table has room for one."""
    judged = (each for each in guides if each["verdict"] != "not measured")
    return next(judged, next(iter(guides), None))


def _refuted(document: Json) -> Iterator[str]:
    """Every claim that does not hold: the table may show another one beside the figure."""
    lines = [
        f"- {plain(each['claim'])}: {_claimed(each)}, here {shown(each['measured'], each['unit'])}"
        for figure in document["figures"]
        for each in figure["guides"]
        if each["verdict"] == "does not hold"
    ]
    if lines:
        yield "Claims of the guides that do not hold:\n" + "\n".join(lines)


def _verdict(verdict: str | None, tolerance: float | None) -> str:
    """Plain: a colour would be counted as a part of the column's width."""
    if verdict is None:
        return UNKNOWN
    within = f" (±{tolerance:.0%})" if tolerance is not None and verdict != "not measured" else ""
    return f"{plain(verdict)}{within}"


def _range(guide: Json, unit: str) -> str:
    """What it claims; with the measured figure where that stands there in another unit."""
    measured = guide["measured"]
    other = measured is not None and guide["unit"] != unit
    here = f", here {measured:,.1f}" if other else ""
    return _claimed(guide) + here


def _claimed(guide: Json) -> str:
    low, high = guide["low"], guide["high"]
    said = f"{low:,.12g}" if low == high else f"{low:,.12g} to {high:,.12g}"
    return plain(f"{said} {guide['unit']}")


def shown(value: float | None, unit: str) -> str:
    """A figure as people say it."""
    if value is None:
        return UNKNOWN
    if unit == "bytes":
        return f"{value / GIB:,.2f} GiB"
    if unit == "s":
        return seconds(value)
    return f"{value:,.0f} tokens" if unit == "tokens" else f"{rate(value)} {plain(unit)}"


def _reasons(document: Json) -> Iterator[str]:
    """Why something could not be judged; claims by how many they are.

    Where nothing ran, the step that failed has said it.
    """
    figures = document["figures"] if document["engine"] else ()
    lines = [
        f"- {plain(each['name'])}: {plain(each['why'])}"
        for each in figures
        if each["verdict"] == "not measured" and each["why"]
    ]
    told = [each for figure in figures for each in figure["guides"]]
    whys = Counter(each["why"] for each in told if each["verdict"] == "not measured")
    lines += [f"- {_claims(count)}: {plain(why)}" for why, count in whys.items() if why]
    if lines:
        yield "Not measured:\n" + "\n".join(lines)


def _claims(count: int) -> str:
    return "a claim of the guides" if count == 1 else f"{count} claims of the guides"


def _doubts(document: Json) -> Iterator[str]:
    """What speaks against taking the measurement as it stands."""
    bench = document["measured"]["bench"] or {"cases": ()}
    said = [f"{each['name']}: {note}" for each in bench["cases"] for note in each["notes"]]
    if said:
        yield "\n".join(click.style("! ", fg="yellow") + plain(each) for each in said)


def _found(document: Json) -> Iterator[str]:
    """What pre-flight and doctor found, the titles of what matters."""
    for name in ("preflight", "doctor"):
        told = document[name]
        if told is not None:
            titles = [each for each in told["findings"] if each["severity"] in _SHOWN]
            yield "\n".join([_tally(name, titles), *_titles(titles)])


def _tally(name: str, titles: list[Json]) -> str:
    errors = sum(each["severity"] == "error" for each in titles)
    counts = f"{counted(errors, 'error')}, {counted(len(titles) - errors, 'warning')}"
    return f"{'Pre-flight' if name == 'preflight' else 'Doctor'}: {counts}"


def _titles(titles: list[Json]) -> Iterator[str]:
    width = text_width()
    for each in titles:
        yield from wrapped(plain(f"{each['severity']}: {each['title']}"), width, "  ", "    ")


def _summary(document: Json) -> str:
    lines = []
    for name, said in (("plan", "Of the plan"), ("guides", "Of the guides' claims")):
        counts = document["summary"][name]
        parts = [click.style(f"{counts.get(each, 0)} {_SAID[each]}", fg=_COLOURS[each])
                 for each in _COLOURS]  # fmt: skip
        lines.append(f"{said} {', '.join(parts)}.")
    return "\n".join(lines)


_SAID = {"holds": "hold", "does not hold": "do not hold", "not measured": "were not measured"}
