"""The guard's folder: what it reads, what it appends, and what the daemon reads of it."""

import json
from pathlib import Path

import pytest

from sparkwell.guard import files
from sparkwell.guard.rules import GIB
from sparkwell.guard.status import status_of
from sparkwell.guard.trips import Cursor, load_cursor, trip_of, unread

TARGET = {
    "instance": "i",
    "model": "m",
    "started_at": 5,
    "pid": 42,
    "start_ticks": 7,
    "keeper": None,
    "keeper_ticks": None,
    "cgroup": None,
}
TRIP = {
    "at": 1.0,
    "kind": "soft",
    "action": "term",
    "instance": "i",
    "model": "m",
    "reason": "r",
    "available_bytes": 7,
    "signalled": [42],
    "refused": {},
    "trace": {},
}


def document(tmp_path: Path, **values: object) -> str:
    path = tmp_path / files.TARGETS
    path.write_text(json.dumps({"boot_id": "b", "limits": {}, "targets": [TARGET]} | values))
    return str(path)


def test_targets_and_limits_are_read(tmp_path: Path) -> None:
    given = {"soft_floor_bytes": 6 * GIB, "sample_s": 0.5}
    limits, targets = files.read_targets(document(tmp_path, limits=given), "b")
    assert (limits.soft_floor_bytes, limits.hard_floor_bytes) == (6 * GIB, 4 * GIB)
    assert limits.sample_s == 0.5
    assert [(each.instance, each.pid, each.started_at) for each in targets] == [("i", 42, 5.0)]


def test_targets_of_another_boot_are_none(tmp_path: Path) -> None:
    assert files.read_targets(document(tmp_path), "another")[1] == []


@pytest.mark.parametrize(
    "values", [{"targets": [{}]}, {"targets": 5}, {"limits": {"sample_s": "x"}}, {"limits": [1]}]
)
def test_a_wrong_document_is_a_value_error(tmp_path: Path, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        files.read_targets(document(tmp_path, **values), "b")


def append(folder: Path, *instances: str) -> None:
    for instance in instances:
        files.append_line(str(folder), TRIP | {"instance": instance})


def test_trips_are_read_from_where_one_was(tmp_path: Path) -> None:
    append(tmp_path, "a", "b")
    found = list(unread(tmp_path, Cursor()))
    assert [trip.instance for trip, _ in found] == ["a", "b"]
    assert [trip.instance for trip, _ in unread(tmp_path, found[0][1])] == ["b"]
    assert list(unread(tmp_path, found[1][1])) == []
    append(tmp_path, "c")
    assert [trip.instance for trip, _ in unread(tmp_path, found[1][1])] == ["c"]


def test_no_trip_is_lost_when_the_file_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(tmp_path, "a")
    ((_, cursor),) = unread(tmp_path, Cursor())
    monkeypatch.setattr(files, "TRIPS_BYTES", 10)
    append(tmp_path, "b")
    assert not (tmp_path / files.TRIPS).exists()
    monkeypatch.undo()
    append(tmp_path, "c")
    assert [trip.instance for trip, _ in unread(tmp_path, cursor)] == ["b", "c"]


def test_half_a_line_is_left_for_later_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    append(tmp_path, "a")
    with (tmp_path / files.TRIPS).open("ab") as file:
        file.write(b"{damaged}\n" + json.dumps(TRIP).encode())
    assert [trip.instance for trip, _ in unread(tmp_path, Cursor())] == ["a"]
    with (tmp_path / files.TRIPS).open("ab") as file:
        file.write(b"\n")
    assert [trip.instance for trip, _ in unread(tmp_path, Cursor())] == ["a", "i"]


def test_a_trip_is_read_whole() -> None:
    trip = trip_of(json.dumps(TRIP).encode())
    assert trip is not None
    assert (trip.action, trip.signalled, trip.available_bytes) == ("term", (42,), 7)


def test_a_cursor_that_is_damaged_is_the_beginning(tmp_path: Path) -> None:
    assert load_cursor(tmp_path / "none") == Cursor()
    (tmp_path / "c").write_text("[]")
    assert load_cursor(tmp_path / "c") == Cursor()
    (tmp_path / "c").write_text('{"inode": 5, "offset": 6}')
    assert load_cursor(tmp_path / "c") == Cursor(5, 6)


def test_status_without_a_guard_says_so() -> None:
    assert status_of(None)["running"] is False
    assert status_of(None)["why_not"] == ["no guard is running"]


def test_status_says_what_is_not_protected_and_who_cannot_be_ended() -> None:
    found = status_of({
        "pid": 7, "protected": {"memory_locked": True, "oom_protected": False},
        "why_not": ["no capability"], "cannot_end": {"i": "not permitted"},
    })  # fmt: skip
    assert (found["running"], found["pid"], found["protected"]) == (True, 7, False)
    assert found["why_not"] == ["no capability", "i cannot be ended: not permitted"]
