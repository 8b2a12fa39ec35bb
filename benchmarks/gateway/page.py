"""docs/benchmarks/gateway.md and its picture, from the results: `benchmarks/gateway/page.py`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import MINES, Bound, Middle, added_us, bounds, of_rounds, others_cores, summary

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results")
PAGE = ROOT / "docs" / "benchmarks" / "gateway.md"
PICTURE = ROOT / "docs" / "images" / "gateway-cost.svg"
UPSTREAMS = ("cpu_us_request", "cpu_us_event")
PICTURE_WORDS = "Processor time of a request and of a streamed event, and the latency added"
BEGIN, END = "<!-- begin: {} -->", "<!-- end: {} -->"
INK, DARK_INK = "#1f2328", "#e6edf3"
OURS, OTHERS = "#d55e00", "#5b8db8"
Json = dict[str, Any]
Rounds = Mapping[str, Sequence[Mapping[str, Any]]]


def main() -> None:
    """Write the page's tables and the picture anew."""
    compared, soaked = newest("gateway"), newest("soak")
    text = PAGE.read_text(encoding="utf-8")
    for name, part in parts(compared, soaked).items():
        text = replaced(text, name, part)
    PAGE.write_text(text, encoding="utf-8")
    if compared:
        PICTURE.write_text(picture(compared["rounds"]), encoding="utf-8")


def newest(name: str) -> Json | None:
    """The latest results of that name; None where there are none."""
    found = sorted(RESULTS.glob(f"20*-{name}.json"))
    return json.loads(found[-1].read_text(encoding="utf-8")) if found else None


def parts(compared: Json | None, soaked: Json | None) -> dict[str, str]:
    """Each part of the page that is made from results."""
    found = {}
    if compared:
        found["run"] = run_of(compared)
        found["picture"] = f"![{PICTURE_WORDS}](../images/{PICTURE.name})"
        found["costs"] = costs(compared["rounds"])
        found["latency"] = latency(compared["rounds"])
        found["streams"] = streams(compared["many"])
        found["bounds"] = demands(bounds(compared))
    if soaked:
        found["soak"] = soak(soaked)
    return found


def run_of(document: Json) -> str:
    """Machine, versions, date, command."""
    machine, versions = document["machine"], document["versions"]
    box = f"{machine['cpus']} cores ({machine['processor']}), {machine['memory_gib']} GiB"
    system = f"{machine['system']}, Linux {machine['kernel']}, Python {machine['python']}"
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    lines = [
        f"- {document['date']} {document['time']}, `{document['command']}`",
        f"- {box}, {system}",
        f"- {named}",
    ]
    plain = document.get("rounds", {}).get("direct")
    if plain:
        request, event = (of_rounds(plain, "upstream", each) for each in UPSTREAMS)
        lines.append(
            f"- the upstream itself: {_both(request)} µs a request, {_both(event)} µs an event"
        )
    others = others_cores(document)
    if others is not None:
        lines.append(f"- others kept {others:.2f} cores busy (median of looks before each one)")
    lines += [f"- not measured: {name}: {why}" for name, why in document["skipped"].items()]
    return "\n".join(lines)


def costs(rounds: Rounds) -> str:
    """Processor time and memory."""
    head = ["", "a request, 1 connection", "a request, 32", "an event", "requests/s, 32", "memory"]
    rows = [_row(head), _row(["---"] * len(head))]
    for name, found in summary(rounds).items():
        if name == "direct":
            cells = ["-", "-", "-", _plain(found["busy_a_second"]), "-"]
        else:
            wanted = ("request_us", "busy_request_us", "event_us")
            figures = [f"{_both(found[each])} µs" for each in wanted]
            cells = [*figures, _plain(found["busy_a_second"]), f"{_plain(found['memory_mb'])} MB"]
        rows.append(_row([_name(name), *cells]))
    return "\n".join(rows)


def latency(rounds: Rounds) -> str:
    """What is added to direct at one connection; direct's own latency in its row."""
    head = ["", "whole answer, p50", "p99", "first event, p50", "p99"]
    rows = [_row(head), _row(["---"] * len(head))]
    wanted = ("p50_us", "p99_us", "first_p50_us", "first_p99_us")
    for name, found in summary(rounds).items():
        if name == "direct":
            cells = [f"{_both(found[each])} µs" for each in wanted]
        else:
            added = [added_us(rounds, name, each) for each in wanted]
            cells = ["-" if each is None else f"+{each / 1e3:.3f} ms" for each in added]
        rows.append(_row([_name(name), *cells]))
    return "\n".join(rows)


def streams(many: Mapping[str, Json]) -> str:
    """The many slow streams."""
    head = ["", "events", "lost or cut", "out of order", "delay p50", "p99", "most"]
    rows = [_row([*head, "memory", "processor"]), _row(["---"] * (len(head) + 2))]
    for name, each in many.items():
        delay = [_ms(each["delay_us"].get(key)) for key in ("p50", "p99", "most")]
        wrong = each["lost"] + each["broken"] + each["bad"] + each["unfinished"]
        spent = f"{each['relay_cpu_s'] / each['seconds']:.0%} of a core"
        own = ["-", "-"] if name == "direct" else [f"{each['most_memory_mb']:.0f} MB", spent]
        counts = [f"{each['events']:,}", f"{wrong:,}", f"{each['reordered']:,}"]
        rows.append(_row([_name(name), *counts, *delay, *own]))
    return "\n".join(rows)


def demands(found: Iterable[Bound]) -> str:
    """Each bound, what was reached, whether it holds."""
    rows = [_row(["bound", "at most", "reached", ""]), _row(["---"] * 4)]
    words = {True: "kept", False: "**missed**", None: "not measured"}
    for each in found:
        figures = [_number(each.most, each.unit), _number(each.reached, each.unit)]
        rows.append(_row([each.words, *figures, words[each.kept]]))
    return "\n".join(rows)


def soak(document: Json) -> str:
    """Memory over the soak, in a line for each that was soaked."""
    lines = [run_of({**document, "skipped": {}}), ""]
    head = ["", "seconds", "answers", "clients that left", "wrong", "memory at the end", "slope"]
    lines += [_row(head), _row(["---"] * len(head))]
    for name, each in document["soak"].items():
        wrong = sum(each[key] for key in ("lost", "reordered", "broken", "bad", "unfinished"))
        rise, low, high = each["slope_mb_an_hour"]
        slope = f"{rise:+.2f} MB an hour ({low:+.2f} to {high:+.2f})"
        counts = [f"{each[key]:,}" for key in ("answers", "left")]
        end = f"{each['memory'][-1][1]:.0f} MB"
        lines.append(_row([name, f"{each['seconds']:.0f}", *counts, f"{wrong:,}", end, slope]))
    return "\n".join(lines)


def picture(rounds: Rounds) -> str:
    """Three charts of bars, on logarithmic axes, readable on light and dark pages."""
    import matplotlib as mpl  # noqa: PLC0415 - the tables need none

    mpl.use("svg")
    from matplotlib import pyplot  # noqa: PLC0415

    plain = {"svg.fonttype": "none", "svg.hashsalt": "gateway", "font.size": 9}
    colours = dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
    with mpl.rc_context({**plain, **colours, "axes.edgecolor": INK}):
        figure, axes = pyplot.subplots(1, 3, figsize=(11, 2.6), sharey=True)
        for axis, (row, title) in zip(axes, CHARTS, strict=True):
            _chart(axis, rounds, row, title)
        figure.tight_layout()
        path = PICTURE.with_suffix(".tmp")
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})
        pyplot.close(figure)
    text = path.read_text(encoding="utf-8")
    path.unlink()
    return in_both_schemes(text)


CHARTS = (
    ("request_us", "processor time a request,\n1 connection, µs"),
    ("event_us", "processor time a streamed event, µs"),
    ("p50_us", "latency added to direct,\np50, µs"),
)


def _chart(axis: Any, rounds: Rounds, row: str, title: str) -> None:
    names = [name for name in summary(rounds) if name != "direct"][::-1]
    values = [_charted(rounds, name, row) for name in names]
    bars = axis.barh(names, values, color=[OURS if each in MINES else OTHERS for each in names])
    axis.bar_label(
        bars, [f"{each:,.0f}" if each >= 20 else f"{each:,.1f}" for each in values], padding=3
    )
    axis.set_xscale("log")
    axis.set_xlim(1, max(values) * 12)
    axis.set_title(title, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)


def _charted(rounds: Rounds, name: str, row: str) -> float:
    if row == "p50_us":
        return max(1.0, added_us(rounds, name, row) or 1.0)
    found = summary({name: rounds[name]})[name][row]
    return max(1.0, found.median if found else 1.0)


def in_both_schemes(svg: str) -> str:
    """The ink turns light where the reader's page is dark."""
    rule = (
        f'<style>@media (prefers-color-scheme: dark) {{ [style*="fill: {INK}"] '
        f'{{ fill: {DARK_INK} !important }} [style*="stroke: {INK}"] '
        f"{{ stroke: {DARK_INK} !important }} }}</style>"
    )
    head, mark, rest = svg.partition("<defs>")
    return "\n".join(line.rstrip() for line in f"{head}{rule}\n {mark}{rest}".splitlines()) + "\n"


def replaced(text: str, name: str, part: str) -> str:
    """The page with one part anew."""
    begin, end = BEGIN.format(name), END.format(name)
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"the page has no place for {name!r}")
    return f"{before}{begin}\n\n{part}\n\n{end}{rest.partition(end)[2]}"


def _name(name: str) -> str:
    return f"**{name}**" if name in MINES else name


def _both(found: Middle | None) -> str:
    """The median, and the least in brackets."""
    if found is None:
        return "-"
    digits = 1 if found.median < 100 else 0
    return f"{found.median:,.{digits}f} ({found.least:,.{digits}f})"


def _plain(found: Middle | None) -> str:
    return "-" if found is None else f"{found.median:,.0f}"


def _ms(us: float | None) -> str:
    if us is None:
        return "-"
    return f"{us / 1e3:,.{2 if us < 1e3 else 1}f} ms"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}".removesuffix(".0") + f" {unit}".rstrip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
