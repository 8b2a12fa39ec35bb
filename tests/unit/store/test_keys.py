"""Keys in the store: whole, in their order, and nothing taken for a key that is none."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.core.keys import Key
from sparkwell.store import Keys, open_database

KEY = Key(
    id="key-00000001",
    name="bob",
    digest=b"\x00" * 31 + b"\xff",
    hint="aaaa",
    created_at=1.5,
    models=("a", "ollama/b:1"),
    rpm=1,
    tpm=1_000_000_000,
    concurrency=3,
    priority=-5,
    expires_at=2.5,
    revoked_at=3.5,
    former_digest=b"\x01" * 32,
    former_until=4.5,
)
PLAIN = Key("key-00000002", "älice b", b"\x02" * 32, "bbbb", 0.5)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_database(tmp_path / "sparkwell.db")) as connection:
        yield connection


def test_what_was_put_is_there_oldest_first(db: sqlite3.Connection) -> None:
    keys = Keys(db)
    assert (keys.all(), keys.count()) == ([], 0)
    keys.replace([KEY, PLAIN])
    assert (keys.all(), keys.count()) == ([PLAIN, KEY], 2)


def test_a_change_waits_for_the_disk(db: sqlite3.Connection) -> None:
    said: list[str] = []
    db.set_trace_callback(said.append)
    Keys(db).replace([KEY])
    waits, commits = said.index("PRAGMA synchronous = FULL"), said.index("COMMIT")
    assert waits < commits < said.index("PRAGMA synchronous = NORMAL")


def test_all_are_replaced_at_once_or_not_at_all(db: sqlite3.Connection) -> None:
    keys = Keys(db)
    keys.replace([KEY])
    with pytest.raises(sqlite3.IntegrityError):
        keys.replace([PLAIN, replace(PLAIN, id="key-3", rpm=0)])
    assert keys.all() == [KEY]
    keys.replace([])
    assert keys.all() == []


def test_secrets_are_not_in_the_file_only_their_digests(tmp_path: Path) -> None:
    file = tmp_path / "sparkwell.db"
    with closing(open_database(file)) as connection:
        Keys(connection).replace([KEY])
    assert KEY.digest in file.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        "digest = 'text'",
        "models = 'no JSON'",
        "models = '{}'",
        "models = '[1]'",
        "former_digest = 'text'",
    ],
)
def test_a_row_that_is_no_key_is_not_taken_for_one(db: sqlite3.Connection, change: str) -> None:
    keys = Keys(db)
    keys.replace([KEY])
    db.execute(f"UPDATE keys SET {change}")  # noqa: S608
    with pytest.raises(ValueError, match=r"digest of key|models of key|Expecting value"):
        keys.all()
