"""The memory that processes share, /dev/shm, is too small."""

import re
from collections.abc import Iterator

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.logs.find import find, logs, name_of, quoted
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_FULL = (
    re.compile(
        r"Insufficient space in /dev/shm|Error while creating shared memory segment /dev/shm"
        r"|failed to extend /dev/shm/|No space left on device: '/(?:dev/shm|psm_|torch_|nccl-)"
        r"|/dev/shm/.{0,120}No space left on device|No space left on device.{0,60}/dev/shm\b"
    ),
    re.compile(
        r"unable to (?:mmap|write|resize|allocate|open)[^<]{0,60}<(?:/torch_|/psm_|filename not)"
        r"[^>]{0,80}>.{0,60}(?:No space left|Cannot allocate|Resource temporarily unavailable)"
    ),
)
_BUS = re.compile(
    r"^(?:Fatal Python error: )?Bus error|killed by signal: Bus error|\bSIGBUS\b"
    r"|Failed core proc\(s\): \{[^}]{0,200}: -7[,}]"
)

ABOUT = About(
    id="shm-too-small",
    title="The shared memory of the container (/dev/shm) is too small",
    severity=Severity.ERROR,
    symptoms=(
        "Bus error (core dumped); Fatal Python error: Bus error",
        ("RuntimeError: unable to mmap 67108864 bytes from file </torch_...>: Cannot allocate "
        "memory (12)"),
        "RuntimeError: Insufficient space in /dev/shm for shared-memory allocation: ...",
        "NCCL WARN Error while creating shared memory segment /dev/shm/nccl-... (size 9637888)",
    ),
    cause="The engine's processes and NCCL hand data over in /dev/shm. A container gets 64 MB of "
    "it unless it is told otherwise; a write beyond that ends a process with SIGBUS. A file that "
    "is cut short while it is mapped does the same.",
    remedies=(
        Remedy("Let Sparkwell start the container: it shares the host's /dev/shm.",
               "sparkwell up MODEL"),
        Remedy("Or give the container more, as a Compose file: `ipc: host`, or `shm_size: 16gb`.",
               "docker run --ipc=host ..."),
        Remedy("Without a container: see what fills it. Segments that a killed engine left there "
               "can go when none runs.", "df -h /dev/shm && ls -l /dev/shm"),
    ),
    reference="vllm issues 1710 and 1771; vllm/distributed/device_communicators/shm_broadcast.py::"
    "check_shm_free_space, 0.32; NCCL, misc/shmutils.cc; llm-d issue 352",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log with such a line."""
    for log in logs(snapshot):
        if found := find(log, *_FULL, _BUS):
            yield ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)


CHECK = Check(ABOUT.id, "Is there enough shared memory?", look, ABOUT)
