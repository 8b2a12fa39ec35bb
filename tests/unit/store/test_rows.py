"""Intents, breakers, restarts, residents: what they keep, and for how long."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from sparkwell.store import (
    BreakerRow,
    Breakers,
    Intent,
    Intents,
    Resident,
    Residents,
    Restart,
    Restarts,
    Runs,
    open_database,
)
from sparkwell.store.access import Database, Plain
from sparkwell.store.breakers import KEPT_LINES


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(tmp_path / "sparkwell.db")) as connection:
        yield Plain(connection)


# ── intents ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def intents(database: Database) -> Intents:
    ticks = count(100)
    return Intents(database, lambda: float(next(ticks)), "boot-1")


def test_an_intent_is_open_until_it_is_finished(intents: Intents) -> None:
    assert intents.open() == []
    first = intents.begin("switch", "m", "m-1", {"from": ["n"], "to": "m"})
    second = intents.begin("stop", "n", "n-1")
    assert intents.open() == [
        Intent(first, "switch", "m", "m-1", {"from": ["n"], "to": "m"}, 100.0, "boot-1"),
        Intent(second, "stop", "n", "n-1", {}, 101.0, "boot-1"),
    ]
    intents.finish(first, "done")
    assert [each.id for each in intents.open()] == [second]


@pytest.mark.parametrize(
    ("then", "now", "another"),
    [
        ("boot-1", "boot-2", True),
        ("boot-1", "boot-1", False),
        (None, "b", False),
        ("b", None, False),
    ],
)
def test_an_intent_says_whether_the_machine_was_booted_since(
    database: Database, then: str | None, now: str | None, another: bool
) -> None:
    Intents(database, lambda: 0.0, then).begin("start", "m")
    [intent] = Intents(database, lambda: 0.0, now).open()
    assert intent.is_of_another_boot(now) is another


@pytest.mark.parametrize(
    ("kind", "waits"),
    [("start", True), ("wake", True), ("stop", False), ("sleep", False), ("switch", False)],
)
def test_what_may_take_the_machine_down_waits_for_the_disk(
    tmp_path: Path, kind: str, waits: bool
) -> None:
    with closing(open_database(tmp_path / "s.db")) as connection:
        said: list[str] = []
        connection.set_trace_callback(said.append)
        intents = Intents(connection, lambda: 0.0)
        intents.begin(kind, "m")
        assert ("PRAGMA synchronous = FULL" in said) is waits
        assert intents.open()[0].loads_memory is waits


def test_only_the_first_outcome_counts(intents: Intents, database: Database) -> None:
    number = intents.begin("start", "m")
    intents.finish(number, "done")
    intents.finish(number, "rolled back")
    intents.finish(number + 1, "there is none")
    assert database.rows("SELECT outcome, ended_at FROM intents") == [("done", 101.0)]


def test_finished_intents_are_bounded_and_open_ones_stay(
    intents: Intents, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkwell.store.intents.KEPT", 20)
    monkeypatch.setattr("sparkwell.store.intents.PRUNE_EVERY", 5)
    old = intents.begin("start", "m")
    for _ in range(200):
        intents.finish(intents.begin("stop", "m"), "done")
    [(kept,)] = database.rows("SELECT count(*) FROM intents")
    assert kept <= 20 + 5 + 1
    assert [each.id for each in intents.open()] == [old]


# ── breakers ────────────────────────────────────────────────────────────────────────────────

FOUND = ({"id": "cuda-oom", "evidence": ["line 1"], "about": None},)
ROW = BreakerRow("m", 1, 50.0, "out of memory", "m-1", ("line 1", "line 2"), while_starting=False,
                 first_findings=FOUND)  # fmt: skip


def test_a_breaker_comes_back(database: Database) -> None:
    breakers = Breakers(database)
    assert breakers.load() == {}
    other = replace(ROW, model="n", while_starting=True)
    breakers.save(ROW)
    breakers.save(other)
    assert Breakers(database).load() == {"m": ROW, "n": other}


def test_what_the_first_failure_said_stays(database: Database) -> None:
    breakers = Breakers(database)
    breakers.save(ROW)
    later = BreakerRow("m", 2, 90.0, "port taken", "m-2", ("echo",), while_starting=True)
    breakers.save(later)
    kept = replace(ROW, failures=2, not_before=90.0, while_starting=True)
    assert breakers.load() == {"m": kept}


@pytest.mark.parametrize("cleared", [True, False])
def test_after_it_was_well_the_next_failure_is_a_first_one(
    database: Database, cleared: bool
) -> None:
    breakers = Breakers(database)
    breakers.save(replace(ROW, failures=2))
    if cleared:
        breakers.clear("m")
        assert breakers.load() == {}
        breakers.clear("m")
    new = BreakerRow("m", 1, 200.0, "another", "m-9", ("new",))
    breakers.save(new)
    assert breakers.load() == {"m": new}


def test_of_a_log_only_the_last_lines_are_kept(database: Database) -> None:
    breakers = Breakers(database)
    breakers.save(replace(ROW, first_lines=tuple(str(n) for n in range(KEPT_LINES + 10))))
    lines = breakers.load()["m"].first_lines
    assert (len(lines), lines[-1]) == (KEPT_LINES, str(KEPT_LINES + 9))


def test_a_durable_write_waits_for_the_disk_and_others_do_not(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "s.db")) as connection:
        said: list[str] = []
        connection.set_trace_callback(said.append)
        Breakers(connection).save(ROW)
        Restarts(connection).add("m", "m-1", "why", 0.0)
        assert [each for each in said if "synchronous" in each] == [
            "PRAGMA synchronous = FULL",
            "PRAGMA synchronous = NORMAL",
        ]
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


# ── restarts ────────────────────────────────────────────────────────────────────────────────


def test_restarts_newest_first(database: Database) -> None:
    restarts = Restarts(database)
    for number in range(3):
        restarts.add("m", f"m-{number}", "the engine ended", float(number))
    restarts.add("n", "n-1", "hung", 9.0)
    assert restarts.since(1.0) == [
        Restart("n", "n-1", "hung", 9.0),
        Restart("m", "m-2", "the engine ended", 2.0),
        Restart("m", "m-1", "the engine ended", 1.0),
    ]
    assert restarts.since(9.5) == []


def test_restarts_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkwell.store.restarts.KEPT", 10)
    restarts = Restarts(database)
    for number in range(50):
        restarts.add("m", f"m-{number}", "why", 0.0)
    assert [each.instance for each in restarts.since(0.0)] == [
        f"m-{number}" for number in range(49, 39, -1)
    ]


# ── residents ───────────────────────────────────────────────────────────────────────────────

RESIDENTS = [Resident("b", '{"models": ["b"]}', 0), Resident("a", "{}", 1)]


def test_after_a_reboot_they_come_back_in_order(database: Database) -> None:
    residents = Residents(database)
    residents.set(reversed(RESIDENTS), "boot-1")
    assert residents.of_last_boot("boot-2") == RESIDENTS
    assert residents.of_this_boot("boot-2") == []


def test_after_a_restart_of_the_daemon_nothing_comes_back(database: Database) -> None:
    residents = Residents(database)
    residents.set(RESIDENTS, "boot-1")
    assert residents.of_last_boot("boot-1") == []
    assert residents.of_this_boot("boot-1") == RESIDENTS


@pytest.mark.parametrize(("then", "now"), [(None, "boot-1"), ("boot-1", None), (None, None)])
def test_without_a_boot_id_nobody_knows(
    database: Database, then: str | None, now: str | None
) -> None:
    residents = Residents(database)
    residents.set(RESIDENTS, then)
    assert residents.of_last_boot(now) == residents.of_this_boot(now) == []


def test_the_list_is_written_anew(database: Database) -> None:
    residents = Residents(database)
    residents.set(RESIDENTS, "boot-1")
    residents.set([Resident("c", "{}", 0)], "boot-2")
    assert residents.of_last_boot("boot-3") == [Resident("c", "{}", 0)]
    residents.set([], "boot-2")
    assert residents.of_last_boot("boot-3") == []


# ── runs ────────────────────────────────────────────────────────────────────────────────────


def test_what_is_known_of_a_run(database: Database) -> None:
    runs = Runs(database)
    assert (runs.kept("m-1"), runs.before("m-1")) == (None, None)
    runs.keep("m-1", kept=False)
    runs.saw("m-1", '{"a": 1}')
    assert (runs.kept("m-1"), runs.before("m-1")) == (False, '{"a": 1}')
    runs.keep("m-1", kept=True)
    assert (runs.kept("m-1"), runs.before("m-1")) == (True, '{"a": 1}')
    assert (runs.kept("m-2"), runs.before("m-2")) == (None, None)


def test_a_first_look_alone_says_nothing_of_who_wanted_it(database: Database) -> None:
    runs = Runs(database)
    runs.saw("m-1", "{}")
    assert (runs.kept("m-1"), runs.before("m-1")) == (None, "{}")


def test_runs_are_bounded_whatever_else_is_written(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkwell.store.runs.KEPT", 10)
    runs, restarts = Runs(database), Restarts(database)
    for number in range(30):
        runs.keep(f"m-{number}", kept=True)
    for _ in range(100):
        restarts.add("m", "m-1", "why", 0.0)
    runs.keep("m-29", kept=False)
    assert [runs.kept(f"m-{number}") for number in (19, 20, 29)] == [None, True, False]
