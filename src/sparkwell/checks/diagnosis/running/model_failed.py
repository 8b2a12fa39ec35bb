"""A model whose start failed before there was an engine, for a reason that no other check knows."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.box import FailedModel, failed
from sparkwell.checks.check import Check
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

ABOUT = About(
    id="model-failed",
    title="A model failed",
    severity=Severity.ERROR,
    symptoms=("`sparkwell status` shows it as failed.",),
    cause="Its start was refused, or what it needs could not be had, for a reason that is not "
    "known here.",
    remedies=(
        Remedy("Read the errors in its log.", "sparkwell logs MODEL --errors"),
        Remedy("Try again.", "sparkwell up MODEL"),
    ),
    reference="Sparkwell's own: what its supervisor says of a run",
)


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each run that failed and never had an engine: what had one, has died."""
    for run in snapshot.runs or ():
        if run.state == "failed" and run.end is None:
            for finding in failed((_model(run),)):
                yield replace(finding, about=run.model)


def _model(run: Run) -> FailedModel:
    lines = (run.last_line,) if run.last_line else ()
    return FailedModel(run.model, run.error or "nobody knows why", run.hint, lines)


CHECK = Check(ABOUT.id, "Did a model fail?", look, ABOUT, general=True)
