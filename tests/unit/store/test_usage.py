"""What keys used, by day: added up, found again, and not kept for ever."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.core.keys import UsageRow
from sparkwell.store import UsageLog, UsageQuery, open_database
from sparkwell.store import usage as usage_module

ROW = UsageRow("2026-05-09", "k", "m", 3, 1, 100, 50, 2)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[UsageLog]:
    with closing(open_database(tmp_path / "sparkwell.db")) as connection:
        yield UsageLog(connection)


def test_the_same_day_key_and_model_are_added_up(log: UsageLog) -> None:
    log.add([ROW, ROW])
    log.add([ROW, replace(ROW, model="n")])
    assert log.rows(UsageQuery()) == [
        UsageRow("2026-05-09", "k", "m", 9, 3, 300, 150, 6),
        replace(ROW, model="n"),
    ]
    log.add([])


def test_rows_are_found_by_day_key_and_model(log: UsageLog) -> None:
    rows = [
        replace(ROW, day=day, key_id=key, model=model)
        for day in ("2026-05-08", "2026-05-09")
        for key in ("", "k")
        for model in ("m", "n")
    ]
    log.add(rows)
    assert log.rows(UsageQuery()) == rows
    assert log.rows(UsageQuery(since="2026-05-09")) == rows[4:]
    assert log.rows(UsageQuery(model="n")) == rows[1::2]
    assert log.rows(UsageQuery(key_ids=("",))) == [rows[0], rows[1], rows[4], rows[5]]
    assert log.rows(UsageQuery(since="2026-05-09", model="m", key_ids=("k", "j"))) == [rows[6]]
    assert log.rows(UsageQuery(key_ids=())) == []
    assert log.last_days() == {"": "2026-05-09", "k": "2026-05-09"}


def test_old_days_are_forgotten(log: UsageLog) -> None:
    log.add([replace(ROW, day="2025-04-04"), replace(ROW, day="2025-04-03")])
    log.add([ROW])  # 400 days after the first
    assert [row.day for row in log.rows(UsageQuery())] == ["2025-04-04", "2026-05-09"]


def test_of_many_rows_the_oldest_days_go_but_never_the_newest(
    log: UsageLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_module, "KEPT_ROWS", 3)
    for day in ("2026-05-06", "2026-05-07", "2026-05-08"):
        log.add([replace(ROW, day=day), replace(ROW, day=day, model="n")])
    assert {row.day for row in log.rows(UsageQuery())} == {"2026-05-08"}
    log.add([replace(ROW, model=f"m{each}") for each in range(5)])
    assert len(log.rows(UsageQuery(since=ROW.day))) == 5


def test_a_model_with_half_a_surrogate_pair_is_counted(log: UsageLog) -> None:
    log.add([replace(ROW, model="m\ud800")])
    assert [row.model for row in log.rows(UsageQuery())] == ["m?"]


def test_a_transaction_that_fails_adds_nothing(log: UsageLog) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        log.add([ROW, replace(ROW, model="n", requests=None)])  # type: ignore[arg-type]
    assert log.rows(UsageQuery()) == []
