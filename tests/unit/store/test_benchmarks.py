"""Runs that were kept, one file each."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.bench.test_report import whole

from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.store.benchmarks import free_name, load, load_kept, runs, save


def run(name: str) -> dict[str, Any]:
    return {**whole(), "run": name}


def as_read(document: dict[str, Any]) -> Any:
    return json.loads(json.dumps(document))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("20260101-a", "20260102-b", "20260102-c"):
        save(tmp_path / "kept", run(name))
    return tmp_path / "kept"


def test_runs_are_listed_newest_first(folder: Path) -> None:
    assert runs(folder) == ["20260102-c", "20260102-b", "20260101-a"]


def test_two_of_the_same_second_are_both_kept(folder: Path) -> None:
    for _ in range(10):
        save(folder, run(free_name(folder, "20260102-c")))
    assert runs(folder)[:3] == ["20260102-c-11", "20260102-c-10", "20260102-c-9"]
    assert runs(folder)[-3:] == ["20260102-c", "20260102-b", "20260101-a"]
    assert load(folder, "20260102-c")["run"] == "20260102-c"


def test_no_run_takes_the_place_of_another(folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match="could not be kept"):
        save(folder, {**run("20260102-c"), "model": "another"})
    assert load(folder, "20260102-c")["model"] != "another"
    assert {each.suffix for each in folder.iterdir()} == {".json"}


def test_none_is_no_error(tmp_path: Path) -> None:
    assert runs(tmp_path / "nothing") == []


@pytest.mark.parametrize("name", ["20260101-a", "20260101", "3"])
def test_a_run_is_found_by_what_tells_it_apart(folder: Path, name: str) -> None:
    assert load(folder, name) == as_read(run("20260101-a"))


def test_a_file_is_found_as_one(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(run("x")))
    assert load(folder, str(file))["run"] == "x"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("20260102", "2 runs begin with"),
        ("2027", "no run '2027'"),
        ("9", "no run '9'"),
        ("0", "no run '0'"),
        ("", "no run ''"),
        ("gone.json", "cannot be read"),
    ],
)
def test_what_names_none_is_told(folder: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(folder, name)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"format": 1}', json.dumps({**whole(), "cases": [{}]})]
)
def test_another_file_is_no_run(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(UsageError, match="is no run of"):
        load(tmp_path, str(file))


def test_bytes_are_no_run(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no run of"):
        load(tmp_path, "a")


def test_one_of_a_newer_sparkwell_is_left_alone(tmp_path: Path) -> None:
    save(tmp_path, {**run("a"), "format": 2})
    with pytest.raises(UsageError, match="has format 2"):
        load(tmp_path, "a")


def test_a_page_reads_what_was_kept_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(json.dumps(run("secret")))
    assert load_kept(folder, "20260101-a")["run"] == "20260101-a"
    for name in ("../secret", "../secret.json", str(tmp_path / "secret.json"), "1", ""):
        with pytest.raises(UsageError, match="There is no run"):
            load_kept(folder, name)


def test_a_run_that_cannot_be_kept_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="could not be kept"):
        save(tmp_path / "file" / "kept", run("a"))
    with pytest.raises(TypeError):
        save(tmp_path, {**run("a"), "cases": object()})
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
