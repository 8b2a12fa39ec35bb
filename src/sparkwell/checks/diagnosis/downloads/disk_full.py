"""A disk became full."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.folders import FULL, WEIGHTS_ELSEWHERE, what_takes_space
from sparkwell.checks.host_parts import Folder
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import file_size

_FULL = re.compile(
    r"[Nn]o space left on device|\[Errno (?:28|122)\]|Disk quota exceeded|not enough space on the "
)
_NAMED = re.compile(r"left on device: '(?P<folder>/[^']{1,300}?)(?:/models--[^']*|/[^'/]*)'")
_SHORT = re.compile(
    r"Not enough free disk space to download the file\. The expected file size is: "
    r"(?P<wanted>[\d.]+) MB\. The target location (?P<folder>\S+) only has (?P<free>[\d.]+) MB"
)
# Shared memory is full, and no disk: a trouble with a check of its own.
_SHARED = re.compile(r"\bdev/shm|/psm_|</torch_|/nccl-|shared[_ ]?memory|SharedMemory|shm_open")
_NEAR_LINES = 10
_NEXT_LINES = 2  # NCCL says what failed, where in its code, and then for which file

ABOUT = About(
    id=FULL,
    title="The disk is full",
    severity=Severity.ERROR,
    symptoms=(
        "OSError: [Errno 28] No space left on device",
        "Not enough free disk space to download the file.",
    ),
    cause="Weights (9 to 73 GB each), container images (tens of GB) and compiled code fill a "
    "disk. What a download has written stays, and it goes on from there.",
    remedies=(
        Remedy("See which disk it is.", "df -h"),
        what_takes_space("/opt/hf"),
        Remedy("See which container images are there, and remove some by name. `docker system "
               "prune` also removes what others stopped for a while.", "docker images"),
        WEIGHTS_ELSEWHERE,
        Remedy("Then go on.", "sparkwell pull MODEL"),
    ),
    reference="errno 28 of Linux; huggingface_hub/file_download.py::_check_disk_space",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log or run; only a warning where a download merely feared it."""
    full = [each for each in hear(snapshot, _FULL) if not _is_shared(each)]
    for heard in full:
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield _with_folders(finding, snapshot, _NAMED.search(heard.match.string))
    for heard in hear(snapshot, _SHORT):
        if heard.about not in {each.about for each in full}:
            finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
            yield _short(finding, heard)


def _is_shared(heard: Heard) -> bool:
    """Whether the line, the traceback above it, or what follows speaks of shared memory."""
    texts = list(heard.evidence)
    if heard.log and heard.line:
        number = heard.line.number
        above = list(takewhile(lambda line: line.number < number, heard.log.lines))
        below = heard.log.lines[len(above) + 1 :]
        texts += [line.text for line in (*above[-_NEAR_LINES:], *below[:_NEXT_LINES])]
    return any(_SHARED.search(text) for text in texts)


def _short(finding: Finding, heard: Heard) -> Finding:
    wanted, free = (float(heard[group]) * 1e6 for group in ("wanted", "free"))
    return replace(
        finding,
        severity=Severity.WARNING,
        title=f"A file of {file_size(int(wanted))} is downloaded where {file_size(int(free))} "
        "are free",
        remedies=(what_takes_space(heard["folder"].split("/models--")[0]), *finding.remedies[2:]),
    )


def _with_folders(finding: Finding, snapshot: Snapshot, named: re.Match[str] | None) -> Finding:
    """With what is free now, and the folder that the line names, else this host's for weights."""
    folders = snapshot.folders or ()
    free = tuple(_line(each) for each in folders if each.free_bytes is not None)
    cache = next((each.path for each in folders if each.role == "cache"), None)
    cache = named["folder"] if named else cache
    first, space, *rest = finding.remedies
    return replace(
        finding,
        evidence=(*finding.evidence, *free),
        remedies=(first, what_takes_space(cache) if cache else space, *rest),
    )


def _line(folder: Folder) -> str:
    return f"{folder.path}: {file_size(folder.free_bytes or 0)} free now"


CHECK = Check(ABOUT.id, "Has a disk become full?", look, ABOUT)
