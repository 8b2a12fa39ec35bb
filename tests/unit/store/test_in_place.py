"""The file under an open store: deleted, replaced, cut off or written over while it is in use."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.store.spoiling import cut_off, delete, delete_log, delete_main, overwrite, replace

from sparkwell.store import Notice, Store
from sparkwell.store.database import BrokenError
from sparkwell.store.faults import Fault
from sparkwell.store.in_place import InPlace, damage
from sparkwell.store.renewal import renewal

GONE = [delete, delete_main, delete_log, replace]
AT = 1_778_335_402.0  # 2026-05-09 14:03:22 UTC


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sparkwell.db"


def filled(file: Path) -> Store:
    """A store with pages in its file, not in its log alone."""
    with closing(Store(file)) as store:
        for number in range(300):
            store.restarts.add("m", f"i{number}", "x" * 50, AT)
    return Store(file)


def after_a_kill(file: Path, folder: Path) -> Store:
    """What the next process would find if this one were killed now."""
    folder.mkdir()
    for name in (file.name, f"{file.name}-wal"):
        if file.with_name(name).exists():
            shutil.copy(file.with_name(name), folder / name)
    return Store(folder / file.name)


def test_a_file_that_is_well_is_left_alone(file: Path) -> None:
    with closing(filled(file)) as store:
        for number in range(3000):  # its log is written back meanwhile
            store.restarts.add("m", f"j{number}", "x" * 100, AT)
            if number % 100 == 0:
                store.look()
        store.keys.replace([])
        assert (store.renewals, store.fault) == (0, None)
    assert [each.name for each in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("harm", GONE)
def test_what_was_in_a_deleted_file_is_written_again(
    file: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    told: list[Notice] = []
    with closing(filled(file)) as store:
        store.tell(told.append)
        harm(file)
        store.intents.begin("unseen")  # SQLite does not notice
        store.look()
        assert ([each.kind for each in told], store.renewals) == (["store.renewed"], 1)
        assert "a new one has begun with all that it had" in told[0].message
        store.look()
        assert store.renewals == 1
        with closing(after_a_kill(file, tmp_path / "after")) as found:
            assert len(found.restarts.since(0.0)) == 300
            assert [each.kind for each in found.intents.open()] == ["unseen"]
    with closing(Store(file)) as again:
        assert len(again.restarts.since(0.0)) == 300


@pytest.mark.parametrize("harm", [cut_off, overwrite])
def test_a_damaged_file_is_kept_aside(file: Path, harm: Callable[[Path], None]) -> None:
    with closing(filled(file)) as store:
        harm(file)
        store.look()
        assert (store.renewals, store.fault) == (1, None)
        store.intents.begin("start")
    assert len([each for each in file.parent.iterdir() if ".broken-" in each.name]) >= 1
    with closing(Store(file)) as again:
        assert [each.kind for each in again.intents.open()] == ["start"]


def test_another_file_in_its_place_is_kept_with_no_log_of_ours(file: Path) -> None:
    """Opened with a log that is not its own, a copy that somebody put there would be spoilt."""
    with closing(filled(file)) as store:
        store.intents.begin("ours")
        replace(file)
        store.look()
    (kept,) = [each for each in file.parent.iterdir() if each.name.count(".broken-") and (
        "apart" not in each.name)]  # fmt: skip
    with closing(sqlite3.connect(kept)) as other:
        assert other.execute("SELECT count(*) FROM theirs").fetchone() == (0,)


def test_a_folder_that_is_gone_leaves_all_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    with closing(filled(folder / "sparkwell.db")) as store:
        shutil.rmtree(folder)
        store.look()
        assert store.fault is Fault.UNREACHABLE
        assert len(store.restarts.since(0.0)) == 300
        folder.mkdir()
    with closing(Store(folder / "sparkwell.db")) as again:  # written back as it closed
        assert len(again.restarts.since(0.0)) == 300


def test_damage_that_a_glance_does_not_see_is_found_by_proving(file: Path) -> None:
    with closing(filled(file)):
        place = InPlace(file)
        place.prove()
        with file.open("r+b") as out:
            out.seek(8192)
            out.write(os.urandom(8192))
        assert place.trouble() is None
        with pytest.raises((BrokenError, sqlite3.DatabaseError)):
            place.prove()
        place.close()
        place.close()


def test_a_file_that_is_spoilt_again_at_once_is_done_without(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: InPlace) -> None:
        raise BrokenError("never well")

    with closing(filled(file)) as store:
        monkeypatch.setattr(InPlace, "prove", broken)
        store.keys.replace([])
        assert (store.renewals, store.fault) == (1, Fault.BROKEN)


HEADER = b"SQLite format 3\0" + (4096).to_bytes(2, "big") + bytes(10) + (3).to_bytes(4, "big")
HEADER += bytes(100 - len(HEADER))


@pytest.mark.parametrize(
    ("header", "size", "said"),
    [
        (HEADER, 3 * 4096, None),
        (HEADER, 4 * 4096, None),  # pages of a log that was written back in part
        (HEADER, 3 * 4096 - 1, "it is cut off"),
        (HEADER[:16] + (1).to_bytes(2, "big") + HEADER[18:], 3 * 65_535, "it is cut off"),
        (b"", 0, "its beginning is not that of a store"),
        (bytes(100), 4096, "its beginning is not that of a store"),
    ],
)
def test_the_beginning_says_how_long_a_file_is(header: bytes, size: int, said: str | None) -> None:
    assert damage(header, size) == said


def test_people_hear_what_became_of_it() -> None:
    assert renewal("it is gone", None, whole=True) == (
        "The store was spoilt (it is gone); a new one has begun with all that it had",
        None,
    )
    message, hint = renewal("it is cut off", Path("kept"), whole=False)
    assert "(it is cut off); it is kept as kept, and a new one has begun" in message
    assert "sqlite3 kept .recover" in (hint or "")
    assert "recover" not in (renewal("it is gone", None, whole=False)[1] or "")
