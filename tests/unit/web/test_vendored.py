"""What is vendored is what its table says, with a licence beside it, and asks nobody else."""

import re
from hashlib import sha256
from pathlib import Path

import pytest

from sparkwell.web.static_files import FOLDER, static_files

BROWSER = Path(__file__).parents[2] / "browser" / "vendor"
ROW = re.compile(r"^\| (\S+) \| (\S+) \| ([\d.]+) \| (\S+) \| ([0-9a-f]{64}) \|$", re.MULTILINE)


@pytest.mark.parametrize("folder", [FOLDER / "vendor", BROWSER])
def test_the_table_is_true(folder: Path) -> None:
    rows = ROW.findall((folder / "VENDORED.md").read_text(encoding="utf-8"))
    listed = {name: digest for name, _, _, _, digest in rows}
    there = {path.name for path in folder.iterdir()} - {"VENDORED.md"}
    assert set(listed) == there
    for name, digest in listed.items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {f"LICENSE.{package}" for _, package, *_ in rows} <= there


def test_our_own_scripts_and_style_name_no_other_host() -> None:
    ours = [path for path in FOLDER.rglob("*") if path.suffix in (".js", ".css")]
    for path in ours:
        if "vendor" not in path.parts:
            assert not re.search(r"(https?:)?//[a-z]+\.", path.read_text(encoding="utf-8")), path


def test_all_scripts_together_are_small() -> None:
    packed = {name: len(file.packed) for name, file in static_files().files.items()}
    assert sum(packed.values()) < 90_000
