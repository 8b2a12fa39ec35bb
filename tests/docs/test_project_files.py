"""The changelog goes with the version, and no file names the machine that it was written on."""

import re
import shutil
import subprocess

import pytest

import sparkwell
from tests.docs.documents import ROOT, read

VERSIONS = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", re.MULTILINE)
# In two pieces each, for this file is looked at too.
PLACES = ("/wo" + "rk/", "/opt/" + "wheels", "/ro" + "ot/.local", "/home/" + "runner")
HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "download." + "pytorch.org",
    "conda." + "anaconda.org",
    "registry." + "npmjs.org",
)
BINARY = {".safetensors", ".png", ".gz"}
# In a path, not as a part of another word: network/… is no place.
MACHINE = re.compile("|".join([rf"(?<![\w.-]){re.escape(place)}" for place in PLACES]))


def tracked() -> list[str]:
    """The files that are or would be in git."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_changelog_begins_with_this_version() -> None:
    newest, date = VERSIONS.findall(read(ROOT / "CHANGELOG.md"))[0]
    release = re.match(r"\d+\.\d+\.\d+", sparkwell.__version__)
    assert release is not None
    assert newest in ("Unreleased", release[0])
    if ".dev" in sparkwell.__version__:
        assert newest == "Unreleased" or date == "unreleased"


def test_no_file_names_a_folder_of_one_machine_or_a_package_registry() -> None:
    named = []
    for name in tracked():
        if (ROOT / name).suffix in BINARY:
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        named += [f"{name}: {found}" for found in MACHINE.findall(text)]
        named += [f"{name}: {host}" for host in HOSTS if host in text]
    assert named == []
