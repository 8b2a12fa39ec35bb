"""The store beside bad disks: broken, full, read-only and locked files; nothing stops a daemon."""

import logging
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.events import Event
from sparkwell.store import BreakerRow, Notice, Store
from sparkwell.store.faults import Fault, fault_of, remedy
from sparkwell.store.keeping import put_aside
from sparkwell.store.schema import MIGRATIONS
from sparkwell.store.store import RETRY_S

BROKEN_NAME = "sparkwell.db.broken-20260509T140322Z"
AT = 1_778_335_402.0  # 2026-05-09 14:03:22 UTC


class Clock:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at

    def pass_by(self, seconds: float = RETRY_S) -> None:
        self.at += seconds


class Case:
    """A store that is opened again and again, and what it told."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.clock = Clock()
        self.notices: list[Notice] = []

    def open(self) -> Store:
        store = Store(self.file, clock=self.clock, now=lambda: AT)
        store.tell(self.notices.append)
        return store

    @property
    def told(self) -> list[str]:
        return [notice.kind for notice in self.notices]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sparkwell.db"


@pytest.fixture
def case(file: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr("sparkwell.store.database._WRITING_PATIENCE_S", 0.01)
    return Case(file)


def beside(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def kinds(store: Store) -> list[str]:
    return [intent.kind for intent in store.intents.open()]


# ── a file that is well ─────────────────────────────────────────────────────────────────────


def test_everything_is_there_again(case: Case) -> None:
    with closing(case.open()) as store:
        store.events.add([Event(1, AT, "a", "A")])
        store.intents.begin("start", "m")
    with closing(case.open()) as store:
        assert (store.events.last(), kinds(store), store.fault) == (1, ["start"], None)
        assert store.try_again()
    assert case.notices == []
    assert beside(case.file) == ["sparkwell.db"]


def test_a_newer_schema_is_still_refused(case: Case) -> None:
    with closing(sqlite3.connect(case.file)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(EnvironmentFault, match="written by a newer Sparkwell"):
        case.open()
    assert beside(case.file) == ["sparkwell.db"]


def test_somebody_elses_database_is_refused_and_left_alone(case: Case) -> None:
    with closing(sqlite3.connect(case.file)) as other:
        other.execute("CREATE TABLE phase_history (theirs)")
    with pytest.raises(EnvironmentFault, match="already exists"):
        case.open()
    with closing(sqlite3.connect(case.file)) as other:
        assert other.execute("SELECT count(theirs) FROM phase_history").fetchone() == (0,)


def test_a_mistake_of_ours_is_not_hidden(case: Case) -> None:
    with closing(case.open()) as store:
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            store.rows("SELECT * FROM no_table")
        with pytest.raises(sqlite3.IntegrityError):
            store.breakers.save(BreakerRow("m", 0, 0.0, "", ""))
        assert store.fault is None
        store.intents.begin("start")  # no transaction is left open
    assert case.notices == []


# ── a broken file ───────────────────────────────────────────────────────────────────────────


def torn(file: Path) -> None:
    """A good beginning, then nonsense."""
    with closing(Store(file)) as store:
        for number in range(200):
            store.restarts.add("m", f"i{number}", "x" * 50, AT)
    data = bytearray(file.read_bytes())
    data[8192:-4096] = os.urandom(len(data) - 12_288)
    file.write_bytes(data)


def nonsense(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)


@pytest.mark.parametrize("spoil", [torn, nonsense])
def test_a_broken_file_is_kept_aside_and_a_new_one_begun(
    case: Case, spoil: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(spoil)
    spoil(case.file)
    before = case.file.read_bytes()
    with closing(case.open()) as store:
        store.intents.begin("start")
        assert (kinds(store), store.fault, store.restarts.since(0.0)) == (["start"], None, [])
    assert beside(case.file) == ["sparkwell.db", BROKEN_NAME]
    assert case.file.with_name(BROKEN_NAME).read_bytes() == before
    assert case.told == ["store.renewed"]
    assert f"it is kept as {case.file.with_name(BROKEN_NAME)}" in case.notices[0].message
    assert "store.renewed" in [record.__dict__.get("action") for record in caplog.records]
    case.open().close()
    assert case.told == ["store.renewed"]  # said once


def test_a_second_broken_file_does_not_replace_the_first(case: Case) -> None:
    for _ in range(3):
        nonsense(case.file)
        case.open().close()
    assert beside(case.file) == ["sparkwell.db", *(BROKEN_NAME + n for n in ("", "-2", "-3"))]


def test_what_belongs_to_a_broken_file_goes_with_it(case: Case) -> None:
    """Beside a new file, the old log would be taken for its own."""
    store = case.open()
    store.intents.begin("start")
    log = case.file.with_name("sparkwell.db-wal").read_bytes()
    store.close()
    case.file.with_name("sparkwell.db-wal").write_bytes(log)
    kept = put_aside(case.file, AT)
    assert beside(case.file) == [BROKEN_NAME, f"{BROKEN_NAME}-wal"]
    assert kept == case.file.with_name(BROKEN_NAME)
    with closing(Store(kept)) as old:
        assert kinds(old) == ["start"]


def test_a_file_that_breaks_while_it_is_used(case: Case) -> None:
    with closing(case.open()) as store:
        for number in range(200):
            store.restarts.add("m", f"i{number}", "x" * 50, AT)
    with closing(case.open()) as store:
        data = bytearray(case.file.read_bytes())
        data[4096:] = os.urandom(len(data) - 4096)
        with case.file.open("r+b") as spoilt:
            spoilt.write(data)
        store.rows("PRAGMA shrink_memory")
        store.rows("PRAGMA cache_size = 0")
        assert store.restarts.since(0.0) == []
        store.restarts.add("m", "new", "why", AT)
        assert [each.instance for each in store.restarts.since(0.0)] == ["new"]
        assert store.fault is None
    assert case.told == ["store.renewed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a file immutable")
def test_a_broken_file_that_cannot_be_moved_is_left_alone(case: Case) -> None:
    nonsense(case.file)
    with mounted_read_only(case.file.parent), closing(case.open()) as store:
        store.intents.begin("start")
        case.clock.pass_by()
        assert (kinds(store), store.fault) == (["start"], Fault.BROKEN)
    assert case.told == ["store.degraded"]
    assert case.file.read_bytes().startswith(b"this is no database")


@contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    words = ["mount", "--bind", "-o", "ro", str(folder), str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not allow mounting")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# ── a file that cannot be written for a while ───────────────────────────────────────────────


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_locked_file_is_done_without_and_written_later(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with closing(case.open()) as store:
        first = store.intents.begin("before")
        with locked(case.file):
            store.intents.begin("during")
            store.intents.finish(first, "done")
            case.clock.pass_by()
            assert store.fault is Fault.LOCKED
            assert kinds(store) == ["during"]
        case.clock.pass_by(RETRY_S / 2)
        assert kinds(store) == ["during"]
        assert store.fault is Fault.LOCKED  # it is not tried again all the time
        case.clock.pass_by(RETRY_S / 2)
        store.intents.begin("after")
        assert case.told == ["store.degraded", "store.restored"]
        with closing(Store(case.file)) as again:  # it is on disk
            assert kinds(again) == ["during", "after"]
    assert "Close the other program" in (case.notices[0].hint or "")
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO]


def test_what_is_in_memory_is_written_at_the_end(case: Case) -> None:
    store = case.open()
    with locked(case.file):
        store.intents.begin("during")
    store.close()  # long before the next try
    with closing(case.open()) as again:
        assert kinds(again) == ["during"]


def test_what_cannot_be_written_at_the_end_is_said_to_be_lost(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    store = case.open()
    with locked(case.file):
        store.intents.begin("during")
        store.close()
    assert "could not be written is lost" in caplog.text
    with closing(case.open()) as again:
        assert kinds(again) == []


def test_a_notice_may_itself_become_an_event(case: Case) -> None:
    """The journal hears of a fault only when the write that met it is done elsewhere."""
    store = Store(case.file, clock=case.clock)
    store.tell(lambda notice: store.restarts.add("-", "-", notice.kind, AT))
    with locked(case.file):
        store.restarts.add("-", "-", "during", AT)
    assert [each.reason for each in store.restarts.since(0.0)] == ["store.degraded", "during"]
    store.close()


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    case = Case(tmp_path / "later" / "sparkwell.db")
    store = case.open()
    store.intents.begin("start")
    assert store.fault is Fault.UNREACHABLE
    case.file.parent.mkdir()
    case.clock.pass_by()
    assert store.try_again()
    store.close()
    with closing(case.open()) as again:
        assert kinds(again) == ["start"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_file_that_can_only_be_read(case: Case) -> None:
    with closing(case.open()) as store:
        store.intents.begin("before")
    with mounted_read_only(case.file.parent):
        store = case.open()
        assert kinds(store) == ["before"]
        store.intents.begin("during")
        assert kinds(store) == ["before", "during"]
    case.clock.pass_by()
    assert store.try_again()
    store.close()
    with closing(case.open()) as again:
        assert kinds(again) == ["before", "during"]


def test_what_cannot_be_read_is_never_written_over(case: Case) -> None:
    with closing(case.open()) as store:
        store.intents.begin("before")
    hidden = case.file.rename(case.file.with_name("hidden"))
    case.file.mkdir()  # something is there, and SQLite cannot open it
    with closing(case.open()) as store:
        store.intents.begin("during")
        assert kinds(store) == ["during"]
        case.file.rmdir()
        hidden.rename(case.file)  # a disk that was not mounted, say
        case.clock.pass_by()
        assert not store.try_again()
    assert case.told == ["store.degraded"]
    assert "Then restart the daemon" in (case.notices[0].hint or "")
    with closing(case.open()) as again:
        assert kinds(again) == ["before"]


# ── a full disk ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not allow mounting")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 4096)
    yield
    filler.unlink()


def test_a_disk_that_fills_up(small: Path) -> None:
    case = Case(small / "sparkwell.db")
    with closing(case.open()) as store:
        store.intents.begin("before")
        with full(small):
            for number in range(500):  # more than the file has room for already
                store.restarts.add("m", f"i{number}", "x" * 200, AT)
            assert store.fault is Fault.FULL
            case.clock.pass_by()
            assert not store.try_again()
            assert kinds(store) == ["before"]
        case.clock.pass_by()
        assert store.try_again()
    assert case.told == ["store.degraded", "store.restored"]
    with closing(case.open()) as again:
        assert kinds(again) == ["before"]
        assert len(again.restarts.since(0.0)) == 500


@pytest.mark.parametrize("before", ["nothing", "ended", "killed"])
def test_a_daemon_that_begins_on_a_full_disk(small: Path, before: str) -> None:
    case = Case(small / "sparkwell.db")
    known = []
    if before != "nothing":
        store = case.open()
        store.intents.begin("before")
        known = ["before"]
        if before == "ended":
            store.close()
        else:  # a log is left; the index to it may be gone
            left = {each.name: each.read_bytes() for each in small.iterdir()}
            store.close()
            for name in ("sparkwell.db", "sparkwell.db-wal"):
                (small / name).write_bytes(left[name])
    with full(small):
        store = case.open()
        assert kinds(store) == known
        store.intents.begin("during")
        assert (kinds(store), store.fault) == ([*known, "during"], Fault.FULL)
    case.clock.pass_by()
    assert store.try_again()
    store.close()
    with closing(case.open()) as again:
        assert kinds(again) == [*known, "during"]
    assert case.told == ["store.degraded", "store.restored"]


def test_an_older_file_that_cannot_be_migrated_on_a_full_disk(small: Path) -> None:
    case = Case(small / "sparkwell.db")
    with closing(sqlite3.connect(case.file)) as old:
        for statements in MIGRATIONS[:2]:
            old.executescript(statements)
        old.executescript(
            "INSERT INTO phase_history VALUES (1, 'm', 'vllm', '1', 'weights', 3.0, 0.0);"
            "PRAGMA user_version = 2"
        )
    with full(small), closing(case.open()) as store:
        assert store.history.expected("m", "vllm", "1") == {"weights": 3.0}
        assert store.events.newest() == []
        store.intents.begin("start")
        assert kinds(store) == ["start"]


# ── all of it in any order ──────────────────────────────────────────────────────────────────


class Play:
    """A store, a lock that comes and goes, and what has to be in it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.store = case.open()
        self.other = sqlite3.connect(case.file, isolation_level=None)
        self.open_now: list[int] = []
        self.seq = 0

    def begin(self) -> None:
        self.open_now.append(self.store.intents.begin("start"))

    def finish(self) -> None:
        if self.open_now:
            self.store.intents.finish(self.open_now.pop(0), "done")

    def event(self) -> None:
        self.seq += 1
        self.store.events.add([Event(self.seq, AT, "a", "A")])

    def lock(self) -> None:
        if not self.other.in_transaction:
            self.other.execute("BEGIN IMMEDIATE")

    def free(self) -> None:
        self.other.rollback()

    def wait(self) -> None:
        self.case.clock.pass_by()

    def reopen(self) -> None:
        if not self.other.in_transaction:
            self.store.close()
            self.store = self.case.open()

    def check(self) -> None:
        assert [intent.id for intent in self.store.intents.open()] == self.open_now
        assert self.store.events.last() == self.seq

    def close(self) -> None:
        self.store.close()
        self.other.close()


STEPS = st.lists(
    st.sampled_from(["begin", "finish", "event", "lock", "free", "wait", "reopen"]), max_size=30
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_nothing_is_lost_whenever_the_file_is_locked(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    file = tmp_path_factory.mktemp("store") / "sparkwell.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparkwell.store.database._WRITING_PATIENCE_S", 0.0)
        with closing(Play(Case(file))) as play:
            for step in [*steps, "free", "reopen"]:
                getattr(play, step)()
                play.check()
    assert "store.renewed" not in play.case.told


# ── words ───────────────────────────────────────────────────────────────────────────────────


def test_every_fault_has_a_remedy_that_names_the_place(file: Path) -> None:
    remedies = [remedy(fault, file) for fault in Fault]
    assert all(str(file.parent) in each for each in remedies)


def test_errors_without_a_code_are_ours() -> None:
    assert fault_of(sqlite3.ProgrammingError("Cannot operate on a closed database.")) is None
