"""What `sparkwell doctor` judges: this host as it is now, one log, or a snapshot of some host."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import sparkwell
from sparkwell.app.diagnosing.model_of_log import model_of
from sparkwell.app.diagnosing.whole import examine
from sparkwell.app.service import ModelService
from sparkwell.catalog import Catalog
from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.diagnosis.known import asked_of
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.findings import Finding, has_errors
from sparkwell.doctor.background import in_background
from sparkwell.doctor.fixes import Fixed, apply
from sparkwell.doctor.log_files import read_log

FIX_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the checks say of a snapshot. ``checks`` counts those that could speak of it."""

    snapshot: Snapshot
    findings: tuple[Finding, ...]
    checks: int

    @property
    def only_log(self) -> LogDigest | None:
        """The log, where nothing else was looked at."""
        logs, host = self.snapshot.logs or (), self.snapshot.system or self.snapshot.runs
        return logs[0] if len(logs) == 1 and not host else None

    @property
    def ok(self) -> bool:
        """Whether nothing is an error."""
        return not has_errors(self.findings)

    def to_json(self) -> dict[str, object]:
        """The diagnosis as a JSON object; its keys are stable."""
        return {
            "ok": self.ok,
            "taken_at": self.snapshot.taken_at,
            "sparkwell": self.snapshot.sparkwell,
            "checks": self.checks,
            "logs": [_log(each) for each in self.snapshot.logs or ()],
            "findings": [each.to_json() for each in self.findings],
        }


def diagnose(snapshot: Snapshot, model: str | None = None) -> Diagnosis:
    """Judge a snapshot; with ``model`` without what is about another one."""
    others = {each.model for each in snapshot.runs or ()} - {model} if model else set()
    found = tuple(each for each in judge(snapshot) if each.about not in others)
    return Diagnosis(snapshot, found, asked_of(snapshot))


async def look_at_host(
    models: ModelService, model: str | None, settings_file: Path | None = None
) -> Snapshot:
    """This host now, with or without a daemon; with ``model`` also what its start would need."""
    return await examine(models, model=model, settings_file=settings_file)


def look_at_log(file: Path | None, catalog: Catalog, model: str | None = None) -> Snapshot:
    """A snapshot of nothing but a log; None is standard input.

    The remedies name ``model``, else the model of the catalog that the log names. Evidence has
    the file's name, not its path. Raises UsageError and EnvironmentFault where there is no log.
    """
    read = read_log(file)
    named = replace(read, source=file.name if file else read.source)
    digest = replace(named, model=model or model_of(named, catalog))
    return Snapshot(time.time(), sparkwell.__version__, logs=(digest,))


async def repair(names: tuple[str, ...], snapshot: Snapshot) -> tuple[Fixed, ...]:
    """Apply what a person has agreed to, by name; raises EnvironmentFault when it has no end."""
    try:
        return await in_background(lambda: apply(names, snapshot, asked=True), FIX_LIMIT_S)
    except TimeoutError:
        raise EnvironmentFault(
            f"The repairs ({', '.join(names)}) had no end within {FIX_LIMIT_S:.0f} s.",
            hint="They may go on. `sparkwell doctor` shows what is left.",
        ) from None


def _log(log: LogDigest) -> dict[str, object]:
    return {
        "source": log.source,
        "engine": log.engine,
        "version": log.version,
        "model": log.model,
        "total_lines": log.total_lines,
    }
