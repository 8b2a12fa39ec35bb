"""A model in Ollama with a context that memory, or the model itself, has no room for."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.ollama_words import context_line, context_of, shorter
from sparkwell.checks.diagnosis.memory.words import DROP, WHOLE
from sparkwell.checks.engines import how_to_end, line, others
from sparkwell.checks.logs.find import Found, find_last, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_NO_ROOM = re.compile(
    r"model requires more system memory \((?P<needed>[\d.]{1,12} [KMGT]?i?B)\) than is available "
    r"\((?P<available>[\d.]{1,12} [KMGT]?i?B)\)"
    r"|model request too large for system|error: .{0,80}there is not enough memory for it"
)
_CLAMPED = re.compile(
    r"requested context size too large for model\"? "
    rf"num_ctx=(?P<asked>{WHOLE}) n_ctx_train=(?P<own>{WHOLE})"
)

ABOUT = About(
    id="ollama-context-too-large",
    title="Ollama has no memory for the model with this context",
    severity=Severity.ERROR,
    symptoms=(
        "model requires more system memory (81.3 GiB) than is available (60.2 GiB)",
        'level=WARN msg="model request too large for system"',
        ('level=WARN msg="requested context size too large for model" num_ctx=262144 '
        "n_ctx_train=40960"),
    ),
    cause="Ollama takes memory for the whole context when it loads a model. Without num_ctx it "
    "chooses by the GPU's memory: 262,144 tokens from 48 GiB on, which a DGX Spark has.",
    remedies=(
        Remedy("Load the model for fewer tokens.", "sparkwell up MODEL --set num_ctx=8192"),
        Remedy("For models that are loaded without Sparkwell: give the server a default.",
               "sudo systemctl edit ollama   # Environment=OLLAMA_CONTEXT_LENGTH=8192"),
        DROP,
    ),
    reference="ollama's context-length.mdx and llm/server.go; NemoClaw issue 3251",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """Loads that failed, contexts that were cut; a run that failed so without a log."""
    for log in logs(snapshot):
        if found := find_last(log, _NO_ROOM):
            yield _no_room(snapshot, log, found)
        elif found := find_last(log, _CLAMPED):
            yield _clamped(log, found)
    yield from _of_runs(snapshot)


def _no_room(snapshot: Snapshot, log: LogDigest, found: Found) -> Finding:
    context, where = context_of(snapshot, log), context_line(log)
    lines = [where.line] if where and where.line != found.line else []
    in_the_way = others(snapshot, log.model)
    said = ABOUT.finding(
        *quoted(log, *lines, found.line), *map(line, in_the_way),
        about=name_of(log), model=log.model,
    )  # fmt: skip
    return replace(
        said, remedies=(shorter(log, context), *map(how_to_end, in_the_way), *said.remedies[1:])
    )


def _clamped(log: LogDigest, found: Found) -> Finding:
    """Ollama takes the model's own length then: nothing breaks, but less is served than asked."""
    own, asked = int(found["own"]), int(found["asked"])
    said = ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)
    keep = Remedy(
        f"Ask for {own:,} tokens at most: Ollama serves no more of this model anyway.",
        f"sparkwell up {log.model or 'MODEL'} --set num_ctx={own}",
    )
    return replace(
        said,
        severity=Severity.INFO,
        title=f"Ollama cut the context to the model's own {own:,} tokens; {asked:,} were asked for",
        cause="A model has no use for more tokens than it was trained with, so Ollama takes its "
        "own length. Longer prompts lose their beginning.",
        remedies=(keep, said.remedies[1]),
    )


def _of_runs(snapshot: Snapshot) -> Iterator[Finding]:
    told = {name_of(log) for log in logs(snapshot) if find_last(log, _NO_ROOM)}
    for run in snapshot.runs or ():
        if run.engine == "ollama" and run.model not in told and _NO_ROOM.search(run.error or ""):
            yield _of_run(snapshot, run)


def _of_run(snapshot: Snapshot, run: Run) -> Finding:
    context = run.flags.get("num_ctx")
    asked = (f"num_ctx={context}",) if context else ()
    in_the_way = others(snapshot, run.model)
    said = ABOUT.finding(run.error or "", *asked, *map(line, in_the_way), model=run.model)
    return replace(
        said, remedies=(said.remedies[0], *map(how_to_end, in_the_way), *said.remedies[1:])
    )


CHECK = Check(ABOUT.id, "Has Ollama memory for the model with its context?", look, ABOUT)
