"""Errors of starts that failed, where the last one went well: they are no trouble any more.

`docker logs` of a container that is started again by itself holds every start; and of a model that
serves the log of its first failure is kept, until it has served for long. Why one start failed, and
a later one did not, is worth knowing; that the host is broken is not true.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

from sparkwell.checks.diagnosis.running.steady import BEGAN
from sparkwell.checks.logs.find import find_all, name_of
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity

Judge = Callable[[Snapshot], tuple[Finding, ...]]
WELL = ("ready", "asleep")
EARLIER = "An earlier start failed, the last one did not: "
_START = re.compile(r"\bvLLM API server version \S")
_ARGS = re.compile(r"non-default args: .{0,2000}?'model(?:_tag)?': '(?P<model>[^']{1,400})'")


def without_cured(snapshot: Snapshot, judge: Judge) -> tuple[Finding, ...]:
    """What ``judge`` finds; errors that only starts had which failed before are warnings."""
    found, whole = judge(snapshot), snapshot.logs or ()
    left = tuple(
        replace(log, lines=()) if _is_replaced(log, snapshot) else without_failed_starts(log)
        for log in whole
    )
    cut = {name_of(log) for log, before in zip(left, whole, strict=True) if log is not before}
    if not cut:
        return found
    errors = tuple(each for each in judge(replace(snapshot, logs=left)) if _is_error(each))
    known = {(each.id, each.about) for each in errors}
    others = (each for each in found if not _is_error(each) or (each.id, each.about) not in known)
    return (*errors, *(_cured(each) if each.about in cut else each for each in others))


def without_failed_starts(log: LogDigest) -> LogDigest:
    """The log without starts that never served, where its last one did.

    A log of several models is left as it is, for one tells nothing of the other; so is one of so
    many starts that not all of them were kept.
    """
    starts = [found.line for found in find_all(log, _START)]
    served = [found.line for found in find_all(log, BEGAN)]
    models = [found["model"] for found in find_all(log, _ARGS)]
    is_one = len(starts) > 1 and len(models) >= len(starts) and len(set(models)) == 1
    if not is_one or any(each.times > 1 for each in (*starts, *served)):
        return log
    began = [each.number for each in starts]
    well = {0, *(bisect_right(began, each.number) for each in served)}
    if len(began) not in well or len(well) > len(began):
        return log
    lines = tuple(each for each in log.lines if bisect_right(began, each.number) in well)
    return replace(log, lines=lines)


def _is_replaced(log: LogDigest, snapshot: Snapshot) -> bool:
    """Whether another run of its model does well now."""
    others = (run for run in snapshot.runs or () if run.model == log.model)
    return log.instance is not None and any(
        run.id != log.instance and run.state in WELL for run in others
    )


def _is_error(finding: Finding) -> bool:
    return finding.severity is Severity.ERROR


def _cured(finding: Finding) -> Finding:
    if not _is_error(finding):
        return finding
    return replace(finding, severity=Severity.WARNING, title=f"{EARLIER}{finding.title}")
