"""What is wrong with the box as a whole."""

from dataclasses import replace

import pytest

from sparkwell.checks.box import BoxState, FailedModel, look_at
from sparkwell.core.findings import Severity
from sparkwell.core.units import GIB

WELL = BoxState(
    guard_wanted=True,
    guarded=True,
    protected=True,
    available_bytes=20 * GIB,
    floor_bytes=8 * GIB,
    restarts=(("a", 2),),
)


def ids(box: BoxState) -> list[str]:
    return [each.id for each in look_at(box)]


def test_all_is_well() -> None:
    assert ids(WELL) == []
    assert ids(BoxState()) == []


@pytest.mark.parametrize(("available", "found"), [(8 * GIB, []), (8 * GIB - 1, ["memory"])])
def test_memory_at_the_floor(available: int, found: list[str]) -> None:
    told = ids(replace(WELL, available_bytes=available))
    assert told == [f"host-{each}-low" for each in found]


def test_what_is_unknown_is_no_finding() -> None:
    assert ids(replace(WELL, available_bytes=None)) == []
    assert ids(replace(WELL, available_bytes=1, floor_bytes=None)) == []


def test_a_failed_model_has_its_last_words_and_ways_out() -> None:
    failed = FailedModel("m", "no token", "Take less context.", ("1", "2", "3", "4"))
    (found,) = look_at(replace(WELL, failed=(failed,)))
    assert (found.severity, found.title, found.cause) == (Severity.ERROR, "m failed", "no token")
    assert found.evidence == ("2", "3", "4")
    assert [each.command for each in found.remedies] == [
        None,
        "sparkwell logs m --errors",
        "sparkwell up m",
    ]


@pytest.mark.parametrize(
    ("wanted", "guarded", "protected", "found"),
    [
        (True, False, None, ["guard-missing"]),
        (True, True, False, ["guard-unprotected"]),
        (True, None, None, []),
        (False, False, False, []),
    ],
)
def test_the_guard(
    wanted: bool, guarded: bool | None, protected: bool | None, found: list[str]
) -> None:
    box = replace(WELL, guard_wanted=wanted, guarded=guarded, protected=protected)
    assert ids(box) == found


def test_whom_the_guard_cannot_end_endangers_the_host() -> None:
    box = replace(WELL, cannot_end=(("a", "not permitted: it belongs to user 0"), ("b", "gone")))
    (found,) = look_at(box)
    assert (found.id, found.severity) == ("guard-cannot-end", Severity.ERROR)
    assert found.title == "The memory guard cannot end a, b"
    assert found.evidence == ("a: not permitted: it belongs to user 0", "b: gone")
    assert found.remedies[0].command == "sudo sparkwell --system service install"
    assert ids(replace(box, guarded=False)) == ["guard-missing"]
    assert ids(replace(box, protected=False)) == ["guard-unprotected", "guard-cannot-end"]
    assert ids(replace(box, guard_wanted=False)) == []


def test_a_service_of_the_user_does_not_protect_the_guard() -> None:
    """It has no more rights than the user."""
    (found,) = look_at(replace(WELL, protected=False))
    assert [each.command for each in found.remedies] == ["sudo sparkwell --system service install"]


def test_restarts_that_come_often() -> None:
    assert ids(replace(WELL, restarts=(("a", 3), ("b", 2)))) == ["crash-loop"]
