"""The engine found less memory free at its start than it wants to use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.words import (
    DROP,
    NUMBER,
    WHO,
    counts_page_cache,
    down,
    plan_with,
    shares_memory,
)
from sparkwell.checks.engines import how_to_end, line, others
from sparkwell.checks.logs.find import Found, find_all, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_REFUSED = re.compile(
    r"(?:Free|Available) memory on (?:device|node)(?: [\w:]{1,20})? "
    rf"\((?P<free>{NUMBER})/(?P<total>{NUMBER}) GiB\) on startup\s+is less than "
    r"(?:desired (?:GPU|CPU) memory utilization"
    r"|the engine's budget after excluding external process's weights) "
    rf"\((?P<share>{NUMBER}), (?P<wanted>{NUMBER}) GiB\)"
)
_SMALLEST = 0.1
_ROUNDED_GIB = 0.02  # figures of a log have two decimals

ABOUT = About(
    id="memory-startup-check",
    title="Less memory was free at the start than the engine wants to use",
    severity=Severity.ERROR,
    symptoms=(
        ("ValueError: Free memory on device (14.52/79.18 GiB) on startup is less than desired GPU "
        "memory utilization (0.85, 67.3 GiB)."),
        "Newer versions name the device: Free memory on device cuda:0 (...).",
        ("The CPU build: Available memory on node 0 (...) on startup is less than desired CPU "
        "memory utilization (...)."),
    ),
    cause="vLLM compares free memory with total x gpu_memory_utilization before it does anything "
    "else, also where --kv-cache-memory-bytes is given. A shorter --max-model-len does not help: "
    "the check does not look at it.",
    remedies=(
        WHO,
        Remedy("Ask on that machine for an engine process that has outlived its parent.",
               "sparkwell doctor"),
        Remedy("Or start with a smaller share of the memory, if the model fits in it; the plan "
               "tells.", "sparkwell plan MODEL --set gpu_memory_utilization=0.80"),
    ),
    reference="vllm/v1/worker/utils.py::request_memory, 0.20 to 0.33; "
    "vllm/v1/worker/gpu_worker.py, 0.10 to 0.19; vllm/v1/worker/cpu_worker.py, 0.32",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    """One refusal, in GiB. ``passing`` is the largest share that the check would have let pass."""

    found: Found
    free: float
    total: float
    share: float
    wanted: float

    @property
    def passing(self) -> float:
        """Floored to hundredths; what others hold of the share's memory is counted in."""
        return down(self.share - (self.wanted - self.free + _ROUNDED_GIB) / self.total)


def refusals(log: LogDigest) -> Iterator[Refused]:
    """What the check refused in this log: each process of a model that is spread says its own."""
    for found in find_all(log, _REFUSED):
        free, total, share, wanted = map(
            float, found.match.group("free", "total", "share", "wanted")
        )
        if total > 0:
            yield Refused(found, free, total, share, wanted)


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log that has it; of several devices the fullest counts."""
    for log in logs(snapshot):
        worst = min(refusals(log), key=lambda each: each.passing, default=None)
        if worst is not None:
            yield _finding(snapshot, log, worst)


def _finding(snapshot: Snapshot, log: LogDigest, worst: Refused) -> Finding:
    now = map(line, others(snapshot, log.model))
    said = ABOUT.finding(*quoted(log, worst.found.line), *now, about=name_of(log), model=log.model)
    return replace(said, remedies=(*_room(snapshot, log, worst), *_share(log, worst)))


def _room(snapshot: Snapshot, log: LogDigest, worst: Refused) -> Iterator[Remedy]:
    """How memory comes back. Without a look at the host it can only be asked for."""
    in_the_way = others(snapshot, log.model)
    yield from map(how_to_end, in_the_way) if in_the_way else ABOUT.remedies[: _asks(snapshot)]
    if shares_memory(worst.total) and counts_page_cache(log.version):
        yield DROP


def _asks(snapshot: Snapshot) -> int:
    """How many of the general questions are still open: engines were looked for, or not."""
    return 1 if snapshot.engines is not None else 2


def _share(log: LogDigest, worst: Refused) -> Iterator[Remedy]:
    if worst.passing < _SMALLEST:
        return
    kept = " The system lives in the same memory, so keep some for it." if shares_memory(
        worst.total) else ""  # fmt: skip
    yield plan_with(
        log,
        f"Or start with a share of at most {worst.passing:.2f}: that much was free. The plan tells "
        f"whether the model fits in it.{kept}",
        f"gpu_memory_utilization={worst.passing:.2f}",
    )


CHECK = Check(ABOUT.id, "Was as much free as the engine wanted to find?", look, ABOUT)
