"""Amounts as people write them ("121.69 GiB", "273 GB/s", "989 TFLOP/s") to plain numbers."""

import re
from collections.abc import Mapping

SIZES: dict[str, float] = {
    "B": 1,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "TB": 1e12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
# Links are sold in bits: 200 Gb/s are 25 GB/s.
_BITS: dict[str, float] = {"Mb/s": 1e6 / 8, "Gb/s": 1e9 / 8, "Tb/s": 1e12 / 8}
RATES: dict[str, float] = {f"{unit}/s": size for unit, size in SIZES.items()} | _BITS
FLOPS: dict[str, float] = {"GFLOP/s": 1e9, "TFLOP/s": 1e12, "PFLOP/s": 1e15}

_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z/]+)")


def amount(value: object, units: Mapping[str, float]) -> object:
    """The number that a text with one of ``units`` means; anything but text as it is.

    Raises ValueError, naming the units, for a text that is not a number with one of them. Case
    counts, since Gb and GB differ by eight.
    """
    if isinstance(value, bool):  # else pydantic takes yes for 1
        raise ValueError("input should be a number, with a unit or without one")
    if not isinstance(value, str):
        return value
    found = _AMOUNT.fullmatch(value.strip())
    if found is None or found[2] not in units:
        raise ValueError(f"expected a number, or one with a unit: {', '.join(units)}")
    return float(found[1]) * units[found[2]]


def size(value: object) -> object:
    """Whole bytes of a text such as "121.69 GiB"; see ``amount``."""
    number = amount(value, SIZES)
    return round(number) if isinstance(value, str) and isinstance(number, float) else number


def rate(value: object) -> object:
    """Bytes a second of a text such as "273 GB/s" or "200 Gb/s"; see ``amount``."""
    return amount(value, RATES)


def flops(value: object) -> object:
    """Operations a second of a text such as "989 TFLOP/s"; see ``amount``."""
    return amount(value, FLOPS)
