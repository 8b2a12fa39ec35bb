"""What speaks against taking a case's figures as they stand. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparkwell.bench.again import MEASURED_AGAIN, again_notes
from sparkwell.bench.failures import failure_notes
from sparkwell.bench.figures import Figures
from sparkwell.bench.intervals import interval
from sparkwell.bench.lengths import INEXACT, lengths_note
from sparkwell.bench.results import Repeat
from sparkwell.bench.stalls import stalls
from sparkwell.bench.suites import Case

LATE_SHARE = 0.02
"""The client woke late by more than this share of what it measured: that figure is in doubt."""
BUSY_SHARE = 0.7
WIDE_SHARE = 0.5
SHORTENED, UNCACHED = "Shortened", "Prefix caching is off"
OUT_OF_REACH = "The SLO is out of reach"
SHORTEST_S = 1.0
"""In less the client's own beginning is most of what it does."""


def notes(
    case: Case, repeats: Sequence[Repeat], *, text: bool = False, uncached: bool = False
) -> list[str]:
    """Sentences, none where there is no doubt; ``repeats`` are numbered from 1 as they come.

    ``text`` says that prompts were text, ``uncached`` that the engine's prefix cache was off.
    """
    said, figures = [], [repeat.figures for repeat in repeats if repeat.figures.requests]
    if case.shortened_to is not None:
        said.append(f"{SHORTENED}: this model takes {case.shortened_to:,} tokens at most.")
    if uncached and case.workload.is_cached:
        said.append(f"{UNCACHED}: the shared document was read each time.")
    if text:
        said.append(lengths_note(repeats))
    said += failure_notes(sample for repeat in repeats for sample in repeat.samples)
    said += again_notes(repeats)
    said += stalls(case, repeats)
    if _is_wide(figures):
        said.append("The repeats differ so much that their mean tells little: measure again.")
    if any(_is_late(each) for each in figures):
        said.append("The client itself woke late: times as short as these are in doubt.")
    if any(_is_busy(each) for each in figures):
        said.append("The client needed most of a core: the engine may be faster than shown.")
    return said


def doubts(case: Mapping[str, Any]) -> list[str]:
    """What keeps a case of a run's document from being held against a plan, or another run.

    That it was shortened, asked with text, measured again, had no cache or is slower than somebody
    wants speaks against none of its figures.
    """
    harmless = (SHORTENED, INEXACT, UNCACHED, OUT_OF_REACH, MEASURED_AGAIN)
    return [str(note) for note in case["notes"] if not note.startswith(harmless)]


def _is_wide(figures: Sequence[Figures]) -> bool:
    rates = [each.output_tokens_per_s for each in figures]
    if len(rates) < 2:
        return False
    found = interval(rates)
    return found.high is not None and found.high - found.mean > WIDE_SHARE * found.mean


def _is_busy(figures: Figures) -> bool:
    return figures.client_share > BUSY_SHARE and figures.seconds > SHORTEST_S


def _is_late(figures: Figures) -> bool:
    shortest = [each.p50 for each in (figures.ttft, figures.tpot) if each is not None]
    lag = figures.lag_p99_s
    return lag is not None and bool(shortest) and lag > max(LATE_SHARE * max(shortest), 0.002)
