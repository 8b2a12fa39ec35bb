"""The history: what is kept comes back, it stays bounded, and no disk is a reason to stop."""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkwell.core.errors import UsageError
from sparkwell.store import Notice
from sparkwell.store.series import MEMORY_BYTES, RETRY_S, Series
from sparkwell.store.series_names import MACHINE, Point, Source
from sparkwell.store.series_plan import Limits, Tier
from sparkwell.store.series_tables import used_bytes

HOUR, DAY = 3600.0, 86_400.0
BEGAN = 1_800_000_000.0
QWEN = Source("q-1", "qwen")


class Case:
    """A history whose clocks a test moves, and what it told."""

    def __init__(self, file: Path, limits: Limits | None = None, interval_s: float = 5.0) -> None:
        self.file, self.limits, self.interval_s = file, limits, interval_s
        self.now = BEGAN
        self.monotonic = 0.0
        self.notices: list[Notice] = []
        self.series = self.open()

    def open(self) -> Series:
        return Series(
            self.file, interval_s=self.interval_s, limits=self.limits, hear=self.notices.append,
            clock=lambda: self.monotonic, now=lambda: self.now,
        )  # fmt: skip

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.monotonic += seconds

    def add(self, value: float = 1.0, sources: Sequence[Source] = (QWEN,)) -> None:
        points = [Point(source, {"running": value}) for source in sources]
        self.series.add(self.now, [*points, Point(MACHINE, {"cpu_used": value})])

    def rounds(self, count: int, value: float = 1.0, sources: Sequence[Source] = (QWEN,)) -> None:
        for _ in range(count):
            self.pass_by(self.interval_s)
            self.add(value, sources)

    def line(
        self, who: str | None = "qwen", back: float = HOUR, points: int = 100_000
    ) -> list[float]:
        """The values that are known, oldest first."""
        name = "running" if who else "cpu_used"
        found = self.series.history(who, [name], self.now - back, self.now + 1, points)
        return [value for value in found.means[name] if value is not None]

    @property
    def told(self) -> list[str]:
        return [notice.kind for notice in self.notices]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path / "metrics.db")


def rows_of(file: Path, tier: Tier) -> int:
    with closing(sqlite3.connect(file)) as db:
        return len(db.execute(f"SELECT at FROM {tier}").fetchall())  # noqa: S608


# ── what is kept comes back ─────────────────────────────────────────────────────────────────


def test_by_instance_by_model_and_of_the_machine(case: Case) -> None:
    case.rounds(3, 2.0, [QWEN, Source("l-1", "llama")])
    case.rounds(2, 4.0, [Source("q-2", "qwen")])
    assert case.line("q-1") == [2, 2, 2]
    assert case.line("qwen") == [2, 2, 2, 4, 4]
    assert case.line("llama") == [2, 2, 2]
    assert case.line(None) == [2, 2, 2, 4, 4]
    assert case.line("nobody") == []


def test_it_is_there_after_a_restart(case: Case) -> None:
    case.rounds(3)
    case.series.close()
    case.series = case.open()
    case.rounds(1)
    assert case.line() == [1, 1, 1, 1]
    assert case.notices == []


def test_at_most_so_many_points(case: Case) -> None:
    case.rounds(500)
    found = case.series.history("qwen", ["running", "waiting"], case.now - 2500, case.now, 40)
    assert len(found.means["running"]) == len(found.at) == 40
    assert set(found.means["waiting"]) == {None}


def test_nothing_known_is_nothing_stored(case: Case) -> None:
    case.series.add(case.now, [Point(QWEN, {"running": None})])
    case.series.close()
    assert rows_of(case.file, Tier.RAW) == 0


def test_a_name_that_does_not_exist(case: Case) -> None:
    with pytest.raises(UsageError, match="flux") as error:
        case.series.history("qwen", ["flux"], 0, case.now)
    assert "kv_used" in (error.value.hint or "")
    with pytest.raises(UsageError):
        case.series.history(None, ["kv_used"], 0, case.now)


def test_names_that_are_no_text(case: Case) -> None:
    odd = Source("a\udce9", "<script>")
    case.rounds(1, sources=[odd])
    assert case.line("<script>") == [1]


def test_a_longer_interval_is_no_row_of_gaps(tmp_path: Path) -> None:
    case = Case(tmp_path / "metrics.db", interval_s=20)
    case.rounds(10)
    found = case.series.history("qwen", ["running"], case.now - 200, case.now + 1, 5000)
    assert None not in found.means["running"][1:]


# ── it is folded, and bounded ───────────────────────────────────────────────────────────────


def test_old_rounds_become_minutes_then_quarters_then_nothing(tmp_path: Path) -> None:
    limits = Limits({Tier.RAW: 600, Tier.MINUTES: 3600, Tier.QUARTERS: 4 * 3600})
    case = Case(tmp_path / "metrics.db", limits)
    case.rounds(5 * 720)
    case.series.close()
    assert rows_of(case.file, Tier.RAW) <= 2 * (600 + 180) / 5
    assert rows_of(case.file, Tier.MINUTES) <= 2 * (60 + 20)
    assert rows_of(case.file, Tier.QUARTERS) <= 2 * (16 + 2)
    case.series = case.open()
    assert set(case.line(back=5 * HOUR)) == {1.0}


def test_a_peak_outlives_the_folding(tmp_path: Path) -> None:
    case = Case(
        tmp_path / "metrics.db", Limits({Tier.RAW: 60, Tier.MINUTES: 60, Tier.QUARTERS: DAY})
    )
    case.rounds(500)
    case.rounds(1, 100.0)
    case.rounds(1000)
    found = case.series.history("qwen", ["running"], BEGAN, case.now, 3)
    assert max(value or 0 for value in found.peaks["running"]) == 100
    assert max(value or 0 for value in found.means["running"]) < 20


def test_a_gap_stays_a_gap_when_folded(tmp_path: Path) -> None:
    case = Case(
        tmp_path / "metrics.db", Limits({Tier.RAW: 60, Tier.MINUTES: DAY, Tier.QUARTERS: DAY})
    )
    case.rounds(120)
    case.pass_by(1200)
    case.rounds(120)
    means = case.series.history("qwen", ["running"], BEGAN, case.now, 1000).means["running"]
    assert sum(value is None for value in means) == pytest.approx(20, abs=2)


def test_too_much_is_not_kept(tmp_path: Path) -> None:
    """Twenty engines, 1.4 MB: what is kept is kept for a shorter time."""
    case = Case(tmp_path / "metrics.db", Limits(most_bytes=400_000))
    many = [Source(f"i-{number}", f"m-{number}") for number in range(20)]
    case.rounds(800, sources=many)
    db = case.series._db
    assert db is not None
    assert used_bytes(db) < 600_000
    assert case.line("m-7", back=60)


def test_instances_that_are_forgotten_leave_no_name(tmp_path: Path) -> None:
    case = Case(
        tmp_path / "metrics.db", Limits({Tier.RAW: 60, Tier.MINUTES: 60, Tier.QUARTERS: 900})
    )
    for number in range(30):
        case.rounds(120, sources=[Source(f"i-{number}", "m")])
    case.series.close()
    with closing(sqlite3.connect(case.file)) as db:
        assert db.execute("SELECT count(*) FROM sources").fetchone()[0] < 20


def test_an_instance_that_was_forgotten_and_comes_again(tmp_path: Path) -> None:
    case = Case(
        tmp_path / "metrics.db", Limits({Tier.RAW: 60, Tier.MINUTES: 60, Tier.QUARTERS: 900})
    )
    case.rounds(3)
    case.rounds(3 * 720, sources=[Source("l-1", "llama")])
    case.rounds(3, 5.0)
    assert case.line(back=60) == [5, 5, 5]


def test_many_threads(case: Case) -> None:
    case.rounds(50)
    errors: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(20):
                assert len(case.line()) >= 50
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    case.rounds(50)
    for thread in threads:
        thread.join()
    assert errors == []


# ── clocks ──────────────────────────────────────────────────────────────────────────────────


def test_a_clock_set_back(case: Case) -> None:
    case.rounds(100)
    case.now -= 300
    case.rounds(20, 9.0)
    assert case.line()[-20:] == [9.0] * 20
    case.pass_by(HOUR)
    assert case.line(back=2 * HOUR, points=5000)


def test_a_clock_that_was_years_ahead(case: Case) -> None:
    case.now += 4000 * DAY
    case.rounds(10, 9.0)
    case.now -= 4000 * DAY
    case.rounds(30)
    case.series.close()
    assert rows_of(case.file, Tier.RAW) == 2 * 30
    case.series = case.open()
    assert set(case.line()) == {1.0}


def test_a_clock_that_jumps_ahead_for_a_while_does_not_wipe_all(case: Case) -> None:
    case.rounds(7 * 720)
    case.now += 4000 * DAY
    case.rounds(24)
    case.now -= 4000 * DAY
    case.rounds(1)
    assert len(case.line(back=3 * HOUR)) > 1500


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(jumps=st.lists(st.floats(-1e7, 1e7), max_size=8))
def test_whatever_the_clock_does(jumps: list[float], tmp_path: Path) -> None:
    (tmp_path / "metrics.db").unlink(missing_ok=True)
    case = Case(
        tmp_path / "metrics.db", Limits({Tier.RAW: 60, Tier.MINUTES: 600, Tier.QUARTERS: 3600})
    )
    for jump in jumps:
        case.now = max(0.0, case.now + jump)
        case.rounds(15)
    case.rounds(200)
    assert case.line(back=50, points=20)
    case.series.close()
    assert sum(rows_of(case.file, tier) for tier in Tier) < 2 * 15 * len(jumps) + 2 * (40 + 20 + 10)


# ── bad disks ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_broken_file_is_put_aside(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "metrics.db"
    file.write_bytes(content)
    case = Case(file)
    case.rounds(3)
    assert case.told == ["metrics.renewed"]
    assert case.line() == [1, 1, 1]
    assert (tmp_path / "metrics.db.broken").read_bytes() == content


def test_only_one_broken_file_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "metrics.db"
    for number in range(3):
        file.write_bytes(b"broken %d" % number)
        Case(file).series.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.db", "metrics.db.broken"]
    assert (tmp_path / "metrics.db.broken").read_bytes() == b"broken 2"


def test_a_file_of_another_schema_is_put_aside(case: Case) -> None:
    case.rounds(1)
    case.series.close()
    with closing(sqlite3.connect(case.file)) as db:
        db.execute("PRAGMA user_version = 99")
    case.series = case.open()
    assert case.told == ["metrics.renewed"]


def test_a_file_that_breaks_while_it_is_used(case: Case) -> None:
    case.rounds(500)
    db = case.series._db
    assert db is not None
    db.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    with case.file.open("r+b") as file:
        file.write(b"\xff" * case.file.stat().st_size)
    db.execute("PRAGMA shrink_memory")  # so that it has to look at the file again
    case.rounds(300)
    assert case.told == ["metrics.renewed"]
    assert case.line() == [1.0] * 300


def full(case: Case) -> None:
    db = case.series._db
    assert db is not None
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")


def room(case: Case) -> None:
    db = case.series._db
    assert db is not None
    db.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_is_told_once_and_what_came_meanwhile_is_kept(case: Case) -> None:
    case.rounds(20)
    full(case)
    case.rounds(400, 2.0)
    assert case.told == ["metrics.degraded"]
    assert "Free some space" in (case.notices[0].hint or "")
    before = case.line()
    assert before[:20] == [1.0] * 20
    assert before[20:] == [2.0] * 400
    room(case)
    case.pass_by(RETRY_S)
    case.rounds(2, 3.0)
    assert case.told == ["metrics.degraded", "metrics.restored"]
    assert not case.series.in_memory
    case.series.close()
    case.series = case.open()
    assert case.line() == [*before, 3.0, 3.0]


def test_memory_is_bounded_too(tmp_path: Path) -> None:
    case = Case(tmp_path / "none" / "metrics.db", Limits(most_bytes=400_000))
    many = [Source(f"i-{number}", f"m-{number}") for number in range(20)]
    case.rounds(800, sources=many)
    memory = case.series._memory
    assert memory is not None
    assert used_bytes(memory) < 600_000 < MEMORY_BYTES
    assert case.told == ["metrics.degraded"]


def test_a_folder_that_is_not_there_and_comes(tmp_path: Path) -> None:
    case = Case(tmp_path / "none" / "metrics.db")
    case.rounds(3)
    assert case.line() == [1, 1, 1]
    (tmp_path / "none").mkdir()
    case.pass_by(RETRY_S)
    case.rounds(1)
    assert case.told == ["metrics.degraded", "metrics.restored"]
    assert rows_of(tmp_path / "none" / "metrics.db", Tier.RAW) == 8


def test_a_file_that_is_locked(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.rounds(3)
    assert case.series._db is not None
    case.series._db.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(case.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        case.rounds(10)
        assert case.told == ["metrics.degraded"]
        other.execute("ROLLBACK")
    case.rounds(10)
    assert case.told == ["metrics.degraded", "metrics.restored"]
    assert len(case.line()) == 23


def test_what_is_in_memory_is_written_at_the_end(case: Case) -> None:
    case.rounds(3)
    full(case)
    case.rounds(400)
    room(case)
    case.series.close()
    assert case.told == ["metrics.degraded", "metrics.restored"]
    assert rows_of(case.file, Tier.RAW) == 2 * 403


def test_a_file_that_is_broken_when_the_disk_is_well_again(tmp_path: Path) -> None:
    file = tmp_path / "none" / "metrics.db"
    case = Case(file)
    case.rounds(3)
    file.parent.mkdir()
    file.write_bytes(b"somebody else's")
    case.pass_by(RETRY_S)
    case.rounds(10)
    assert case.told == ["metrics.degraded", "metrics.renewed", "metrics.restored"]
    assert rows_of(file, Tier.RAW) == 2 * 13


def test_a_mistake_of_ours_is_not_hidden(case: Case) -> None:
    db = case.series._db
    assert db is not None
    db.execute("DROP TABLE raw")
    with pytest.raises(sqlite3.OperationalError):
        case.add()
