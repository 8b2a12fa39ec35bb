"""Which cache folder a download goes to."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.hub import repo_folder


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cache folder that has something of a repository: how much, and whether more may come."""

    folder: Path
    bytes_there: int
    writable: bool


def choose_folder(
    having: Sequence[Candidate],
    *,
    named: Path | None = None,
    explicit: Path | None = None,
    shared: Path | None = None,
    own: Path | None = None,
) -> Path:
    """The cache folder that ``models--ORG--NAME`` belongs in. Pure.

    A folder that has part of the repository and can be written comes first (the largest part), so
    that a download that was cut goes on where it is. Then come ``named`` (the settings' own), a
    part that somebody else's rights protect (the download says so), ``explicit`` (HF_HUB_CACHE or
    HF_HOME), ``shared`` (/opt/hf, where it can be written) and ``own`` (the default).
    Raises EnvironmentFault when there is none of them.
    """
    parts = sorted(having, key=lambda each: -each.bytes_there)  # stable: the first of equals
    writable = [each.folder for each in parts if each.writable]
    locked = [each.folder for each in parts if not each.writable]
    wishes = [*writable[:1], named, *locked[:1], explicit, shared, own]
    found = next((folder for folder in wishes if folder is not None), None)
    if found is None:
        raise EnvironmentFault(
            "There is no folder to download to: this user has no home.",
            hint="Set folders.models in sparkwell.yaml, or HF_HOME.",
        )
    return found


def candidates(repo: str, folders: Iterable[Path]) -> list[Candidate]:
    """Those of ``folders`` that have bytes of ``repo``, in their order."""
    sizes = {folder: _bytes_there(repo_folder(folder, repo)) for folder in folders}
    return [
        Candidate(folder, size, can_write(repo_folder(folder, repo) / "blobs"))
        for folder, size in sizes.items()
        if size
    ]


def can_write(folder: Path) -> bool:
    """Whether this user may make files in a folder, or make the folder where it is missing."""
    with suppress(OSError):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return False


def _bytes_there(repo: Path) -> int:
    """The bytes of its blobs, also of those that are not whole."""
    with suppress(OSError):
        return sum(path.stat().st_size for path in (repo / "blobs").iterdir() if path.is_file())
    return 0
