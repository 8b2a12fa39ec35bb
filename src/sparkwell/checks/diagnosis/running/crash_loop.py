"""A model that starts, fails, and is started again: the first failure says why."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.box import OFTEN
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.running.steady import BEGAN
from sparkwell.checks.logs.find import find_all, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.engines.vllm.log import read_error

_START = re.compile(r"\bvLLM API server version \S")

ABOUT = About(
    id="crash-loop",
    title="It fails, is started again, and fails again",
    severity=Severity.ERROR,
    symptoms=(
        "Restarting (1) 20 seconds ago",
        "The same start, and the same error, again and again in one log.",
    ),
    cause="The first failure is the cause; those that follow are often only its echo, because "
    "what the one before held has not come back yet. On unified memory each start that is broken "
    "off can leak some of it: some 35 restarts in a row have made a DGX Spark unreachable.",
    remedies=(
        Remedy("Read the first failure.", "sparkwell logs MODEL --first-failure"),
        Remedy("Mend what it names, then start once more: that forgives the failures.",
               "sparkwell up MODEL"),
        Remedy("In a compose file of your own take `restart: unless-stopped` out, and stop the "
               "container: nothing there ever gives up.", "docker compose stop"),
    ),
    reference="eugr/spark-vllm-docker issue 257 (restarts that leak memory)",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each model that fails in a row, and for each log of many starts."""
    for run in snapshot.runs or ():
        if run.failures >= OFTEN or run.restarts >= OFTEN:
            yield _of_run(run, snapshot.taken_at)
    for log in logs(snapshot):
        if log.instance is None:  # that of a run has one start
            yield from _of_log(log)


def _of_run(run: Run, now: float) -> Finding:
    held_s = (run.held_until or 0.0) - now
    evidence = (
        *((_counted(run.failures, "failure", "in a row"),) if run.failures else ()),
        *((_counted(run.restarts, "restart", "in the last hour"),) if run.restarts else ()),
        *((f"first: {run.first_reason}",) if run.first_reason else ()),
        *((f"left alone for {held_s / 60:.0f} more minutes",) if held_s >= 60 else ()),
    )
    finding = ABOUT.finding(*evidence, model=run.model)
    gives_up = run.failures >= OFTEN and run.state not in ("ready", "asleep")
    return replace(
        finding,
        title=f"{run.model} fails again and again",
        severity=Severity.ERROR if gives_up else Severity.WARNING,
        remedies=finding.remedies[:2],
    )


def _counted(number: int, what: str, when: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'} {when}"


def _of_log(log: LogDigest) -> Iterator[Finding]:
    starts = [found.line for found in find_all(log, _START)]
    served = [found.line.number for found in find_all(log, BEGAN)]
    failed = [each for each in starts if not _has_served(each, starts, served)]
    count = sum(each.times for each in failed)
    first = _first_error(log)
    if count >= OFTEN and first:
        evidence = (f"{count} starts that never served", *quoted(log, failed[0], first))
        yield ABOUT.finding(*evidence, about=name_of(log), model=log.model)


def _has_served(start: LogLine, starts: list[LogLine], served: list[int]) -> bool:
    following = (each.number for each in starts if each.number > start.number)
    end = next(following, None)
    return any(start.number < each and (end is None or each < end) for each in served)


def _first_error(log: LogDigest) -> LogLine | None:
    return next((each for each in log.lines if read_error(each.text)), None)


CHECK = Check(ABOUT.id, "Is it started again and again?", look, ABOUT)
