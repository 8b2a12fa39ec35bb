"""Files that are written whole or not at all."""

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkwell.core.whole_files import clear_drafts, draft, write_new, write_whole

Write = Callable[[Path, bytes], None]
BOTH = pytest.mark.parametrize("write", [write_whole, write_new])


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that is there, in a folder that has nothing else."""
    there = tmp_path / "folder" / "a.json"
    there.parent.mkdir()
    there.write_bytes(b"before")
    there.chmod(0o640)
    return there


def is_as_it_was(file: Path) -> bool:
    return (file.read_bytes(), mode(file)) == (b"before", 0o640) and alone(file)


def alone(file: Path) -> bool:
    return list(file.parent.iterdir()) == [file]


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """The system lets no file grow beyond that, as where a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@BOTH
def test_a_new_file_is_for_this_user_alone(tmp_path: Path, write: Write) -> None:
    file = tmp_path / "a.json"
    write(file, b"text")
    assert (file.read_bytes(), mode(file)) == (b"text", 0o600)
    assert alone(file)


def test_what_is_there_is_replaced(file: Path) -> None:
    with file.open("rb") as reader:
        write_whole(file, b"after")
        assert reader.read() == b"before", "who reads it still has the whole of the old one"
    assert (file.read_bytes(), mode(file)) == (b"after", 0o600)
    assert alone(file)


def test_one_that_has_to_be_new_is_never_in_the_place_of_another(file: Path) -> None:
    with pytest.raises(FileExistsError):
        write_new(file, b"after")
    assert is_as_it_was(file)


def test_a_link_is_a_name_that_is_taken(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    with pytest.raises(FileExistsError):
        write_new(link, b"after")
    write_whole(link, b"after")
    assert not link.is_symlink()
    assert is_as_it_was(file)


@BOTH
def test_without_room_nothing_is_changed_and_nothing_left(file: Path, write: Write) -> None:
    with room_for(1000), pytest.raises(OSError, match="File too large"):
        write(file, b"x" * 5000)
    assert is_as_it_was(file)


@BOTH
def test_a_folder_that_is_none(file: Path, write: Write) -> None:
    with pytest.raises(NotADirectoryError):
        write(file / "b.json", b"text")
    assert is_as_it_was(file)


@BOTH
def test_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, sync, seen = tmp_path / "a.json", os.fsync, list[tuple[int, bool]]()

    def look(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size, file.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    write(file, b"text")
    assert seen == [(4, False)]


def test_a_draft_that_is_not_used_is_gone(file: Path) -> None:
    with draft(file, b"after") as made:
        assert (made.read_bytes(), mode(made), made.parent) == (b"after", 0o600, file.parent)
    assert is_as_it_was(file)


def test_one_that_is_found_wrong_is_gone_too(file: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), draft(file, b"after"):
        raise ValueError("wrong")
    assert is_as_it_was(file)


@pytest.mark.parametrize("before", [0o640, 0o604, 0o666])
def test_a_draft_can_have_the_mode_of_what_is_there(file: Path, before: int) -> None:
    file.chmod(before)
    with draft(file, b"after", like_before=True) as made:
        made.replace(file)
    assert (file.read_bytes(), mode(file)) == (b"after", before)


def test_where_nothing_is_there_it_is_for_this_user_alone(tmp_path: Path) -> None:
    with draft(tmp_path / "a.json", b"text", like_before=True) as made:
        assert mode(made) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_somebody_else_stays_theirs(file: Path) -> None:
    os.chown(file, 1234, 1235)
    with draft(file, b"after", like_before=True) as made:
        made.replace(file)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1235)


@BOTH
@pytest.mark.parametrize("name", ["a" * 255, "é" * 127])
def test_the_longest_names_have_room_for_a_draft(tmp_path: Path, write: Write, name: str) -> None:
    write(tmp_path / name, b"text")
    assert alone(tmp_path / name)


def test_drafts_that_a_killed_process_left_are_cleared_and_nothing_else(tmp_path: Path) -> None:
    target, other = tmp_path / "note-a", tmp_path / "note-b"
    for each in (target, other):
        each.write_bytes(b"kept")
    left = tmp_path / ".note-a.x1y2.tmp"
    others = [tmp_path / ".note-b.x1y2.tmp", tmp_path / ".note-a.txt", tmp_path / "note-a.tmp"]
    for each in (left, *others):
        each.write_bytes(b"half")
    clear_drafts(target)
    assert not left.exists()
    assert all(each.exists() for each in (target, other, *others))
