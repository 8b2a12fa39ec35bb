"""Short ways to ask the checks about a piece of a log."""

from textwrap import dedent

from sparkwell.checks.check import Check
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding


def of_log(text: str, source: str = "a.log") -> Snapshot:
    """A snapshot of nothing but a log."""
    return Snapshot(0.0, "test", logs=(digest(dedent(text).strip("\n").splitlines(), source),))


def asked(check: Check, text: str) -> list[Finding]:
    """What one check says of a log."""
    return list(check.look(of_log(text)))
