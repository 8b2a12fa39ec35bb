"""Where a report lies, and whether it can."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.app.verifying.test_report import whole

from sparkwell.app.verifying.files import must_take, place, read, write
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError


def test_a_folder_gets_a_name_of_model_and_time(tmp_path: Path) -> None:
    assert (
        place(tmp_path, "org/a b", 0.0)
        == tmp_path / "sparkwell-verify-org-a-b-19700101-000000.json"
    )
    assert place(tmp_path / "mine.json", "m", 0.0) == tmp_path / "mine.json"


def test_without_a_place_it_is_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = place(None, "m", 0.0)
    must_take(file)
    write(file, {"a": 1})
    assert [each.name for each in tmp_path.iterdir()] == ["sparkwell-verify-m-19700101-000000.json"]


def test_a_trial_leaves_nothing(tmp_path: Path) -> None:
    must_take(tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(ConflictError, match="exists already"):
        must_take(tmp_path / "a.json")
    with pytest.raises(EnvironmentFault):
        write(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").read_text() == "mine"


@pytest.mark.parametrize("where", ["none/a.json", "file/a.json"])
def test_a_place_that_takes_nothing_is_told_before(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be written") as raised:
        must_take(tmp_path / where)
    assert "--output" in (raised.value.hint or "")


def test_a_full_disk_is_told_before() -> None:
    """/dev/full answers every write as a full disk does; here it cannot even have a file."""
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        must_take(Path("/dev/full/a.json"))


def test_what_was_written_is_read_again_and_belongs_to_one_user(tmp_path: Path) -> None:
    file, report = tmp_path / "a.json", whole()
    assert write(file, report) == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert read(file) == report


def spoilt(tmp_path: Path, **others: Any) -> Path:
    file = tmp_path / "a.json"
    file.write_text(json.dumps({**whole(), **others}))
    return file


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"figures": [{"name": 1}]}, "no report"),
        ({"steps": None}, "no report"),
        ({"doctor": {}}, "no report"),
        ({"summary": {}}, "no report"),
        ({"format": 99}, "has format sparkwell-verify 99"),
        ({"kind": "other"}, "has format other 1"),
        ({"measured": {"bench": [1]}}, "no report"),
        ({"measured": {"bench": {"cases": 5}}}, "no report"),
        ({"measured": {"bench": {"cases": [{"name": "a", "notes": 3}]}}}, "no report"),
        (
            {"steps": [{"name": "up", "state": "failed", "seconds": 1, "why": "w", "hint": 5}]},
            "no report",
        ),
    ],
)
def test_what_is_no_report_is_told(tmp_path: Path, others: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(spoilt(tmp_path, **others))


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", "\xff", "[" * 100_000])
def test_any_other_file_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match="no report"):
        read(file)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="it is no file"):
        read(tmp_path / "pipe")


def test_a_file_that_is_too_large_is_told_as_that(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with file.open("wb") as opened:
        opened.truncate(64_000_001)
    with pytest.raises(UsageError, match=r"larger than one can be \(64 MB\)"):
        read(file)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.json")
