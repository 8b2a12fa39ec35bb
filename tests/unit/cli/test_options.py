"""What several commands have in common."""

import pytest
from click.testing import CliRunner

from sparkwell.cli.main import cli


@pytest.mark.parametrize("name", ["bench", "tune"])
def test_help_says_where_the_options_are(name: str) -> None:
    """`bench MODEL` needs no `run`, so nobody would look there for its options."""
    said = CliRunner().invoke(cli, [name, "--help"], prog_name="sparkwell").output
    words = " ".join(said.split())
    assert f"`sparkwell {name} MODEL` is `sparkwell {name} run MODEL`" in words
    assert f"Options: `sparkwell {name} run --help`" in words
    shown = CliRunner().invoke(cli, [name, "run", "--help"], prog_name="sparkwell").output
    assert "--slo" in shown
