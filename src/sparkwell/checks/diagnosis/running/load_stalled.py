"""A start that gets nowhere: one phase takes far longer than it ever has."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.phases import BEFORE_LAUNCH, Phase

TIMES = 3.0
LEAST_S = 60.0
UNKNOWN_S = 900.0
_GIVEN_UP = re.compile(r"^it was not ready within \d")
"""The supervisor's own words."""
_SLOW_PHASES = {Phase.WEIGHTS: 1800.0}
"""Where nobody knows: 70 GB from a disk of 50 MB/s take 24 minutes."""

ABOUT = About(
    id="load-stalled",
    title="The start gets nowhere",
    severity=Severity.ERROR,
    symptoms=(
        "One phase of the start lasts far longer than it ever took on this machine.",
        "A start is given up: it was not ready within 1800 s.",
    ),
    cause="Weights come from a disk that is slow or busy, memory is so short that the system "
    "swaps, a compilation runs for the first time with these flags, or a process hangs.",
    remedies=(
        Remedy("See what the engine does.", "sparkwell logs MODEL --follow"),
        Remedy("See whether memory is short, and who reads from the disk.", "sparkwell top"),
        Remedy("Start it anew if nothing moves; what was compiled is kept.",
               "sparkwell restart MODEL"),
    ),
    reference="Three times the longest such phase that this machine has seen",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each start that has been in a phase for too long."""
    for run in snapshot.runs or ():
        if run.state == "failed" and run.error and _GIVEN_UP.search(run.error):
            yield _given_up(run)
        phase = _phase(run)
        if phase and run.phase_since is not None and run.state == "starting":
            took_s, most_s = snapshot.taken_at - run.phase_since, _most_s(run, phase)
            if took_s > most_s:
                yield _stalled(run, phase, took_s)


def _given_up(run: Run) -> Finding:
    """The supervisor has waited for as long as the settings say."""
    phase = _phase(run)
    finding = ABOUT.finding(
        *((run.error,) if run.error else ()),
        *((f"reached: {phase.label}",) if phase else ()),
        f"its last line: {run.last_line}" if run.last_line else "it has said nothing",
        model=run.model,
    )
    longer = Remedy(
        "Where the log shows that it got on, give it more time: `engines: {start_timeout_s: …}` in "
        "sparkwell.yaml, in seconds.",
        "sparkwell config show",
    )
    look_at, memory, _ = finding.remedies
    return replace(
        finding,
        title=f"The start of {run.model} was given up: it did not become ready in time",
        remedies=(replace(look_at, command=f"sparkwell logs {run.model}"), longer, memory),
    )


def _phase(run: Run) -> Phase | None:
    """The phase of the engine's own start: what is fetched takes as long as the network wants."""
    with suppress(ValueError):
        phase = Phase(run.phase or "")
        return None if phase in (*BEFORE_LAUNCH, Phase.READY) else phase
    return None


def _most_s(run: Run, phase: Phase) -> float:
    if run.phase_longest_s is None:
        return _SLOW_PHASES.get(phase, UNKNOWN_S)
    return max(LEAST_S, TIMES * run.phase_longest_s)


def _stalled(run: Run, phase: Phase, took_s: float) -> Finding:
    longest = run.phase_longest_s
    before = "it never ran to its end here" if longest is None else f"{longest:.0f} s at most"
    finding = ABOUT.finding(
        f"{phase.label}: for {took_s:.0f} s; before: {before}",
        *((f"its last line: {run.last_line}",) if run.last_line else ("it has said nothing",)),
        model=run.model,
    )
    title = f"The start of {run.model} gets nowhere: {phase.label}"
    return replace(finding, title=title, severity=Severity.WARNING)


CHECK = Check(ABOUT.id, "Does the start get on?", look, ABOUT)
