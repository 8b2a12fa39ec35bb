"""What crashes teach: values that are not tried again. Pure."""

from collections.abc import Iterable, Sequence

from sparkwell.tune.knobs import Knob, Value, Values
from sparkwell.tune.trial import Trial

Dropped = frozenset[tuple[str, Value]]
TWICE = 2


def dropped(knobs: Sequence[Knob], trials: Iterable[Trial]) -> Dropped:
    """Values whose every start failed or took too long, where that is theirs.

    A failure is a value's own where a start went well that differed in this value alone, or where
    it came twice. Where values are sizes, larger ones are dropped too.
    """
    ended = [each for each in trials if each.started]
    bad = [each for each in ended if each.end == "failed" or each.overran]
    good = [each for each in ended if each.value is not None]
    found = {
        (knob.name, value)
        for knob in knobs
        for value in knob.values
        if _is_to_blame(knob, value, bad, good)
    }
    above = {pair for knob in knobs for pair in _above(knob, found)}
    served = {pair for each in good for pair in each.values.items()}
    return frozenset(found | (above - served))


def _is_to_blame(knob: Knob, value: Value, bad: list[Trial], good: list[Trial]) -> bool:
    crashed = [each for each in bad if each.values.get(knob.name) == value]
    if not crashed or any(each.values.get(knob.name) == value for each in good):
        return False
    alone = any(_differ(one, other) == {knob.name} for one in crashed for other in good)
    return alone or (len(crashed) >= TWICE and bool(good))


def _differ(one: Trial, other: Trial) -> set[str]:
    return {name for name in one.values if one.values[name] != other.values.get(name)}


def _above(knob: Knob, found: set[tuple[str, Value]]) -> Iterable[tuple[str, Value]]:
    if not knob.ordered:
        return ()
    sizes = [each for each in knob.values if each is not None]
    first = next((at for at, each in enumerate(sizes) if (knob.name, each) in found), None)
    return () if first is None else ((knob.name, each) for each in sizes[first:])


def is_dropped(values: Values, without: Dropped) -> bool:
    """Whether one of the values is no longer tried."""
    return any(pair in without for pair in values.items())
