"""GPUs do not reach each other: NCCL failed."""

import re
from collections.abc import Iterator

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.logs.find import find_all, quoted
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_FAILED = re.compile(
    r"NCCL error(?: in)?: |ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ncclRemoteError"
    r"|Watchdog caught collective operation timeout"
    r"|The client socket has (?:timed out|failed to connect)"
)
_WHY = re.compile(r"\bNCCL WARN (?P<why>\S.*)|Last error: (?P<last>\S.*)")
# Too little shared memory has a check of its own; NCCL only meets it first.
_SHARED = re.compile(r"\bdev/shm|shared memory segment")

ABOUT = About(
    id="nccl-failure",
    title="NCCL failed: GPUs do not reach each other",
    severity=Severity.ERROR,
    symptoms=(
        "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)",
        "torch.distributed.DistBackendError: NCCL error in: …/NCCLUtils.cpp",
        "Watchdog caught collective operation timeout",
    ),
    cause="Engines on several GPUs talk by NCCL. It fails where two hosts do not reach each other "
    "on the interface that it took, where one of them ended first, or where the container may not "
    "lock memory. Its own warnings before the error say which.",
    remedies=(
        Remedy("One DGX Spark has one GPU and needs no NCCL: leave tensor_parallel_size out.",
               "sparkwell up MODEL --set tensor_parallel_size=1"),
        Remedy("Between two Sparks, name the interface of the cable on both, in the recipe's env: "
               "NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME and NCCL_IB_HCA. The first command shows "
               "which are up.", "ibdev2netdev; ip -br addr"),
        Remedy("Start with NCCL_DEBUG=INFO: it says which connection fails. That changes nothing "
               "else."),
    ),
    reference="vllm/distributed/device_communicators/pynccl_wrapper.py, 0.10 to 0.33; "
    "vllm issue 10626",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run; NCCL's first word on why comes before the error."""
    for heard in hear(snapshot, _FAILED):
        why = _why(heard)
        if not any(_SHARED.search(text) for text in (*why, *heard.evidence)):
            lines = dict.fromkeys((*why[:1], *heard.evidence))
            yield ABOUT.finding(*lines, about=heard.about, model=heard.model)


def _why(heard: Heard) -> tuple[str, ...]:
    found = (each.line for each in find_all(heard.log, _WHY)) if heard.log else ()
    return quoted(heard.log, *found) if heard.log else ()


CHECK = Check(ABOUT.id, "Do the GPUs reach each other?", look, ABOUT)
