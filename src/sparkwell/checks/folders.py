"""Folders: whether they can be written, and have space for what is to come."""

from collections.abc import Iterator

from sparkwell.checks.check import Check
from sparkwell.checks.host_parts import Folder
from sparkwell.checks.say import ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity
from sparkwell.core.units import GB, file_size

NOT_WRITABLE, FULL, IN_MEMORY = "cache-not-writable", "disk-full", "cache-in-memory"
MAKE_FOLDER = "make-cache-folder"
# Beside the tensors a repository has a tokenizer and texts, and a disk should not become full.
SPARE_BYTES = GB
# Logs, the store and compiled code.
STATE_BYTES = GB
# No size is known before a pull; an image for GPUs has tens of GB unpacked.
IMAGE_BYTES = 30 * GB
WEIGHTS_ELSEWHERE = Remedy(
    "Or keep weights elsewhere: folders.models in sparkwell.yaml.", "sparkwell config show"
)
_NAMES = {
    "cache": "folder for weights",
    "state": "folder for Sparkwell's own files",
    "images": "folder for container images",
}


def cache_not_writable(snapshot: Snapshot) -> Iterator[Finding]:
    """The folders that a start writes to can be written by this user."""
    for folder in snapshot.folders or ():
        if _is_written(snapshot, folder):
            yield _rights(folder)


def _rights(folder: Folder) -> Finding:
    name = _NAMES[folder.role]
    if folder.exists and folder.writable:
        return ok(NOT_WRITABLE, f"The {name} can be written", folder.path)
    if folder.writable and folder.role == "state":
        return ok(NOT_WRITABLE, f"The {name} can be made", folder.path)
    if folder.writable:
        return Finding(
            NOT_WRITABLE,
            Severity.INFO,
            f"The {name} is not there yet: it will be made",
            (folder.path,),
            remedies=(Remedy("Make it now.", f"mkdir -p '{folder.path}'", MAKE_FOLDER),),
        )
    what = "cannot be written by this user" if folder.exists else "is not there, nor can it be made"
    return Finding(
        NOT_WRITABLE,
        Severity.ERROR,
        f"The {name} {what}",
        (folder.path,),
        remedies=(own(folder.path), *_elsewhere(folder)),
    )


def disk_full(snapshot: Snapshot) -> Iterator[Finding]:
    """There is space for what is still to be downloaded, and some more."""
    for folder in snapshot.folders or ():
        need = _need_bytes(snapshot, folder)
        if need is not None and folder.free_bytes is not None:
            yield _space(folder, need, folder.free_bytes)


def cache_in_memory(snapshot: Snapshot) -> Iterator[Finding]:
    """Weights are not kept in memory, which the engine needs itself."""
    for folder in snapshot.folders or ():
        if folder.role == "cache" and folder.filesystem in ("tmpfs", "ramfs"):
            yield Finding(
                IN_MEMORY,
                Severity.WARNING,
                "The folder for weights is in memory, not on a disk",
                (f"{folder.path} is on {folder.filesystem}",),
                cause="What lies there takes memory from the engine, and is gone after a restart.",
                remedies=_elsewhere(folder),
            )


def _space(folder: Folder, need: int, free: int) -> Finding:
    figures = f"{folder.path}: {file_size(free)} free, {file_size(need)} needed"
    if free >= need:
        return ok(FULL, f"The {_NAMES[folder.role]} has space", figures)
    guess = folder.role == "images"
    return Finding(
        FULL,
        Severity.WARNING if guess else Severity.ERROR,
        f"The {_NAMES[folder.role]} {'may have' if guess else 'has'} too little space",
        (figures,),
        cause="The image's size is not known before it is pulled." if guess else None,
        remedies=(*_to_free(folder), *_elsewhere(folder)),
    )


def _to_free(folder: Folder) -> tuple[Remedy, ...]:
    if folder.role == "images":
        return (Remedy("See which images are there, and remove some by name.", "docker images"),)
    return (what_takes_space(folder.path),)


def in_quotes(path: str) -> str:
    """A path as one word for a shell, whatever signs it has."""
    return "'" + path.replace("'", "'\\''") + "'"


def what_takes_space(folder: str) -> Remedy:
    """How to see it; what goes is for a person to say."""
    see = f"du -xsh {in_quotes(folder)}/* | sort -h"
    return Remedy("See what takes the space, largest last.", see)


def own(folder: str) -> Remedy:
    """How a folder becomes this user's own."""
    path = in_quotes(folder)
    make = f'sudo mkdir -p {path} && sudo chown "$USER" {path}'
    return Remedy("Make it this user's own.", make)


def _elsewhere(folder: Folder) -> tuple[Remedy, ...]:
    if folder.role == "cache":
        return (WEIGHTS_ELSEWHERE,)
    if folder.role == "state":
        return (Remedy("Or set SPARKWELL_HOME to another folder.",
                       'export SPARKWELL_HOME="$HOME/sparkwell"'),)  # fmt: skip
    return ()


def _is_written(snapshot: Snapshot, folder: Folder) -> bool:
    """Docker's own folder is Docker's; weights that are here are not written again."""
    if folder.role == "cache":
        return snapshot.weights is None or not snapshot.weights.complete
    return folder.role == "state"


def _need_bytes(snapshot: Snapshot, folder: Folder) -> int | None:
    weights, image, request = snapshot.weights, snapshot.image, snapshot.request
    if folder.role == "cache":
        missing = weights is not None and not weights.complete
        return weights.missing_bytes + SPARE_BYTES if weights and missing else None
    if folder.role == "images":
        pull = request is not None and request.driver == "compose"
        return IMAGE_BYTES if pull and image is not None and image.present is False else None
    return STATE_BYTES


CHECKS = (
    Check(NOT_WRITABLE, "Can the folders be written?", cache_not_writable),
    Check(FULL, "Is there space for what is to be downloaded?", disk_full),
    Check(IN_MEMORY, "Are the weights on a disk?", cache_in_memory),
)
