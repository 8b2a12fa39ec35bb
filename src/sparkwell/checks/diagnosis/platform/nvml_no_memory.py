"""The driver does not say how much memory the GPU has: on unified memory that is so."""

import re
from collections.abc import Iterator

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.logs.find import find, logs, name_of, quoted
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_NOT_SUPPORTED = re.compile(
    r"NVMLError_NotSupported|\bnvmlDeviceGetMemoryInfo(?:_v2)?\b.{0,40}\bNot Supported\b"
    r"|\| {1,4}Not Supported {1,20}\|"
)

ABOUT = About(
    id="nvml-no-memory",
    title="NVML does not tell the GPU's memory: on unified memory that is so",
    severity=Severity.INFO,
    symptoms=(
        'nvidia-smi shows "Not Supported" or [N/A] for memory',
        "pynvml.NVMLError_NotSupported: Not Supported",
    ),
    cause="A GB10 has no memory of its own but shares the system's, so NVML answers \"not "
    'supported". What is free is MemAvailable in /proc/meminfo; nvidia-smi and the RSS of '
    "processes show only a part of what an engine holds.",
    remedies=(
        Remedy("See the memory that counts here.", "sparkwell top"),
        Remedy("Or without Sparkwell.", "grep -E 'MemTotal|MemAvailable' /proc/meminfo"),
    ),
    reference="NVIDIA/dgx-spark-playbooks; nvtop pull request 411; vllm pull request 57378",
)


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for the host where NVML answers so, and one for each log that says it."""
    gpus = snapshot.gpu.gpus if snapshot.gpu else ()
    silent = [each for each in gpus if each.total_bytes is None]
    if silent:
        names = ", ".join(each.name or "a GPU without a name" for each in silent)
        yield ABOUT.finding(f"NVML gives no size of the memory of {names}")
    for log in logs(snapshot):
        if found := find(log, _NOT_SUPPORTED):
            yield ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)


CHECK = Check(ABOUT.id, "Does NVML tell the GPU's memory?", look, ABOUT)
