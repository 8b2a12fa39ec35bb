"""What `sparkwell recommend` says: the models, why, and what speaks against the others."""

import textwrap
from collections.abc import Iterator, Sequence

import click

from sparkwell.app.planning.recommending import Asked
from sparkwell.core.units import GIB
from sparkwell.planner.recommend import Ranked, Recommendation, Unfit

_WIDTH = 100


def page(
    asked: Asked, found: Recommendation, enough: tuple[str, int] | None, in_full: int
) -> Iterator[str]:
    """In parts; the first ``in_full`` models with all that is said of them."""
    yield _headline(asked, found)
    if not found.ranked:
        yield _nothing(enough)
    places = list(enumerate(found.ranked, start=1))
    for place, each in places[:in_full]:
        yield "\n".join(_lines(place, each))
    if places[in_full:]:
        lines = [_first_line(place, each) for place, each in places[in_full:]]
        yield "\n".join([*lines, "   (--all shows these in full)"])
    if found.unfit:
        unfit = [line for each in found.unfit for line in _unfit(each)]
        yield "\n".join([click.style("Not for this", bold=True), *unfit])


def _headline(asked: Asked, found: Recommendation) -> str:
    limits = [f"{asked.machine.total_bytes / GIB:.1f} GiB"]
    if found.wanted.concurrency:
        limits.append(f"{found.wanted.concurrency} requests at once")
    if found.wanted.context:
        limits.append(f"{found.wanted.context:,} tokens each")
    title = f"{found.need.name} on {asked.machine.name} ({', '.join(limits)})"
    return f"{click.style(title, bold=True)}\nRanked by {found.need.ranked_by}."


def _nothing(enough: tuple[str, int] | None) -> str:
    said = click.style("No model of the catalog does.", fg="red", bold=True)
    if enough is None:
        return f"{said}\nMore memory would not change that."
    return f"{said}\nWith {enough[1] / GIB:.0f} GiB {enough[0]} would."


def _first_line(place: int, ranked: Ranked) -> str:
    return f"{place}. {ranked.offer.model}: {ranked.why[0]}"


def _lines(place: int, ranked: Ranked) -> Iterator[str]:
    yield click.style(_first_line(place, ranked), bold=True)
    if ranked.why[1:]:
        yield textwrap.fill(
            "; ".join(ranked.why[1:]), _WIDTH, initial_indent="   ", subsequent_indent="   "
        )
    yield from _bullets("for", ranked.offer.use_for)
    yield from _bullets("not for", ranked.offer.not_for)
    yield f"   {click.style(ranked.command, fg='cyan')}"


def _bullets(title: str, texts: Sequence[str]) -> Iterator[str]:
    for place, text in enumerate(texts):
        first = f"   {title if place == 0 else '':<9}- "
        yield textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _unfit(unfit: Unfit) -> Iterator[str]:
    yield click.style(_filled(f"{unfit.model}: {unfit.reason}", 2), fg="red")
    if unfit.remedy:
        yield _filled(unfit.remedy, 6)


def _filled(text: str, indent: int) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * 6)
