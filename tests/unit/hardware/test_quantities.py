"""Amounts with units."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.hardware.quantities import SIZES, amount, flops, rate, size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("127601452 KiB", 130_663_886_848),
        ("121.69 GiB", 130_663_642_563),
        ("8 GiB", 8 * 2**30),
        ("8GiB", 8 * 2**30),
        (" 8 GiB ", 8 * 2**30),
        ("1 GB", 10**9),
        ("1.5 MB", 1_500_000),
        ("0 B", 0),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(
    ("text", "per_s"),
    [("273 GB/s", 273e9), ("3.35 TB/s", 3.35e12), ("200 Gb/s", 25e9), ("1 MiB/s", 2**20)],
)
def test_rates(text: str, per_s: float) -> None:
    assert rate(text) == per_s


def test_flops() -> None:
    assert (flops("989 TFLOP/s"), flops("1 PFLOP/s")) == (989e12, 1e15)


@pytest.mark.parametrize("value", [1, 0, -1, 1.5, math.inf, None, [1]])
def test_what_is_no_text_is_left_to_the_schema(value: object) -> None:
    assert size(value) is value


@pytest.mark.parametrize("value", [True, False])
def test_yes_is_no_size(value: bool) -> None:
    with pytest.raises(ValueError, match="should be a number"):
        size(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GiB",
        "8",
        "-8 GiB",
        "8 gib",
        "8 Gb",
        "8 GB/s",
        "8,5 GiB",
        "8.GiB",
        "1e9 B",
        "inf GiB",
        "nan B",
        "8 GiB and more",
        "\u0668 GiB",
        "9" * 5000 + " GiB",
    ],
)
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number, or one with a unit: B, kB"):
        size(text)


@given(st.integers(0, 10**15), st.sampled_from(sorted(SIZES)))
def test_written_and_read(count: int, unit: str) -> None:
    assert amount(f"{count} {unit}", SIZES) == count * SIZES[unit]


@given(st.text(max_size=30))
def test_text_is_a_size_or_refused(text: str) -> None:
    try:
        count = size(text)
    except ValueError:
        return
    assert isinstance(count, int)
    assert count >= 0
