"""The search: which values come next, and what is known of those that were tried."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sparkwell.tune.knobs import Knob, Value
from sparkwell.tune.sampler import Sampler
from sparkwell.tune.shrink import dropped, is_dropped
from sparkwell.tune.trial import Trial
from sparkwell.tune.values import is_possible

MOST_ASKED = 200
"""Values that need no start, one after the other: then the space is as good as searched."""
WORTH_A_START = 0.7
"""Of what the plan expects of the best trial so far: plans are off by less than that."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """What the plan says of values: why they are refused, else what to expect (larger is better).

    Both None: the plan does not know.
    """

    refusal: str | None = None
    value: float | None = None


Foretell = Callable[[Mapping[str, Value]], Foretold]
Key = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Values to start an engine with."""

    values: dict[str, Value]
    expected: float | None


@dataclass(frozen=True, slots=True)
class RuledOut:
    """Values that need no start, and why."""

    values: dict[str, Value]
    foretold: Foretold


class Search:
    """``next`` and ``told`` take turns. ``trials`` is the caller's list, which it adds to.

    ``far_behind`` is the share of the best so far below which a first repeat is hopeless.
    """

    def __init__(
        self, knobs: Sequence[Knob], trials: Sequence[Trial], foretell: Foretell, seed: int,
        far_behind: float | None = None,
    ) -> None:  # fmt: skip
        self._knobs, self._foretell, self._far_behind = knobs, foretell, far_behind
        self._sampler = Sampler(knobs, seed)
        self._known: dict[Key, Trial] = {}
        self._trials: list[Trial] = []
        for each in trials:
            self._learn(each)
        self._sampler.remember([each for each in trials if not each.cut])

    def suggest(self, values: Mapping[str, Value]) -> None:
        """Try these before others."""
        self._sampler.suggest(values)

    def next(self) -> tuple[Candidate | None, list[RuledOut]]:
        """What to start next, None where nothing is left; and what the plan ruled out on the way.

        ``told`` has to follow a candidate.
        """
        ruled_out: list[RuledOut] = []
        seen: set[Key] = set()
        for _ in range(MOST_ASKED):
            values = self._sampler.ask()
            if self._is_settled(values):
                continue
            foretold = self._judged(self._foretell(values))
            if foretold.refusal is None:
                return Candidate(values, foretold.value), ruled_out
            self._sampler.drop()
            if _key(values) not in seen:
                seen.add(_key(values))
                ruled_out.append(RuledOut(values, foretold))
        return None, ruled_out

    def is_hopeless(self, value: float) -> bool:
        """Whether the candidate's first repeat says that a second is not worth its time.

        The sampler has to hear of it either way: it compares later ones with it.
        """
        below_median = self._sampler.is_hopeless(value)
        most = max((each.value or 0.0 for each in self._measured()), default=0.0)
        return below_median or (self._far_behind is not None and value < self._far_behind * most)

    def told(self, trial: Trial) -> None:
        """What came of the candidate."""
        self._learn(trial)
        if trial.counts and trial.value is not None:
            self._sampler.tell(trial.value)
        else:
            self._sampler.drop()

    def _is_settled(self, values: dict[str, Value]) -> bool:
        """Whether nothing is to be learnt from a start; then the sampler has been told."""
        known = self._known.get(_key(values))
        if known is not None and known.value is not None and known.kept:
            self._sampler.tell(known.value)
            return True
        without = dropped(self._knobs, self._trials)
        if known is None and is_possible(values) and not is_dropped(values, without):
            return False
        self._sampler.drop()
        return True

    def _judged(self, foretold: Foretold) -> Foretold:
        """A refusal too where the plan expects far less than of the best so far."""
        best = max(self._measured(), key=lambda each: each.value or 0.0, default=None)
        most = None if best is None else best.expected
        if foretold.value is None or most is None or foretold.value >= WORTH_A_START * most:
            return foretold
        share = foretold.value / most
        return Foretold(f"the plan expects {share:.0%} of what it does of the best", foretold.value)

    def _measured(self) -> list[Trial]:
        return [each for each in self._trials if each.counts]

    def _learn(self, trial: Trial) -> None:
        """With a longer budget what the end of it has cut may be tried again."""
        self._trials.append(trial)
        if not trial.cut:
            self._known[_key(trial.values)] = trial


def _key(values: Mapping[str, Value]) -> Key:
    return tuple(sorted(values.items(), key=lambda pair: pair[0]))
