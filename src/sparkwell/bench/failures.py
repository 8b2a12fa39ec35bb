"""Requests that failed: how many of how many, and why most of them did. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator

from sparkwell.bench.sample import Sample

UNENDED = "broken off"
_BUSY = 503


def failure_notes(samples: Iterable[Sample]) -> Iterator[str]:
    """Sentences, none where all were answered."""
    all_of_them = list(samples)
    failed = [each for each in all_of_them if not each.good]
    if not failed:
        return
    yield f"{_many(len(failed), len(all_of_them))}{_reason(failed)}. They are in no latency."
    busy = sum(each.status == _BUSY for each in failed)
    if busy:
        yield (
            f"{busy:,} of them got a 503, as is said where more are out at once than are let in "
            "(gateway.max_connections)."
        )


def _many(failed: int, asked: int) -> str:
    return f"{failed:,} of {asked:,} requests failed"


def _reason(failed: list[Sample]) -> str:
    """The commonest, and of how many it is where there are others."""
    reasons = Counter((each.error or UNENDED).rstrip(".") for each in failed)
    [(reason, count)] = reasons.most_common(1)
    return f": {reason}" if len(reasons) == 1 else f", {count:,} of them: {reason}"
