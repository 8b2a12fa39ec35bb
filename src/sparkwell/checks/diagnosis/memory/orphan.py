"""An engine process that has outlived what started it holds memory for nobody."""

from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.engines import how_to_end, line, total_held
from sparkwell.checks.say import gib
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

ABOUT = About(
    id="memory-held-by-orphan",
    title="An engine process has outlived its parent and holds memory",
    severity=Severity.ERROR,
    symptoms=(
        "Nothing is served, and most of the GPU's memory is gone.",
        ("A start is refused with \"Free memory on device ... is less than desired\" although no "
        "model runs."),
        "`ps` shows VLLM::EngineCore or VLLM::Worker without an API server above it.",
    ),
    cause="vLLM's EngineCore and workers run in sessions of their own. When the API server is "
    "killed (kill -9, a closed terminal, docker kill), they may live on with all they hold.",
    remedies=(
        Remedy("Find it: an EngineCore without an API server.",
               "ps -eo pid,ppid,lstart,args | grep -E '[V]LLM::|[v]llm'"),
        Remedy("End that process (SIGKILL if it does not go), then see that the memory is back. "
               "Sparkwell does both when asked.", "sparkwell doctor --fix"),
        Remedy("Where the memory stays gone on a GB10, only a restart of the machine brings it "
               "back.", "sudo reboot"),
    ),
    reference="measured: vLLM 0.25.0 on an H100 and 0.32.0 on a CPU; LocalAI issue 10722",
)  # fmt: skip
_NAMELESS = 1


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for all of them: they hold the same memory."""
    orphans = [each for each in snapshot.engines or () if each.orphan]
    if not orphans:
        return
    known, several = total_held(orphans), len(orphans) > _NAMELESS
    held = f" {gib(known)}" if known else " memory"
    who = f"{len(orphans)} engine processes have" if several else "An engine process has"
    verb = "hold" if several else "holds"
    parents = "their parents" if several else "its parent"
    yield replace(
        ABOUT.finding(*map(line, orphans)),
        title=f"{who} outlived {parents} and {verb}{held}",
        remedies=(*map(how_to_end, orphans), ABOUT.remedies[-1]),
    )


CHECK = Check(ABOUT.id, "Does an engine process hold memory for nobody?", look, ABOUT)
