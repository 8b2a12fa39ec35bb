"""An engine that says it is well and generates nothing."""

import re
from collections.abc import Iterator

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.running.steady import Steady, said_at_s, serving_began, steady
from sparkwell.checks.logs.find import Found, find, find_all, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

SILENT_S = 60.0
"""Without an answer to the canary: its own deadline is half of that."""
_QUIET_S = 180.0
_BLOCKS = 3
_TIMED_OUT = re.compile(r"RPC call to (?:execute_model|sample_tokens) timed out")
_NO_BLOCK = re.compile(r"No available (?:shared memory broadcast )?block found in \d{1,6} second")
# The supervisor's own words: of a pulse that stopped, of a start whose first token never came.
_SAID = re.compile(
    r"^it hung: |healthy, but generated nothing within|answered the first request without a token"
)
_SHUT_DOWN = re.compile(r"shutdown triggered|Shutting down|Application shutdown complete")

ABOUT = About(
    id="engine-hung",
    title="The engine says that it is healthy, and generates nothing",
    severity=Severity.ERROR,
    symptoms=(
        "/health answers 200, and requests never end.",
        "RPC call to execute_model timed out.",
        "No available shared memory broadcast block found in 60 seconds (again and again)",
        "Running: 3 reqs with 0.0 tokens/s, and no such line after it",
    ),
    cause="The API server and the engine are processes of their own: /health can be green while "
    "the engine waits for a kernel, a worker or the driver that does not come back.",
    remedies=(
        Remedy("Keep the log, then start it anew. Where requests come through Sparkwell it does "
               "that by itself, after two canaries without an answer.", "sparkwell restart MODEL"),
        Remedy("See whether the GPU has reported an error (Xid).", "sudo dmesg | grep -i xid"),
        Remedy("Where it comes again, try another version of vLLM, and without CUDA graphs: that "
               "says whether a kernel is the reason.",
               "sparkwell up MODEL --set enforce_eager=true"),
    ),
    reference="vllm/v1/executor/multiproc_executor.py, "
    "vllm/distributed/device_communicators/shm_broadcast.py, 0.10 to 0.33",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each run that gives no sign of life, and for each log that shows it."""
    told = set()
    for run in snapshot.runs or ():
        if said := _of_run(run):
            told.add(run.model)
            yield ABOUT.finding(*said, model=run.model)
    for log in logs(snapshot):
        if name_of(log) not in told and (said := _of_log(log)):
            yield ABOUT.finding(*said, about=name_of(log), model=log.model)


def _of_run(run: Run) -> tuple[str, ...]:
    if run.silent_s is not None and run.silent_s >= SILENT_S and run.state == "ready":
        return (f"no answer to a request for one token for {run.silent_s:.0f} s",)
    return (run.error,) if run.error and _SAID.search(run.error) else ()


def _of_log(log: LogDigest) -> tuple[str, ...]:
    rows = list(steady(log))
    if timed_out := find(log, _TIMED_OUT):
        return quoted(log, timed_out.line)
    blocked = _blocked(log, rows)
    if sum(each.line.times for each in blocked) >= _BLOCKS:
        return quoted(log, blocked[0].line, blocked[-1].line)
    return _went_quiet(log, rows[-1]) if rows else ()


def _blocked(log: LogDigest, rows: list[Steady]) -> list[Found]:
    """Complaints of a full ring since it last generated something; while loading they are usual."""
    began = serving_began(log)
    if began is None:
        return []
    generated = [each.line.number for each in rows if each.output_tokens_per_s > 0]
    since = max([began.number, *generated])
    return [each for each in find_all(log, _NO_BLOCK) if each.line.number > since]


def _went_quiet(log: LogDigest, last: Steady) -> tuple[str, ...]:
    """The last word on its work is that requests run and get nothing, long before the log's end.

    One such line is usual: a long prompt is read meanwhile. The next says so, or there is none.
    """
    works = last.prompt_tokens_per_s + last.output_tokens_per_s > 0 or last.running == 0
    if works or last.at_s is None or find(log, _SHUT_DOWN):
        return ()
    later = [(at, each) for each in log.lines
             if each.number > last.line.number and (at := said_at_s(each)) is not None]  # fmt: skip
    if not later or later[-1][0] - last.at_s < _QUIET_S:
        return ()
    quiet = f"no figures for {later[-1][0] - last.at_s:.0f} s after that"
    return (*quoted(log, last.line), quiet)


CHECK = Check(ABOUT.id, "Does the engine generate?", look, ABOUT)
