"""The cache of weights: what is unfinished, who holds it, what is missing; folders."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sparkwell.doctor.cache import (
    REPO_LOCK,
    lock_of,
    look_at_partials,
    look_at_weights,
)
from sparkwell.doctor.folders import filesystem, look_at_folder

HOUR_S = 3600
REPO = "org/model"


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    folder = tmp_path / "models--org--model" / "blobs"
    folder.mkdir(parents=True)
    return folder


def write(path: Path, size: int, *, age_s: float = HOUR_S) -> Path:
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_none(blobs: Path, tmp_path: Path) -> None:
    write(blobs / "aa", 10)
    assert look_at_partials(blobs) == []
    assert look_at_partials(tmp_path / "nowhere") == []


def test_a_part_that_a_download_goes_on_with(blobs: Path) -> None:
    write(blobs / "aa.incomplete", 10)
    (found,) = look_at_partials(blobs)
    assert (found.size_bytes, found.resumable, found.finished) == (10, True, False)
    assert found.held_by is None
    assert abs(found.age_s - HOUR_S) < 60


def test_of_several_parts_only_the_longest_is_gone_on_with(blobs: Path) -> None:
    write(blobs / "aa.incomplete", 10)
    write(blobs / "aa.1f2e3d4c.incomplete", 30)
    write(blobs / "bb.incomplete", 5)
    found = {Path(each.path).name: each.resumable for each in look_at_partials(blobs)}
    assert found == {
        "aa.incomplete": False,
        "aa.1f2e3d4c.incomplete": True,
        "bb.incomplete": True,
    }


def test_a_part_with_holes_was_written_by_xet(blobs: Path) -> None:
    path = blobs / "aa.1f2e3d4c.incomplete"
    with path.open("wb") as opened:
        opened.truncate(10_000_000)
    (found,) = look_at_partials(blobs)
    assert not found.resumable


def test_a_blob_that_is_whole_besides(blobs: Path) -> None:
    write(blobs / "aa", 50)
    write(blobs / "aa.1f2e3d4c.incomplete", 30)
    assert look_at_partials(blobs)[0].finished


def test_a_process_that_has_it_open_is_named(blobs: Path) -> None:
    path = blobs / "aa.incomplete"
    script = "import sys, time; f = open(sys.argv[1], 'ab'); print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        (found,) = look_at_partials(blobs)
        process.kill()
    assert f"(process {process.pid})" in (found.held_by or "")


@pytest.mark.parametrize("name", ["aa.lock", REPO_LOCK])
def test_a_lock_that_is_held(blobs: Path, name: str) -> None:
    path = write(blobs / "aa.1f2e3d4c.incomplete", 10)
    lock = lock_of(path).with_name(name)
    lock.parent.mkdir(parents=True)
    with lock.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        assert look_at_partials(blobs)[0].held_by == "a download holds its lock"
    assert look_at_partials(blobs)[0].held_by is None


def test_what_is_missing(blobs: Path, tmp_path: Path) -> None:
    write(blobs / "aa", 40)
    write(blobs / "bb.incomplete", 25)
    write(blobs / "bb.1f2e3d4c.incomplete", 5)
    folders = [tmp_path / "elsewhere", tmp_path]
    found = look_at_weights(REPO, 100, folders, None)
    assert (found.missing_bytes, found.complete, len(found.partials)) == (35, False, 2)
    whole = look_at_weights(REPO, 100, folders, blobs)
    assert (whole.missing_bytes, whole.complete) == (0, True)
    assert look_at_weights("org/other", 100, folders, None).missing_bytes == 100


def test_a_folder_that_is_there(tmp_path: Path) -> None:
    found = look_at_folder("cache", tmp_path)
    assert found.exists
    assert found.writable
    assert found.free_bytes
    assert found.filesystem


def test_a_folder_that_could_be_made(tmp_path: Path) -> None:
    found = look_at_folder("cache", tmp_path / "a" / "b")
    assert (found.exists, found.writable) == (False, True)
    assert found.free_bytes
    assert found.filesystem == look_at_folder("cache", tmp_path).filesystem


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    found = look_at_folder("cache", tmp_path / "a")
    assert (found.exists, found.writable) == (False, False)


def test_the_type_of_a_file_system_is_that_of_the_nearest_mount() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/b /my\\040disk xfs rw 0 0\nbad\n"
    assert filesystem(Path("/opt/hf"), mounts) == "ext4"
    assert filesystem(Path("/run/x"), mounts) == "tmpfs"
    assert filesystem(Path("/my disk/x"), mounts) == "xfs"
    assert filesystem(Path("/opt"), "") is None
