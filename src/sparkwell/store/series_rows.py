"""A row of the history: all values of one source at one moment, packed; and rows folded into one.

A value is a 32-bit float, NaN where it is unknown. A row has each value twice, the mean and the
peak, unless it was sampled at one moment (``Tier.RAW``): then both are the same.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sparkwell.store.series_names import LOW_IS_BAD

_UNKNOWN = math.nan
_LARGEST = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
Values = tuple[float, ...]
"""In the order of a source's names; NaN where unknown."""


class Row(NamedTuple):
    """What stands in a row."""

    means: Values
    peaks: Values


def pack_values(names: Sequence[str], values: Mapping[str, float | None]) -> bytes | None:
    """One moment as a row; None where nothing is known of it."""
    packed = [_storable(values.get(name)) for name in names]
    if all(math.isnan(value) for value in packed):
        return None
    return struct.pack(f"<{len(packed)}f", *packed)


def pack(row: Row) -> bytes:
    """A folded row: the means, then the peaks."""
    return struct.pack(f"<{2 * len(row.means)}f", *row.means, *row.peaks)


def unpack(data: bytes, *, folded: bool) -> Row:
    """What ``pack_values`` or ``pack`` made; a row of fewer names than today is just shorter."""
    values = struct.unpack(f"<{len(data) // 4}f", data[: len(data) // 4 * 4])
    if not folded:
        return Row(values, values)
    half = len(values) // 2
    return Row(values[:half], values[half:])


def fold(names: Sequence[str], rows: Sequence[Row]) -> Row:
    """One row in place of many: the mean of the means that are known, the peak of the peaks."""
    means = [_mean(column) for column in _columns([row.means for row in rows], len(names))]
    peaks = _columns([row.peaks for row in rows], len(names))
    worst = [peak(name, column) for name, column in zip(names, peaks, strict=True)]
    return Row(tuple(means), tuple(worst))


def peak(name: str, values: Iterable[float]) -> float:
    """The worst of the values that are known: the highest, of available memory the lowest."""
    known = (value for value in values if not math.isnan(value))
    return min(known, default=_UNKNOWN) if name in LOW_IS_BAD else max(known, default=_UNKNOWN)


def _columns(rows: Sequence[Values], width: int) -> list[list[float]]:
    return [
        [row[place] if place < len(row) else _UNKNOWN for row in rows] for place in range(width)
    ]


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else _UNKNOWN


def _storable(value: float | None) -> float:
    """What a 32-bit float can hold; anything else is not known."""
    return _UNKNOWN if value is None or not abs(value) <= _LARGEST else value
