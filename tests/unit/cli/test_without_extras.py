"""Commands without the libraries that are optional: all are there, and say what they miss."""

import subprocess
import sys

import pytest

from sparkwell.cli.main import COMMANDS

OPTIONAL = ("optuna", "matplotlib", "numpy", "uv")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_there_without_them(command: str) -> None:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r})); "
        f"from sparkwell.cli.main import cli; cli({[command, '--help']!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
