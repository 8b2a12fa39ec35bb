"""Memory came free while the engine measured what it needs itself."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.words import NUMBER
from sparkwell.checks.engines import line, others
from sparkwell.checks.logs.find import Found, find, logs, name_of, quoted
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import GIB

_DISTURBED = re.compile(
    rf"Error in memory profiling\. Initial free memory (?P<before>{NUMBER})(?P<unit> GiB)?, "
    rf"current free memory (?P<after>{NUMBER})"
)

ABOUT = About(
    id="memory-profiling-disturbed",
    title="Memory came free while the engine measured its own",
    severity=Severity.ERROR,
    symptoms=(
        ("AssertionError: Error in memory profiling. Initial free memory 22.02 GiB, current free "
        "memory 22.11 GiB."),
    ),
    cause="vLLM compares free memory before and after a trial run, and ends where there is more "
    "after it. Another engine that stops or shrinks does that; on a GB10 any program, and the "
    "system itself: it was seen there with nothing else running.",
    remedies=(
        Remedy("Start it again: most often nothing stops in that moment. Sparkwell starts one "
               "model at a time.", "sparkwell up MODEL"),
        Remedy("If it comes back, stop what starts, stops and loads models beside it.",
               "ps -eo pid,lstart,rss,args --sort=-rss | head"),
        Remedy("Or give the KV cache a size of its own (here 16 GiB): then nothing is compared. "
               "The start still wants its share of the memory free.",
               "sparkwell up MODEL --set kv_cache_memory_bytes=17179869184"),
    ),
    reference="vllm/v1/worker/gpu_worker.py::determine_available_memory, 0.10 to 0.33; "
    "vllm issue 56830, open",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log that ended so."""
    for log in logs(snapshot):
        if found := find(log, _DISTURBED):
            now = map(line, others(snapshot, log.model))
            said = ABOUT.finding(
                *quoted(log, found.line), *now, about=name_of(log), model=log.model
            )
            yield replace(said, title=f"{ABOUT.title}{_gained(found)}")


def _gained(found: Found) -> str:
    """By how much; older versions say bytes."""
    unit = 1.0 if found["unit"] else GIB
    gained = (float(found["after"]) - float(found["before"])) / unit
    return f": {gained:.2f} GiB more were free after it" if gained > 0 else ""


CHECK = Check(ABOUT.id, "Was the engine alone while it measured its memory?", look, ABOUT)
