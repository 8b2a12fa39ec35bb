"""tools/second_try.py: which failed tests are run once more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "second_try.py"
SHAKY = """
from pathlib import Path
def test_shaky():
    seen = Path("seen")
    assert seen.exists() or seen.touch()
def test_broken():
    assert not Path("broken").exists()
"""
OTHER = """
from pathlib import Path
def test_sound():
    Path("sound").write_text(Path("sound").read_text() + "x" if Path("sound").exists() else "x")
"""
IN_ORDER = """
from pathlib import Path
import pytest
@pytest.fixture(scope="module")
def opened():
    return []
def test_opens(opened):
    opened.append(1)
def test_shaky(opened):
    assert opened
    seen = Path("seen")
    assert seen.exists() or seen.touch()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three tests in two files, with the tool in it."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "second_try.py").write_text(TOOL.read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(SHAKY)
    (tmp_path / "test_other.py").write_text(OTHER)
    return tmp_path


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=project, capture_output=True, text=True, check=False
    )


def both(project: Path) -> subprocess.CompletedProcess[str]:
    assert run(project, "-m", "pytest").returncode == 1
    return run(project, "tools/second_try.py")


def test_what_passes_then_is_named(project: Path) -> None:
    second = both(project)
    assert second.returncode == 0
    assert "UNSTEADY, passed only the second time; mend: test_it.py::test_shaky" in second.stdout
    assert (project / "sound").read_text() == "x"  # not its file


def test_a_test_that_builds_on_the_one_before_has_it(project: Path) -> None:
    (project / "test_it.py").write_text(IN_ORDER)
    assert both(project).returncode == 0


def test_what_fails_again_fails(project: Path) -> None:
    (project / "broken").touch()
    second = both(project)
    assert second.returncode == 1
    assert "UNSTEADY" not in second.stdout


def test_many_failures_are_no_accident(project: Path) -> None:
    cache = project / ".pytest_cache" / "v" / "cache"
    cache.mkdir(parents=True)
    names = {f"test_it.py::test_{number}": True for number in range(4)}
    (cache / "lastfailed").write_text(json.dumps(names))
    second = run(project, "tools/second_try.py")
    assert second.returncode == 1
    assert "4 tests failed: at most 3 are tried again." in second.stderr


@pytest.mark.parametrize("record", [None, "{}", "no JSON"])
def test_a_run_that_ended_otherwise_is_not_tried_again(project: Path, record: str | None) -> None:
    """As one that was killed, or could not read its tests."""
    if record is not None:
        cache = project / ".pytest_cache" / "v" / "cache"
        cache.mkdir(parents=True)
        (cache / "lastfailed").write_text(record)
    second = run(project, "tools/second_try.py")
    assert second.returncode == 1
    assert "No failed test is on record" in second.stderr
