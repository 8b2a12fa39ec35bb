"""The store: its schema over versions and accidents, and the history of starts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.phases import BEFORE_LAUNCH, Phase
from sparkwell.store import History, open_database
from sparkwell.store.history import _NEWEST_FIRST, KEPT
from sparkwell.store.schema import MIGRATIONS

SPEC = LaunchSpec("i1", "m", "vllm", "1", ("engine",), Endpoint(port=1))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sparkwell.db"


@pytest.fixture
def db(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_database(file)) as connection:
        yield connection


def version(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


# ── the schema ──────────────────────────────────────────────────────────────────────────────


def test_a_new_file_gets_the_newest_schema(db: sqlite3.Connection) -> None:
    assert version(db) == len(MIGRATIONS)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert {"phase_history", "phase_history_newest"} <= tables


def test_a_file_is_opened_again_with_what_is_in_it(file: Path) -> None:
    with closing(open_database(file)) as first:
        History(first).add(SPEC, {Phase.WEIGHTS: 3.0}, 0.0)
    with closing(open_database(file)) as second:
        assert History(second).expected("m", "vllm", "1") == {Phase.WEIGHTS: 3.0}
        assert version(second) == len(MIGRATIONS)


@pytest.mark.parametrize("start", range(len(MIGRATIONS)))
def test_every_older_schema_is_brought_up_to_date(file: Path, start: int) -> None:
    with closing(sqlite3.connect(file)) as old:
        for statements in MIGRATIONS[:start]:
            old.executescript(statements)
        old.execute(f"PRAGMA user_version = {start}")
    with closing(open_database(file)) as connection:
        assert version(connection) == len(MIGRATIONS)
        History(connection).add(SPEC, {Phase.WEIGHTS: 3.0}, 0.0)


def test_a_newer_schema_is_refused_and_left_alone(file: Path) -> None:
    with closing(sqlite3.connect(file)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(EnvironmentFault) as caught:
        open_database(file)
    assert caught.value.message == (
        f"The store {file} was written by a newer Sparkwell (schema 99, this one knows "
        f"{len(MIGRATIONS)})."
    )
    assert "Install the newer version again" in (caught.value.hint or "")
    with closing(sqlite3.connect(file)) as newer:
        assert version(newer) == 99


def test_a_broken_file_says_what_to_do(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(EnvironmentFault, match="cannot be used: file is not a database") as caught:
        open_database(file)
    assert str(file) in caught.value.message
    assert "Move the file away" in (caught.value.hint or "")
    assert file.read_bytes().startswith(b"this is no database")


def test_a_missing_folder_is_a_fault_too(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        open_database(tmp_path / "no" / "sparkwell.db")


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(file).close()
    broken = (*MIGRATIONS, "CREATE TABLE half (x); CREATE TABLE phase_history (y)")
    monkeypatch.setattr("sparkwell.store.schema.MIGRATIONS", broken)
    with pytest.raises(EnvironmentFault, match="already exists"):
        open_database(file)
    with closing(sqlite3.connect(file)) as connection:
        assert version(connection) == len(MIGRATIONS)
        found = connection.execute("SELECT * FROM sqlite_master WHERE name = 'half'").fetchall()
        assert found == []


# ── the history ─────────────────────────────────────────────────────────────────────────────


def test_nothing_seen_nothing_expected(db: sqlite3.Connection) -> None:
    assert History(db).expected("m", "vllm", "1") == {}


def test_the_median_of_the_newest_five(db: sqlite3.Connection) -> None:
    history = History(db)
    for took in (1000.0, 1000.0, 1.0, 9.0, 3.0, 5.0, 7.0):  # the first two are forgotten
        history.add(SPEC, {Phase.LAUNCH: took, Phase.WEIGHTS: 2 * took}, 0.0)
    assert history.expected("m", "vllm", "1") == {Phase.LAUNCH: 5.0, Phase.WEIGHTS: 10.0}


def test_the_longest_of_all_that_are_remembered(db: sqlite3.Connection) -> None:
    history = History(db)
    assert history.longest("m", "vllm", "1") == {}
    for took in (1000.0, 1.0, 9.0, 3.0, 5.0, 7.0, 2.0):
        history.add(SPEC, {Phase.LAUNCH: took, Phase.WEIGHTS: 2 * took}, 0.0)
    assert history.longest("m", "vllm", "1") == {Phase.LAUNCH: 1000.0, Phase.WEIGHTS: 2000.0}
    assert history.longest("m", "vllm", "2") == {}


def test_one_outlier_does_not_matter(db: sqlite3.Connection) -> None:
    history = History(db)
    for took in (10.0, 11.0, 600.0):
        history.add(SPEC, {Phase.WEIGHTS: took}, 0.0)
    assert history.expected("m", "vllm", "1") == {Phase.WEIGHTS: 11.0}


def test_starts_with_all_phases_are_remembered_five_deep(db: sqlite3.Connection) -> None:
    history = History(db)
    for took in (1.0, 2.0, 3.0, 4.0, 5.0):
        history.add(SPEC, dict.fromkeys(Phase, took), 0.0)
    kept = [phase for phase in Phase if phase not in BEFORE_LAUNCH]  # the next fetches nothing
    assert history.expected("m", "vllm", "1") == dict.fromkeys(kept, 3.0)


@pytest.mark.parametrize(
    "other", [("n", "vllm", "1"), ("m", "ollama", "1"), ("m", "vllm", "2")], ids=str
)
def test_model_engine_and_version_are_told_apart(
    db: sqlite3.Connection, other: tuple[str, str, str]
) -> None:
    history = History(db)
    history.add(SPEC, {Phase.WEIGHTS: 3.0}, 0.0)
    assert history.expected(*other) == {}


def test_the_newest_starts_are_found_without_sorting_all(db: sqlite3.Connection) -> None:
    """It is asked for on the event loop, for each request that waits and each status."""
    plan = db.execute(f"EXPLAIN QUERY PLAN {_NEWEST_FIRST}", ("m", "vllm", "1", 65)).fetchall()
    told = " ".join(str(row[3]) for row in plan)
    assert "phase_history_newest" in told
    assert "TEMP B-TREE" not in told


def test_old_starts_are_forgotten_and_no_other_models(db: sqlite3.Connection) -> None:
    history = History(db)
    history.add(replace(SPEC, model="n"), {Phase.WEIGHTS: 3.0}, 0.0)
    for took in range(1000):
        history.add(SPEC, dict.fromkeys(Phase, float(took)), float(took))
    kept = [phase for phase in Phase if phase not in BEFORE_LAUNCH]
    found = db.execute("SELECT count(*), min(seconds) FROM phase_history WHERE model = 'm'")
    assert found.fetchone() == (KEPT * len(kept), 1000.0 - KEPT)
    assert history.expected("m", "vllm", "1") == dict.fromkeys(kept, 997.0)
    assert history.last("m", "vllm", "1") == dict.fromkeys(kept, 999.0)
    assert history.expected("n", "vllm", "1") == {Phase.WEIGHTS: 3.0}


def test_a_clock_that_was_set_back_counts_as_nothing(db: sqlite3.Connection) -> None:
    history = History(db)
    history.add(SPEC, {Phase.WEIGHTS: -3.0}, 0.0)
    assert history.expected("m", "vllm", "1") == {Phase.WEIGHTS: 0.0}


def test_a_start_that_cannot_be_written_does_not_block_the_next(db: sqlite3.Connection) -> None:
    history = History(db)
    db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON phase_history WHEN new.phase = 'weights' "
        "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    with pytest.raises(sqlite3.Error, match="the disk is full"):
        history.add(SPEC, {Phase.LAUNCH: 1.0, Phase.WEIGHTS: 2.0}, 0.0)
    db.execute("DROP TRIGGER full")
    history.add(SPEC, {Phase.WEIGHTS: 3.0}, 0.0)
    assert history.expected("m", "vllm", "1") == {Phase.WEIGHTS: 3.0}
