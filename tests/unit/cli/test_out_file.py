"""Files that a command writes where somebody said."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.core.test_whole_files import alone, mode, room_for

from sparkwell.cli.out_file import write_out
from sparkwell.core.errors import EnvironmentFault


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "rows.csv"


def test_a_new_file_has_the_mode_that_is_usual(file: Path) -> None:
    before = os.umask(0o027)
    try:
        write_out(file, b"rows", "--csv")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (file.read_bytes(), mode(file)) == (b"rows", 0o640)
    assert alone(file)


def test_one_that_is_there_keeps_its_mode(file: Path) -> None:
    file.write_bytes(b"before")
    file.chmod(0o604)
    write_out(file, b"rows", "--csv")
    assert (file.read_bytes(), mode(file)) == (b"rows", 0o604)


def test_a_link_stays_one(file: Path) -> None:
    target = file.with_name("target")
    target.write_bytes(b"before")
    file.symlink_to(target)
    write_out(file, b"rows", "--csv")
    assert file.is_symlink()
    assert target.read_bytes() == b"rows"


@pytest.mark.parametrize("before", [None, b"before"])
def test_where_there_is_no_room_all_stays_as_it_was(file: Path, before: bytes | None) -> None:
    if before is not None:
        file.write_bytes(before)
    with room_for(100), pytest.raises(EnvironmentFault) as caught:
        write_out(file, b"rows" * 100, "--csv")
    assert str(file) in caught.value.message
    assert caught.value.message.startswith("--csv: ")
    assert "elsewhere" in str(caught.value.hint)
    assert (file.read_bytes() if file.exists() else None) == before
    assert list(file.parent.iterdir()) == ([file] if before else [])


def test_a_device_is_written_and_stays_one() -> None:
    with pytest.raises(EnvironmentFault, match=r"'/dev/full' could not be written: No space left"):
        write_out(Path("/dev/full"), b"rows", "--csv")
    assert Path("/dev/full").is_char_device()
    write_out(Path("/dev/null"), b"rows", "--csv")
    assert Path("/dev/null").is_char_device()


def test_standard_output_that_is_a_file_keeps_what_was_said_before_and_after(file: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sparkwell.cli.out_file import write_out; "
        "print('before', flush=True); write_out(Path('/dev/stdout'), b'rows\\n', '--csv')"
    )
    with file.open("a") as opened:
        subprocess.run([sys.executable, "-c", program], stdout=opened, check=True)
    assert file.read_text() == "before\nrows\n"
