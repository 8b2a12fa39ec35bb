"""The engine environment of a start as a process."""

from collections.abc import Iterator

from sparkwell.checks.check import Check
from sparkwell.checks.say import ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.checks.start_about import ENGINE_MISSING
from sparkwell.core.findings import Finding, Remedy, Severity

MISSING = ENGINE_MISSING.id


def engine_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """The engine environment is installed."""
    request, environment = snapshot.request, snapshot.environment
    if request is None or environment is None or request.driver != "process":
        return
    name = environment.name
    if environment.version:
        yield ok(MISSING, f"Engine environment {name} {environment.version} is installed")
        return
    yield Finding(
        MISSING,
        Severity.ERROR,
        f"The engine environment {name} is not installed",
        remedies=(Remedy("Install it.", f"sparkwell engine install {name}"),),
    )


CHECKS = (Check(MISSING, "Is the engine environment installed?", engine_missing, ENGINE_MISSING),)
