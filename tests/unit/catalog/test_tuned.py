"""Overlays: what one says, for whom it is, and what happens to files that are not right."""

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from tests.unit.catalog.overlays import SPARK_BYTES, overlay

from sparkwell.catalog.tuned import GOALS, Tuned, goal_of, profile_of
from sparkwell.catalog.tuned_files import (
    SHIPPED_TUNED,
    as_yaml,
    file_name,
    load_tuned,
    write_tuned,
)
from sparkwell.core.errors import EnvironmentFault

NAME = "qwen3-8b-fp8"
SAMPLE = as_yaml(overlay())


def found(folder: Path, **asked: Any) -> Tuned | None:
    usual: dict[str, Any] = {
        "recipe": NAME,
        "goal": "throughput",
        "machine": "dgx-spark",
        "version": "0.25.0",
    }
    return load_tuned([folder]).find(**{**usual, **asked})


def complaint(folder: Path, text: str | bytes) -> str:
    file = folder / "bad.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    loaded = load_tuned([folder])
    assert len(loaded.problems) == 1
    return loaded.problems[0].replace(str(file), "bad.yaml")


def line_of(text: str, start: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.strip().startswith(start))


def test_the_shipped_overlays_are_right() -> None:
    assert load_tuned().problems == ()
    assert SHIPPED_TUNED.is_dir()


def test_every_goal_has_a_profile_and_no_other_profile_has_a_goal() -> None:
    assert [goal_of(profile_of(goal)) for goal in GOALS] == list(GOALS)
    assert [goal_of(each) for each in ("throughput", "balanced", "tuned-", "tuned-x", None)] == (
        [None] * 5
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"slo": {"ttft_s": 0.5, "tpot_s": 0.05}, "goal": "goodput"},
        {"version": "0.10", "gpus": 8, "total_bytes": SPARK_BYTES, "before_profile": "latency"},
        {"flags": {"quantization": "no", "a": "1e3", "b": 1e-05, "c": False, "d": 0}},
    ],
)
def test_what_is_written_is_what_is_read(tmp_path: Path, changes: dict[str, Any]) -> None:
    tuned = overlay(**changes)
    file = write_tuned(tmp_path / "config" / "tuned", tuned)
    loaded = load_tuned([file.parent])
    assert loaded.problems == ()
    assert loaded.overlays[-1] == tuned
    assert loaded.overlays[-1].evidence.date == datetime.date(2026, 11, 22)


def test_a_file_is_named_after_whom_it_is_for() -> None:
    assert file_name(overlay()) == f"{NAME}.dgx-spark.0.25.0.throughput.yaml"
    assert file_name(overlay(gpus=8)) == f"{NAME}.dgx-spark-x8.0.25.0.throughput.yaml"
    version = "0.10.1.1+381074ae.nv25.09"
    assert file_name(overlay(version=version)) == f"{NAME}.dgx-spark.{version}.throughput.yaml"


def test_the_one_that_was_there_is_kept(tmp_path: Path) -> None:
    first, second = overlay(flags={"max_num_seqs": 1}), overlay(flags={"max_num_seqs": 2})
    file = write_tuned(tmp_path, first)
    assert write_tuned(tmp_path, second) == file
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, f"{file.name}.old"]
    assert yaml.safe_load((tmp_path / f"{file.name}.old").read_text())["flags"] == first.flags
    mine = [each for each in load_tuned([tmp_path]).of(NAME) if each.machine == second.machine]
    assert [each.flags for each in mine] == [second.flags]


def test_where_it_cannot_be_written_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "tuned").write_text("a file")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_tuned(tmp_path / "tuned", overlay())
    taken = tmp_path / file_name(overlay())
    taken.mkdir()
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_tuned(tmp_path, overlay())
    assert sorted(path.name for path in tmp_path.iterdir()) == [taken.name, "tuned"]


@pytest.mark.parametrize(
    "asked",
    [
        {"recipe": "qwen3-8b"},
        {"goal": "latency"},
        {"machine": "h100-80gb"},
        {"version": "0.25.1"},
        {"gpus": 2},
        {"total_bytes": SPARK_BYTES // 2},
    ],
)
def test_it_is_for_nobody_else(tmp_path: Path, asked: dict[str, Any]) -> None:
    tuned = overlay(total_bytes=SPARK_BYTES)
    write_tuned(tmp_path, tuned)
    assert found(tmp_path, gpus=1, total_bytes=SPARK_BYTES) == tuned
    assert found(tmp_path, **asked) is None


def test_a_little_more_memory_is_the_same_machine(tmp_path: Path) -> None:
    write_tuned(tmp_path, overlay(total_bytes=SPARK_BYTES))
    assert found(tmp_path, total_bytes=round(SPARK_BYTES * 1.04))
    assert not found(tmp_path, total_bytes=round(SPARK_BYTES * 1.06))


@pytest.mark.parametrize(
    ("before", "back"),
    [("latency", "latency"), ("tuned-latency", "tuned-latency"), ("tuned-throughput", "balanced")],
)
def test_the_way_back_is_never_to_itself(before: str, back: str) -> None:
    assert overlay(before_profile=before).way_back == back


def test_a_later_folder_wins(tmp_path: Path) -> None:
    for folder, seqs in (("a", 1), ("b", 2)):
        write_tuned(tmp_path / folder, overlay(flags={"max_num_seqs": seqs}))
    loaded = load_tuned([tmp_path / "a", tmp_path / "b", tmp_path / "nowhere"])
    chosen = loaded.find(NAME, "throughput", "dgx-spark", "0.25.0")
    assert chosen is not None
    assert chosen.flags == {"max_num_seqs": 2}


def test_a_bad_file_is_a_problem_and_the_others_still_load(tmp_path: Path) -> None:
    write_tuned(tmp_path, overlay())
    (tmp_path / "broken.yaml").write_text("goal: [")
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "other.yaml").write_text(SAMPLE.replace("recipe: qwen", "recipes: qwen"))
    loaded = load_tuned([tmp_path])
    assert found(tmp_path) is not None
    assert len(loaded.problems) == 3
    assert "did you mean 'recipe'?" in loaded.problems[-1]


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        (("goal: throughput", "goal: speed"), "goal", "'throughput', 'latency'"),
        (("version: 0.25.0", "version: 0.25"), "version", "valid string (got 0.25)"),
        (("version: 0.25.0", "version: ../0.25"), "version", "should match pattern"),
        (("machine: dgx-spark", "machine: a/b"), "machine", "should match pattern"),
        (("gpus: 1", "gpus: 0"), "gpus", "greater than 0"),
        (("trials: 24", "trials: 0"), "evidence.trials", "greater than 0"),
        (("date: 2026-11-22", "date: today"), "evidence.date", "valid date"),
        (("ratio: 1.26", "ratio: .nan"), "evidence.rows[0].ratio", "finite number"),
        (("max_num_seqs: 192", "max_num_seqs: [1]"), "flags.max_num_seqs", "valid boolean"),
    ],
)
def test_a_complaint_names_the_line_and_the_field(
    tmp_path: Path, change: tuple[str, str], field: str, said: str
) -> None:
    text = SAMPLE.replace(*change)
    assert text != SAMPLE
    line = line_of(text, change[1])
    complained = complaint(tmp_path, text)
    assert complained.startswith(f"bad.yaml:{line}: {field}: ")
    assert said in complained


def test_evidence_without_a_row_is_none(tmp_path: Path) -> None:
    data = yaml.safe_load(SAMPLE)
    data["evidence"]["rows"] = []
    assert "evidence.rows: " in complaint(tmp_path, yaml.safe_dump(data))
    assert "this file cannot be read" in complaint(tmp_path, b"\xff\xfe\x00\x01")


def test_hosts_without_a_gpu_are_told_apart_by_their_memory(tmp_path: Path) -> None:
    """All of them are called cpu: two of one home must not write over each other's."""
    small, large = (overlay(machine="cpu", total_bytes=size * 2**30) for size in (24, 64))
    assert write_tuned(tmp_path, small) != write_tuned(tmp_path, large)
    assert file_name(small) == "qwen3-8b-fp8.cpu-24gib.0.25.0.throughput.yaml"
    assert found(tmp_path, machine="cpu", total_bytes=64 * 2**30) == large
    with pytest.raises(ValidationError, match="needs total_bytes"):
        overlay(machine="cpu")
