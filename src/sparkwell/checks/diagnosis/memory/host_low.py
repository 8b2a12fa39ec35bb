"""The host's memory ran out, or is about to."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.downloads.pointer import pointer_read
from sparkwell.checks.diagnosis.memory.host_about import ABOUT
from sparkwell.checks.diagnosis.memory.host_now import now_low
from sparkwell.checks.diagnosis.memory.words import named, smaller_share
from sparkwell.checks.engines import how_to_end, line, others
from sparkwell.checks.logs.find import Found, find, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Severity

_OURS = re.compile(r"^\[sparkwell: the kernel ended a process of this container: out of memory\]")
_KERNEL = re.compile(r"(?:Out of memory|Memory cgroup out of memory): Killed process \d+|oom-kill:")
_REFUSED = re.compile(
    r"OSError: \[Errno 12\] Cannot allocate memory|Error code 12 \(Cannot allocate memory\)"
    r"|DefaultCPUAllocator: (?:can't allocate|not enough) memory|^MemoryError\b|\bstd::bad_alloc\b"
    r"|unable to mmap \d+ bytes from file <(?!/torch_)[^>]{1,300}>: Cannot allocate memory"
)
_RAY = re.compile(r"killed due to (?:the )?node running low on memory|ray\.exceptions\.OutOfMemory")
_KILLED = re.compile(r"^Killed$|: line \d+: +\d+ Killed\b")
_GUARD = re.compile(r"the memory guard ended it: ")
_PERHAPS = "A process was killed: by the kernel, when memory ran out, or by hand"


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """What logs and ended runs say, and what the host's memory says now."""
    yield from _of_logs(snapshot)
    yield from _of_runs(snapshot)
    if snapshot.request is None:  # before a start the plan's peak counts: checks/memory.py
        yield from now_low(snapshot)


def _of_logs(snapshot: Snapshot) -> Iterator[Finding]:
    for log in logs(snapshot):
        if pointer_read(log):
            continue  # no memory was short: downloads/incomplete.py tells it
        if found := find(log, _OURS, _KERNEL, _REFUSED, _RAY):
            yield _ran_out(snapshot, log, found)
        elif found := find(log, _KILLED):
            said = ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)
            yield replace(said, severity=Severity.WARNING, title=_PERHAPS)


def _ran_out(snapshot: Snapshot, log: LogDigest, found: Found) -> Finding:
    now = map(line, others(snapshot, log.model))
    said = ABOUT.finding(*quoted(log, found.line), *now, about=name_of(log), model=log.model)
    who, plan, share, batch = said.remedies
    less = f"sparkwell up {named(log)} --set {smaller_share(snapshot, log, 0.1)}"
    said = replace(said, remedies=(who, plan, replace(share, command=less), batch))
    return _with_room(snapshot, said, log.model)


def _of_runs(snapshot: Snapshot) -> Iterator[Finding]:
    told = {each.model for each in logs(snapshot) if each.model and find(each, _OURS)}
    for run in snapshot.runs or ():
        if run.end and run.end.out_of_memory and not run.end.asked and run.model not in told:
            yield _with_room(snapshot, ABOUT.finding(_ended(run), model=run.model), run.model)
        elif run.state == "failed" and run.error and _GUARD.match(run.error):
            yield _with_room(snapshot, guard_ended(run.model, run.error), run.model)


def guard_ended(model: str, reason: str) -> Finding:
    """What is to be said where the memory guard has ended an engine, in the guard's words."""
    title = f"The memory guard ended {model} before the host's memory ran out"
    return replace(ABOUT.finding(reason, model=model), title=title)


def _ended(run: Run) -> str:
    why = f": {run.end.reason}" if run.end and run.end.reason else ""
    return f"the kernel ended {run.model}'s run {run.id} because memory ran out{why}"


def _with_room(snapshot: Snapshot, said: Finding, model: str | None) -> Finding:
    in_the_way = others(snapshot, model)
    first = tuple(map(how_to_end, in_the_way)) or said.remedies[:1]
    return replace(said, remedies=(*first, *said.remedies[1:]))


CHECK = Check(ABOUT.id, "Did the host's memory run out, or is it about to?", look, ABOUT)
