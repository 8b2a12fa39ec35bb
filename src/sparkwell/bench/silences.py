"""The longest time in which requests were out and no token came for any of them. Pure.

An engine that stands still shows here, whoever waits: in the midst of answers, or before first
tokens. Reading prompts is silent too, so a silence says nothing by itself: ``usual_s`` is what the
same repeat shows that one may take.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import pairwise
from statistics import median

from sparkwell.bench.sample import Sample

NEAR_SHARE = 0.1
"""First tokens that come within this share of a silence after its end: read in it, as far as known.

Prompts that were read together have their tokens in one step, which the client sees in a moment.
"""
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Silence:
    """The longest of a repeat, and how many requests were out at its end.

    ``usual_s`` bounds from above what such a one takes when nothing stands still; None where the
    repeat has nothing to tell it by. ``began_s`` is when it began, by the samples' clock.
    """

    seconds: float
    out: int
    usual_s: float | None
    began_s: float | None = None


def longest_silence(samples: Sequence[Sample], documents: int = 0) -> Silence | None:
    """Of one repeat; None where nothing was sent.

    ``documents`` of the prompts are shared and stand first: a cache has each after its first time.
    """
    spans = nlargest(2, _silences(samples), key=_length)
    if not spans:
        return None
    next_s = _length(spans[1]) if len(spans) > 1 else 0.0
    began, end = spans[0]
    out = sum(each.sent_s < end <= each.ended_s for each in samples)
    return Silence(end - began, out, _usual_s(samples, spans[0], next_s, documents), began)


def _length(span: Span) -> float:
    return span[1] - span[0]


def _silences(samples: Sequence[Sample]) -> Iterator[Span]:
    """All of them: between events, from a sending to the next one, from the last one to an end."""
    times = sorted(time for sample in samples for time in _events(sample))
    for began, ended in _out(samples):
        inside = times[bisect_left(times, began) : bisect_right(times, ended)]
        yield from pairwise([began, *inside, ended])


def _events(sample: Sample) -> Iterator[float]:
    """When each event with tokens came."""
    if (time := sample.first_s) is not None:
        yield time
        for gap in sample.gaps:
            time += gap
            yield time


def _out(samples: Sequence[Sample]) -> Iterator[Span]:
    """The times in which at least one request was out, in their order; none overlap."""
    spans = sorted((each.sent_s, each.ended_s) for each in samples if each.sent_s)
    if not spans:
        return
    began, ended = spans[0]
    for start, end in spans[1:]:
        if start > ended:
            yield began, ended
            began, ended = start, end
        ended = max(ended, end)
    yield began, ended


def _usual_s(samples: Sequence[Sample], span: Span, next_s: float, documents: int) -> float | None:
    """As long as the next longest, or as reading the prompts takes that were read in it.

    What an engine does at each step it does many times in a repeat, so one step is no longer than
    the next longest silence.
    """
    firsts = sorted(each.first_s for each in samples if each.first_s is not None)
    if bisect_right(firsts, span[0]) < documents:
        return None  # a document was read that is cached from then on: nothing here is like it
    read = _read_in(samples, span)
    if not read:
        return next_s or None
    waits = [each.ttft_s for each in samples if each.good and each.ttft_s is not None]
    if not waits:
        return None
    return max(next_s, min(read * median(waits), _at_pace_s(firsts, span, next_s, read)))


def _near_s(span: Span) -> float:
    return NEAR_SHARE * _length(span)


def _read_in(samples: Sequence[Sample], span: Span) -> int:
    """How many prompts may have been read in it: sent when it began, first token when it ended.

    Who is sent later is read later, so that is not what the others wait for.
    """
    near_s = _near_s(span)
    firsts = (each.first_s for each in samples if each.sent_s <= span[0] + near_s)
    return sum(each is not None and span[1] <= each <= span[1] + near_s for each in firsts)


def _at_pace_s(firsts: Sequence[float], span: Span, next_s: float, read: int) -> float:
    """As long as so many prompts take at the pace that was seen elsewhere; else infinite.

    An engine reads in the order of arrival, so of those whose first tokens came together all but
    one were read between the event before and the last of them. Half as many have to be seen, and
    one prompt tells nothing: a long one may have been read for long before.
    """
    near_s = _near_s(span)
    elsewhere = [at for at in firsts if not span[1] - near_s <= at <= span[1] + near_s]
    most = max((_within(elsewhere, at, near_s) for at in elsewhere), default=0)
    if read < 2 or most < max(2, read / 2):
        return math.inf
    return (near_s + next_s) * read / (most - 1)


def _within(times: Sequence[float], began: float, seconds: float) -> int:
    """How many of the sorted times lie in the seconds from then on."""
    return bisect_right(times, began + seconds) - bisect_left(times, began)
