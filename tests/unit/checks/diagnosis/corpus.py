"""The labelled logs of tests/data/doctor, and what the checks say of one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.digest import digest_bytes
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity

DATA = Path(__file__).parents[3] / "data/doctor"
FOLDERS = ("recorded", "written", "heldout")
ORIGINS = frozenset({"recorded", "written"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One label. ``group`` is the name of the file that it stands in."""

    group: str
    file: str
    engine: str
    version: str | None
    machine: str
    expects: tuple[str, ...]
    origin: str
    after: str

    @property
    def path(self) -> Path:
        """Where the log is."""
        return (DATA / self.file).resolve()

    @property
    def healthy(self) -> bool:
        """Whether the engine of this log has no trouble."""
        return self.group == "healthy" or "healthy" in Path(self.file).name

    @property
    def kind(self) -> str:
        """Where the log comes from: recorded, written, or held out."""
        return "held out" if self.group == "heldout" else self.origin


def entries() -> list[Entry]:
    """All labels, in the order of their files."""
    return [
        _entry(path.stem, each)
        for path in sorted((DATA / "labels").glob("*.yaml"))
        for each in yaml.safe_load(path.read_text())
    ]


def said(log: bytes, source: str = "a.log") -> tuple[Finding, ...]:
    """The findings on a log alone, but for good news."""
    found = judge(Snapshot(0.0, "test", logs=(digest_bytes([log], source),)))
    return tuple(each for each in found if each.severity is not Severity.OK)


def _entry(group: str, written: dict[str, Any]) -> Entry:
    expects = tuple(sorted(written.pop("expects")))
    return Entry(group=group, expects=expects, **written)
