"""Values of the flags that are searched: as flags, near to others, beside those before. Pure."""

from collections.abc import Mapping, Sequence

from sparkwell.catalog.recipe import FlagValue
from sparkwell.tune.knobs import CACHE_KIND, NARROW, Knob, Value, Values


def flags_of(values: Values) -> dict[str, FlagValue]:
    """The flags to set."""
    return {name: value for name, value in values.items() if value is not None}


def nearest(knobs: Sequence[Knob], flags: Mapping[str, FlagValue]) -> dict[str, Value]:
    """The values that come nearest to a start's flags: where a search begins."""
    return {knob.name: _near(knob, flags.get(knob.name)) for knob in knobs}


def own_cache(knobs: Sequence[Knob], values: Values) -> dict[str, Value]:
    """The same with keys and values as wide as the model has them, where that can be chosen."""
    found = dict(values)
    for knob in knobs:
        if knob.name == CACHE_KIND and found.get(CACHE_KIND) == NARROW:
            found[CACHE_KIND] = next(each for each in knob.values if each != NARROW)
    return found


def _near(knob: Knob, value: Value) -> Value:
    if value in knob.values:
        return value
    if knob.ordered and isinstance(value, int):
        numbers = [each for each in knob.values if isinstance(each, int)]
        return min(numbers, key=lambda each: abs(each - value))
    return knob.values[0]


def is_possible(values: Values) -> bool:
    """Whether a step has room for a token of each sequence, which the engine demands."""
    sequences, tokens = values.get("max_num_seqs"), values.get("max_num_batched_tokens")
    known = isinstance(sequences, int) and isinstance(tokens, int)
    return not known or int(sequences or 0) <= int(tokens or 0)


def with_value(knob: Knob, value: Value) -> Knob:
    """The knob with the value from before among its values, in its place.

    A flag that was set before, as by the settings, is never left out: that would not unset it.
    """
    if value is None:
        rest = tuple(each for each in knob.values if each is not None)
        return Knob(knob.name, (None, *rest), knob.ordered)
    if knob.ordered:
        sizes = {each for each in (*knob.values, value) if isinstance(each, int)}
        return Knob(knob.name, tuple(sorted(sizes)), ordered=True)
    among = [each for each in knob.values if each is not None and each != value]
    return Knob(knob.name, (value, *among))


def changed(values: Values, before: Values) -> dict[str, Value]:
    """The values that are others than before."""
    return {name: value for name, value in values.items() if before.get(name) != value}
