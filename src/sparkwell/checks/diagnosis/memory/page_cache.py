"""An old engine takes cached files for used memory."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.startup_check import Refused, refusals
from sparkwell.checks.diagnosis.memory.words import (
    DROP,
    NUMBER,
    counts_page_cache,
    named,
    shares_memory,
    up_with,
)
from sparkwell.checks.logs.find import find_last, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.say import gib
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import GIB

_USAGE = re.compile(
    rf"Free memory on device[^(]{{0,20}}\({NUMBER}/(?P<total>{NUMBER}) GiB\) on startup\..{{0,120}}"
    rf"Actual usage is {NUMBER} GiB for weight, .{{0,60}}? (?P<other>-?{NUMBER}) GiB for non-torch"
)
_KV_CACHE = re.compile(rf"Available KV cache memory: (?P<size>{NUMBER}) GiB")
_MUCH_GIB = 8.0
"""Non-torch memory is the CUDA context, NCCL and libraries: 0.1 to 6 GiB were seen."""

ABOUT = About(
    id="page-cache-counted",
    title="The engine takes the page cache for used memory",
    severity=Severity.ERROR,
    symptoms=(
        ("Free memory on device (2.77/119.67 GiB) on startup is less than desired, while `free -h` "
        "shows 52 GiB available."),
        ("A KV cache much smaller than planned after a first start, which has read all weights "
        "from the disk."),
    ),
    cause="vLLM before 0.11.1 asks CUDA what is free; on unified memory that leaves out the "
    "page cache, which the system would give back.",
    remedies=(
        DROP,
        Remedy("Or take an engine of 0.11.1 or newer, which asks the system.",
               "sparkwell up MODEL --image nvcr.io/nvidia/vllm:26.01-py3"),
    ),
    reference="vllm/utils/mem_utils.py, 0.11.1; vllm issues 35313 and 35920",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """Where an old engine was refused memory that there is, or counts much as its own."""
    for log in logs(snapshot):
        if counts_page_cache(log.version):
            yield from _refused(snapshot, log)
            yield from _lost(log)


def _refused(snapshot: Snapshot, log: LogDigest) -> Iterator[Finding]:
    """It found little free, and the system has enough: what is not free can be given back."""
    worst = min(refusals(log), key=lambda each: each.free, default=None)
    if worst is None or not shares_memory(worst.total) or not _is_there(snapshot, worst):
        return
    yield ABOUT.finding(
        *quoted(log, worst.found.line),
        f"available now: {gib(snapshot.system.memory.available_bytes or 0)}"
        if snapshot.system
        else "",
        about=name_of(log),
        model=log.model,
    )


def _is_there(snapshot: Snapshot, worst: Refused) -> bool:
    available = snapshot.system.memory.available_bytes if snapshot.system else None
    return available is not None and available >= worst.wanted * GIB


def _lost(log: LogDigest) -> Iterator[Finding]:
    """It serves, with a KV cache that is smaller by what was cached while weights were read."""
    found = find_last(log, _USAGE)
    if found is None or not shares_memory(float(found["total"])):
        return
    other = float(found["other"])
    if other < _MUCH_GIB:
        return
    said = ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)
    yield replace(
        said,
        severity=Severity.WARNING,
        title="The KV cache is smaller than it could be: "
        f"{other:.1f} GiB beside weights and activations were counted",
        cause=f"{ABOUT.cause} What is cached while weights are read counts as the engine's own.",
        remedies=tuple(_more_room(log, other)),
    )


def _more_room(log: LogDigest, other_gib: float) -> Iterator[Remedy]:
    """Files were cached after the start had begun: to drop them before it changes nothing."""
    yield Remedy(
        "Take an engine of 0.11.1 or newer, which asks the system.",
        f"sparkwell up {named(log)} --image nvcr.io/nvidia/vllm:26.01-py3",
    )
    given = find_last(log, _KV_CACHE)
    size = int(float(given["size"]) + other_gib - _MUCH_GIB) if given else 0
    if size > 0:
        yield up_with(
            log,
            f"Or give the KV cache a size of its own ({size} GiB): then nothing is measured. The "
            "start still wants its share of the memory free.",
            f"kv_cache_memory_bytes={size * GIB}",
        )


CHECK = Check(ABOUT.id, "Does an old engine take cached files for used memory?", look, ABOUT)
