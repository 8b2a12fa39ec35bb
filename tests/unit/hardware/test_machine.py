"""What follows from a machine's figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.hardware.machine import Machine, SeenTotal

NEW, OLD, OLDEST = 121, 119, 100


def machine(*seen: SeenTotal, capability: tuple[int, int] | None = None) -> Machine:
    return Machine(
        "m", "M", "cuda", NEW, unified=True, compute_capability=capability, seen_totals=seen
    )


SPARK = machine(SeenTotal("0.11", OLD))


@pytest.mark.parametrize(
    ("version", "total"),
    [
        ("0.10.1.1+381074ae.nv25.09", OLD),
        ("0.10.2", OLD),
        ("v0.10.2", OLD),
        ("0.9", OLD),
        ("0", OLD),
        ("0.11", NEW),
        ("0.11.0", NEW),
        ("0.11.0rc1", NEW),
        ("0.31.0", NEW),
        ("1.0", NEW),
        (None, NEW),
        ("", NEW),
        ("nightly", NEW),
        (".", NEW),
        ("9" * 5000, NEW),
    ],
)
def test_total_by_engine_version(version: str | None, total: int) -> None:
    assert SPARK.total_for(version) == total


def test_the_nearest_of_several_bounds_counts() -> None:
    seen = (SeenTotal("0.11", OLD), SeenTotal("0.9", OLDEST))
    totals = [machine(*seen).total_for(version) for version in ("0.8.5", "0.10.2", "0.12")]
    assert totals == [OLDEST, OLD, NEW]


def test_a_detected_machine_has_one_total() -> None:
    assert machine().total_for("0.10.1") == NEW


@pytest.mark.parametrize(
    ("capability", "sm"), [((12, 1), 121), ((9, 0), 90), ((8, 9), 89), (None, None)]
)
def test_sm(capability: tuple[int, int] | None, sm: int | None) -> None:
    assert machine(capability=capability).sm == sm


def test_machines_can_be_keys() -> None:
    first = Machine("m", "M", "cuda", NEW, unified=True, dense_flops={"bf16": 1.0})
    assert {first: 1}[first] == 1


@given(st.text(max_size=40))
def test_any_version_has_a_total(version: str) -> None:
    assert SPARK.total_for(version) in (OLD, NEW)
