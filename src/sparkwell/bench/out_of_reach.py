"""What came nearest to an SLO that next to no request of a case kept. Pure."""

from collections.abc import Iterable, Iterator
from statistics import median

from sparkwell.bench.figures import Slo
from sparkwell.bench.notes import OUT_OF_REACH
from sparkwell.bench.sample import Sample
from sparkwell.bench.tables import seconds

FEW = 0.05
_SAID = (
    ("ttft_s", "TTFT", "the fastest first token came after {}, half of them within {}"),
    ("tpot_s", "TPOT", "the fastest answer took {} for a token, half of them {} or less"),
    ("e2e_s", "E2E", "the fastest whole answer took {}, half of them {} or less"),
)


def reach_notes(samples: Iterable[Sample], slo: Slo | None) -> Iterator[str]:
    """A sentence where less than 5 % of all requests kept it, and some were answered."""
    asked = list(samples)
    good = [each for each in asked if each.good]
    if slo is None or not good:
        return
    kept = sum(map(slo.kept_by, good))
    if kept >= FEW * len(asked):
        return
    said = "; ".join(_nearest(good, slo))
    yield f"{OUT_OF_REACH}: {kept:,} of {len(asked):,} requests kept {_limits(slo)}; {said}."


def _limits(slo: Slo) -> str:
    asked = [(name, getattr(slo, field)) for field, name, _ in _SAID]
    return ", ".join(f"{name} ≤ {seconds(most)}" for name, most in asked if most is not None)


def _nearest(good: list[Sample], slo: Slo) -> Iterator[str]:
    """Of each part that is asked for."""
    for field, _, words in _SAID:
        times = [time for each in good if (time := getattr(each, field)) is not None]
        if getattr(slo, field) is not None and times:
            yield words.format(seconds(min(times)), seconds(median(times)))
