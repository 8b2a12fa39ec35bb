"""The box as the document of status tells it to the checks."""

from typing import Any

import pytest

from sparkwell.app.status.figures import box_state
from sparkwell.checks.box import look_at

STATUS: dict[str, Any] = {"instances": [], "memory": None, "restarts": {}}


def test_whom_the_guard_cannot_end_is_a_finding() -> None:
    guard = {"enabled": True, "running": True, "protected": True, "cannot_end": {"m": "not ours"}}
    (found,) = look_at(box_state({**STATUS, "guard": guard}))
    assert (found.id, found.evidence) == ("guard-cannot-end", ("m: not ours",))


@pytest.mark.parametrize("more", [{}, {"cannot_end": None}, {"cannot_end": {}}])
def test_a_guard_that_says_nothing_of_it_ends_all(more: dict[str, Any]) -> None:
    guard = {"enabled": True, "running": True, "protected": True, **more}
    assert look_at(box_state({**STATUS, "guard": guard})) == ()


def test_a_door_that_is_open_to_all_is_a_finding() -> None:
    (found,) = look_at(box_state({**STATUS, "open_to_all": "0.0.0.0:8000"}))
    assert (found.id, found.severity.value) == ("open-to-all", "warning")
    assert found.evidence == ("gateway.auth: none on 0.0.0.0:8000",)
    assert "sparkwell keys add NAME" in [each.command for each in found.remedies]
    assert look_at(box_state({**STATUS, "open_to_all": None})) == ()


def test_keys_that_are_lost_are_a_finding() -> None:
    (found,) = look_at(box_state({**STATUS, "keys_lost": "The keys are lost: …"}))
    assert (found.id, found.severity.value) == ("keys-lost", "error")
    assert found.evidence == ("The keys are lost: …",)
    assert "sparkwell keys reset --yes" in [each.command for each in found.remedies]
    assert look_at(box_state({**STATUS, "keys_lost": None})) == ()
