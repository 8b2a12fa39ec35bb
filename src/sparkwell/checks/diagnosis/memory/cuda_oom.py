"""CUDA had no memory left, and when: each phase of a start has its own cure."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.cuda_moments import (
    CACHE,
    FIRST,
    GRAPHS,
    PROFILE,
    SAMPLER,
    SERVING,
    UNKNOWN,
    WAKE,
    WEIGHTS,
    Moment,
    moment_of,
)
from sparkwell.checks.diagnosis.memory.words import (
    DROP,
    WHO,
    fewer,
    plan_with,
    smaller_share,
    up_with,
)
from sparkwell.checks.engines import how_to_end, line, others
from sparkwell.checks.logs.find import Found, find, find_all, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_OUT = re.compile(
    r"torch\.(?:cuda\.)?OutOfMemoryError: |CUDA out of memory"
    r"|CUDA (?:driver )?[Ee]rror: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
    r"|cudaErrorMemoryAllocation|CUDA_ERROR_OUT_OF_MEMORY"
    r"|\[NV_ERR_NO_MEMORY\]|NVML_SUCCESS == .{0,80}CUDACachingAllocator\.cpp"
)
# Ollama tries again with fewer layers; these are its last words, at level INFO.
_OLLAMA = re.compile(
    r"(?:runner process has terminated|\"Load failed\").{0,500}"
    r"(?:cudaMalloc failed|unable to allocate CUDA\d? buffer|out of memory)"
)
_GIVEN_UP = re.compile(r"(?i)autotun|ignoring this choice")
_QUIET = ("debug", "info", "warning")

ABOUT = About(
    id="cuda-oom",
    title="The GPU's memory ran out",
    severity=Severity.ERROR,
    symptoms=(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate ...",
        "torch.AcceleratorError: CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: NVML_SUCCESS == r INTERNAL ASSERT FAILED at ... CUDACachingAllocator.cpp",
        "The kernel's log: NVRM: Out of memory [NV_ERR_NO_MEMORY]",
    ),
    cause="gpu_memory_utilization is what the engine plans with, not a limit: start-up needs more "
    "for moments, and on a GB10 the system takes from the same memory.",
    remedies=(
        WHO,
        Remedy("Leave more outside the engine's budget.",
               "sparkwell up MODEL --set gpu_memory_utilization=0.80"),
        Remedy("Batch fewer tokens: activations are sized by them.",
               "sparkwell up MODEL --set max_num_batched_tokens=2048"),
        Remedy("See where the memory goes.", "sparkwell plan MODEL --explain"),
    ),
    reference="vllm issues 46307, 50011 and 56824; PyTorch, CUDA semantics: memory management",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log, for the first time that it happened there."""
    for log in logs(snapshot):
        fatal = (each for each in find_all(log, _OUT) if _is_fatal(log, each))
        found = next(fatal, None) or find(log, _OLLAMA)
        if found is None:
            continue
        moment = moment_of(log, found)
        lines = map(line, others(snapshot, log.model))
        said = ABOUT.finding(*quoted(log, found.line), *lines, about=name_of(log), model=log.model)
        title = f"{ABOUT.title} {moment.words}".strip()
        remedies = tuple(_remedies(snapshot, log, moment))
        yield replace(said, title=title, cause=moment.cause or ABOUT.cause, remedies=remedies)


def _is_fatal(log: LogDigest, found: Found) -> bool:
    """Tuners try what may not fit, say so, and go on with something else."""
    place = bisect_left(log.lines, found.line.number, key=attrgetter("number"))
    near = log.lines[max(0, place - 2) : place + 3]
    return found.line.level not in _QUIET and not any(_GIVEN_UP.search(each.text) for each in near)


def _remedies(snapshot: Snapshot, log: LogDigest, moment: Moment) -> Iterator[Remedy]:
    in_the_way = others(snapshot, log.model)
    yield from map(how_to_end, in_the_way)
    if moment in (FIRST, CACHE, WAKE, UNKNOWN) and not in_the_way:
        yield WHO
    if moment is FIRST:
        yield DROP
    yield from _settings(snapshot, log, moment)
    yield plan_with(log, "See where the memory goes.")


def _settings(snapshot: Snapshot, log: LogDigest, moment: Moment) -> Iterator[Remedy]:
    """Flags to change, the one that helps most first."""
    if moment is WEIGHTS:
        yield Remedy(
            "Take a model whose weights are smaller.", "sparkwell recommend --need latency"
        )
        return
    if moment in (GRAPHS, SAMPLER):
        less = fewer(snapshot, log, "max_num_seqs", 32)
        yield up_with(log, "Fewer requests at once: fewer graphs, a smaller sampler.", less)
    if moment in (PROFILE, SERVING):
        less = fewer(snapshot, log, "max_num_batched_tokens", 2048)
        yield up_with(log, "Batch fewer tokens: activations are sized by them.", less)
    if moment is not FIRST:
        less = smaller_share(snapshot, log)
        yield up_with(log, "Leave more beside the engine's budget: less KV cache.", less)


CHECK = Check(ABOUT.id, "Did the GPU's memory run out?", look, ABOUT)
