"""The engine died, and no other check knows the error: the first cause that the log gives."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import reasons
from sparkwell.checks.diagnosis.platform.last_words import last_words
from sparkwell.checks.logs.find import logs, name_of, quoted
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

LONGEST = 160
"""Characters of an error that a title shows."""
_KILLED = (
    "Something outside ended its process. Where it was SIGKILL, that is mostly the kernel, which "
    "was short of memory; its own log says so."
)
_CRASHED = (
    "A library of the engine crashed: CUDA's, PyTorch's or a kernel. Python could not say more. "
    "The lines before it tell what it did."
)
_SILENT = (
    "No process of it says an error, so it was ended from outside, mostly by the kernel for want "
    "of memory, or its first lines are missing here."
)

ABOUT = About(
    id="engine-core-died",
    title="The engine died",
    severity=Severity.ERROR,
    symptoms=(
        "RuntimeError: Engine core initialization failed. See root cause above.",
        "EngineDeadError: EngineCore encountered an issue.",
        "Engine core proc EngineCore_DP0 died unexpectedly, shutting down client.",
    ),
    cause="Sparkwell does not know this error. vLLM runs in several processes that pass an error "
    "on, so the last one in the log only says that another failed; the evidence is the first one, "
    "with what the engine said before it.",
    remedies=(
        Remedy("Read the whole log around that line.", "sparkwell logs MODEL"),
        Remedy("See whether other flags or another image are the cause: without --set and --image "
               "it starts with the ones that are planned for this machine.", "sparkwell up MODEL"),
        Remedy("Save what a report needs, without secrets, and attach it where you ask.",
               "sparkwell doctor --save FILE"),
    ),
    reference="vllm/v1/engine/core.py, core_client.py and utils.py, 0.10 to 0.33",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log that ended so; and for each run that ended by itself without one."""
    told = set()
    for log in logs(snapshot):
        if (words := last_words(log)) is not None:
            told.add(log.instance)
            finding = ABOUT.finding(*quoted(log, *words.lines), about=name_of(log), model=log.model)
            yield _in_words(finding, words.error, words.killed)
    for run in snapshot.runs or ():
        if run.id not in told and _died(run):
            yield _of_run(run)


def _in_words(finding: Finding, error: str | None, killed: str | None) -> Finding:
    if error is not None:
        return replace(finding, title=f"{finding.title}: {_cut(error)}")
    kernel = Remedy("See whether the kernel ended it.", "sudo dmesg -T | grep -i 'out of memory'")
    how = f": its process was ended by {killed}" if killed else " without a word"
    return replace(
        finding,
        title=f"{finding.title}{how}",
        cause=_why(killed),
        remedies=(kernel, *finding.remedies),
    )


def _why(killed: str | None) -> str:
    if killed is None:
        return _SILENT
    outside = ("SIGKILL", "SIGTERM", "SIGINT", "signal 2", "signal 15")
    return _KILLED if any(each in killed for each in outside) else _CRASHED


def _died(run: Run) -> bool:
    """Whether its process ended unasked; a failure without a known end is model-failed."""
    end = run.end
    if end is None or end.asked:
        return False
    return bool(end.signal or end.code) or (end.code == 0 and run.state == "failed")


def _of_run(run: Run) -> Finding:
    said = reasons(run)
    end = run.end
    code = (f"exit code {end.code}",) if end and end.code else ()
    evidence = tuple(f"{run.id}: {text}" for text in (*said, *code))
    finding = ABOUT.finding(*evidence, about=run.model, model=run.model)
    error = said[0] if said and said[0] != run.last_line else None
    if end and end.code is not None and _is_silent(run):
        return _without_a_word(finding, end.code, run.model)
    return _in_words(finding, error, end.signal if end else None)


def _is_silent(run: Run) -> bool:
    """Whether nobody says more of its end than how it ended."""
    reason = run.end.reason if run.end else None
    own = {text for text in reasons(run) if text != reason}
    return run.last_line is None and not any(": " in text for text in own)


def _without_a_word(finding: Finding, code: int, model: str) -> Finding:
    """Nobody ended it: it ended itself, before it could write."""
    return replace(
        finding,
        title=f"{finding.title} without a word: exit code {code}",
        cause="It ended by itself and wrote nothing: mostly the program itself is not whole, or is "
        "not the one that it should be.",
        remedies=(
            Remedy("See whether the environment or the image is whole.",
                   f"sparkwell preflight {model}"),
            Remedy("Install the engine anew; models and settings stay.",
                   "sparkwell engine remove NAME && sparkwell engine install NAME"),
        ),
    )  # fmt: skip


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


CHECK = Check(ABOUT.id, "Why did the engine die?", look, ABOUT, general=True)
