"""The models in `sparkwell top`: a line for each instance, its progress or its error below it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from sparkwell.cli.top.columns import laid_out
from sparkwell.cli.top.lines import LEAST, bar, cut, line, rule, table
from sparkwell.cli.top.sections import Section
from sparkwell.cli.top.words import BECOMING_STATES, SERVING_STATES, time_left
from sparkwell.core.units import duration

Json = Mapping[str, Any]


def models(status: Json, now: float, width: int, *, air: bool) -> Section:
    """The instances, each with its progress or its error below it.

    With ``air`` also what is expected of a start, and hints. ``now`` is Unix seconds.
    """
    entries: Sequence[Json] = status.get("instances") or ()
    title = rule(line(("Models", "bold")), width)
    if not entries:
        nothing = " Nothing is loaded; `sparkwell up MODEL` starts a model."
        return Section(title, (cut(line((nothing, "dim")), width),), least=2, rank=2)
    laid = laid_out(entries, now, width)
    head, *lines = table(laid.columns, laid.rows, width)
    made = [head]
    for entry, row in zip(entries, lines, strict=True):
        made += [row, *(cut(below, width) for below in _below(entry, width, air=air))]
    return Section(title, tuple(made), least=min(5, 1 + len(made)), rank=2)


def _below(entry: Json, width: int, *, air: bool) -> Iterable[Text]:
    if entry.get("state") in BECOMING_STATES:
        yield _progress(entry, width)
        if air and entry.get("expectation"):
            yield line("     ", (str(entry["expectation"]), "dim"))
    elif entry.get("error"):
        yield line(("   ✗ ", "red"), (str(entry["error"]), "red"))
        if air and entry.get("hint"):
            yield line(("     ", ""), str(entry["hint"]))
    elif entry.get("figures_problem") and entry.get("state") in SERVING_STATES:
        yield line(("   ! ", "yellow"), (f"not measured: {entry['figures_problem']}", "dim"))


def _progress(entry: Json, width: int) -> Text:
    percent, elapsed = entry.get("percent"), entry.get("elapsed_s")
    title = str(entry.get("phase_title") or entry.get("phase") or "")
    so_far = [] if elapsed is None else [f"{duration(elapsed)} so far"]
    if percent is None:
        return line("   ", ("▸ ", "yellow"), ", ".join([title, *so_far]))
    begin = line("   ", ("▸ ", "yellow"), f"{title}  ")
    times = [*time_left(entry), *so_far]
    said = [f"  {percent:.0f} %  {', '.join(times[:count])}" for count in range(len(times), -1, -1)]
    room = width - begin.cell_len
    fits = next((words for words in said if len(words) + LEAST <= room), said[-1]).rstrip()
    drawn = bar(percent / 100, max(LEAST, min(40, room - len(fits))), "yellow")
    return line(begin, drawn, fits)
