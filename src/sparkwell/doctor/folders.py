"""Folders: whether they are there, can be written, and have space."""

import os
from contextlib import suppress
from pathlib import Path

from sparkwell.checks.host_parts import Folder, Role


def look_at_folder(role: Role, path: Path) -> Folder:
    """A folder, or the nearest one above it that exists; a link is followed."""
    there = next((each for each in (path, *path.parents) if _is_there(each)), Path("/"))
    return Folder(
        role=role,
        path=str(path),
        exists=there == path and path.is_dir(),
        writable=there.is_dir() and os.access(there, os.W_OK | os.X_OK),
        free_bytes=_free(there),
        filesystem=filesystem(there.resolve(), _mounts()),
    )


def filesystem(path: Path, mounts: str) -> str | None:
    """The type of the file system that a path is on, by the text of /proc/mounts."""
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        mount = Path(fields[1].replace("\\040", " "))
        if path.is_relative_to(mount) and (best is None or len(mount.parts) >= best[0]):
            best = (len(mount.parts), fields[2])
    return best[1] if best else None


def _is_there(path: Path) -> bool:
    """Whether there is something; where this user may not look, nothing that is of use."""
    with suppress(OSError):
        return path.exists()
    return False


def _free(folder: Path) -> int | None:
    with suppress(OSError):
        about = os.statvfs(folder)
        return about.f_bavail * about.f_frsize
    return None


def _mounts() -> str:
    with suppress(OSError):
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    return ""
