"""The safe fixes: what they do, what they leave alone, what they say."""

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.checks.host_parts import Folder
from sparkwell.checks.model_parts import Weights
from sparkwell.checks.snapshot import Snapshot
from sparkwell.doctor import fixes
from sparkwell.doctor.cache import lock_of, look_at_partials
from sparkwell.doctor.fixes import apply, drop_page_cache, make_folder, remove_partials

HOUR_S = 3600
MIB = 1024**2


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    folder = tmp_path / "models--org--model" / "blobs"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, size: int, *, age_s: float = HOUR_S) -> Path:
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def snapshot(blobs: Path) -> Snapshot:
    weights = Weights(None, 100, 100, tuple(look_at_partials(blobs)))
    return Snapshot(0.0, "0.1", weights=weights)


def names(blobs: Path) -> set[str]:
    return {path.name for path in blobs.iterdir()}


def test_an_orphan_whose_blob_is_whole_is_removed(blobs: Path) -> None:
    write(blobs / "aa", 50)
    write(blobs / "aa.1f2e3d4c.incomplete", 2 * 10**6)
    write(blobs / "bb.incomplete", 30)
    fixed = remove_partials(snapshot(blobs))
    assert names(blobs) == {"aa", "bb.incomplete"}
    assert (fixed.done, fixed.text) == (True, "Removed 1 unfinished file, 2.0 MB.")


def test_what_a_download_would_go_on_with_stays_for_14_days(blobs: Path) -> None:
    write(blobs / "aa.incomplete", 30, age_s=13 * 86_400)
    write(blobs / "bb.incomplete", 30, age_s=15 * 86_400)
    remove_partials(snapshot(blobs))
    assert names(blobs) == {"aa.incomplete"}


def test_what_was_just_written_stays(blobs: Path) -> None:
    write(blobs / "aa", 50)
    write(blobs / "aa.1f2e3d4c.incomplete", 30, age_s=5)
    assert remove_partials(snapshot(blobs)).text == "Removed 0 unfinished files, 0 B."
    assert len(names(blobs)) == 2


def test_a_file_that_somebody_opens_meanwhile_is_kept(blobs: Path) -> None:
    write(blobs / "aa", 50)
    path = write(blobs / "aa.1f2e3d4c.incomplete", 30)
    before = snapshot(blobs)
    script = "import sys, time; f = open(sys.argv[1], 'rb'); print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        fixed = remove_partials(before)
        process.kill()
    assert path.exists()
    assert not fixed.done
    assert "kept aa.1f2e3d4c.incomplete: python" in fixed.text
    assert f"(process {process.pid})" in fixed.text


def test_a_file_whose_lock_somebody_takes_meanwhile_is_kept(blobs: Path) -> None:
    write(blobs / "aa", 50)
    path = write(blobs / "aa.1f2e3d4c.incomplete", 30)
    before = snapshot(blobs)
    lock = lock_of(path)
    lock.parent.mkdir(parents=True)
    with lock.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        assert "holds its lock" in remove_partials(before).text
    assert path.exists()


def test_a_file_that_is_gone_meanwhile_is_no_error(blobs: Path) -> None:
    write(blobs / "aa", 50)
    path = write(blobs / "aa.1f2e3d4c.incomplete", 30)
    before = snapshot(blobs)
    path.unlink()
    assert remove_partials(before).done


def test_the_guides_pattern_matches_nothing(blobs: Path) -> None:
    """Their `rm -rf …/models--…/*.incomplete` looks one folder too high."""
    write(blobs / "aa.incomplete", 30)
    assert list(blobs.parent.glob("*.incomplete")) == []


def test_the_folder_for_weights_is_made(tmp_path: Path) -> None:
    wanted = tmp_path / "opt" / "hf"
    folders = (
        Folder("cache", str(wanted), exists=False, writable=True),
        Folder("state", str(tmp_path / "state"), exists=False, writable=True),
    )
    fixed = make_folder(Snapshot(0.0, "0.1", folders=folders))
    assert wanted.is_dir()
    assert wanted.stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / "state").exists()
    assert str(wanted) in fixed.text
    assert "mode 755" in fixed.text


def test_a_folder_that_cannot_be_made_after_all(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = Folder("cache", str(tmp_path / "file" / "hf"), exists=False, writable=True)
    fixed = make_folder(Snapshot(0.0, "0.1", folders=(folder,)))
    assert not fixed.done
    assert str(tmp_path / "file") in fixed.text


def test_the_page_cache_is_dropped(tmp_path: Path) -> None:
    switch, meminfo = tmp_path / "drop_caches", tmp_path / "meminfo"
    meminfo.write_text(f"MemFree: {2 * MIB} kB\n")
    fixed = drop_page_cache(Snapshot(0.0, "0.1"), switch=switch, meminfo=meminfo)
    assert switch.read_text() == "3\n"
    assert fixed.text == "Dropped the page cache: 2.0 GiB were free, 2.0 GiB are."


def test_who_may_not_is_told_what_to_type(tmp_path: Path) -> None:
    fixed = drop_page_cache(Snapshot(0.0, "0.1"), switch=tmp_path / "no" / "drop_caches")
    assert not fixed.done
    assert "sudo sh -c 'sync; echo 3 > /proc/sys/vm/drop_caches'" in fixed.text


def test_only_known_fixes_are_applied(blobs: Path) -> None:
    fixed = apply(["remove-partial-files", "format-the-disk"], snapshot(blobs))
    assert [each.fix for each in fixed] == ["remove-partial-files"]
    assert replace(fixed[0]).to_json()["done"] is True


def test_a_fix_that_breaks_keeps_nobody_from_hearing_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(_snapshot: Snapshot) -> fixes.Fixed:
        raise KeyError("getpwuid(): uid not found: 12345")

    well = fixes.Fixed("b", True, "Done.")
    monkeypatch.setattr(fixes, "FIXES", {"a": breaks, "b": lambda _: well})
    first, second = apply(("a", "b"), Snapshot(0.0, "test"))
    assert not first.done
    assert "KeyError" in first.text
    assert second == well
