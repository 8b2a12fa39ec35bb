"""How an extra is installed, in environments with and without pip."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sparkwell.cli.extras import install_command

USUAL = "pip install 'sparkwell[tune]'"


@pytest.fixture
def without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkwell.cli.extras.find_spec", lambda _name: None)


def test_with_pip_it_is_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkwell.cli.extras.find_spec", lambda name: name == "pip" or None)
    assert install_command("tune") == USUAL


@pytest.mark.usefixtures("without_pip")
def test_without_pip_it_is_uv_for_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "my tools" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))
    assert install_command("tune") == f"'{uv}' {USUAL} --python {sys.executable}"


@pytest.mark.usefixtures("without_pip")
def test_without_either_it_is_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert install_command("tune") == USUAL


@pytest.mark.usefixtures("without_pip")
def test_what_is_said_without_pip_is_a_command_that_uv_takes() -> None:
    """As the shell reads it, of what is installed already: nothing is fetched."""
    command = [*shlex.split(install_command("engines")), "--offline", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Would make no changes" in done.stderr
