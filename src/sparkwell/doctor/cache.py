"""The cache of weights: what of a model is there, what is unfinished."""

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sparkwell.checks.model_parts import Partial, Weights
from sparkwell.drivers.download.locks import is_locked
from sparkwell.drivers.hub import repo_folder

PARTIAL = ".incomplete"
REPO_LOCK = "sparkwell.lock"


def look_at_weights(
    repo: str, total_bytes: int, folders: Iterable[Path], snapshot: Path | None
) -> Weights:
    """What of a repository is in the cache folders, and how much of it is missing."""
    places = [repo_folder(folder, repo) / "blobs" for folder in folders]
    partials = [each for place in places for each in look_at_partials(place)]
    missing = 0
    if snapshot is None:
        there = max((_bytes_of_use(place, partials) for place in places), default=0)
        missing = max(0, total_bytes - there)
    return Weights(str(snapshot) if snapshot else None, total_bytes, missing, tuple(partials))


def look_at_caches(folders: Iterable[Path]) -> tuple[Partial, ...]:
    """The unfinished files of all models in these cache folders."""
    found: list[Partial] = []
    for folder in dict.fromkeys(folders):
        with suppress(OSError):  # not there, or not ours to read
            for blobs in sorted(folder.glob("models--*/blobs")):
                found += look_at_partials(blobs)
    return tuple(found)


def look_at_partials(blobs: Path) -> list[Partial]:
    """The unfinished files in a folder of blobs; none where it cannot be read.

    `sparkwell pull` goes on with the longest part of a blob, whatever wrote it, unless it has
    holes: Xet writes in several places at once.
    """
    with suppress(OSError):
        paths = sorted(path for path in blobs.iterdir() if path.name.endswith(PARTIAL))
        holders = open_files(paths)
        found = [_partial(path, holders.get(path)) for path in paths if path.is_file()]
        return [_judged(each, found) for each in found]
    return []


def etag_of(partial: Path) -> str:
    """The blob's name: that of the file up to its first dot, for ETAG.incomplete, ETAG.1f2e….."""
    return partial.name.partition(".")[0]


def lock_of(partial: Path) -> Path:
    """The lock that a download of this blob holds, huggingface_hub's and Sparkwell's."""
    repo = partial.parent.parent
    return repo.parent / ".locks" / repo.name / f"{etag_of(partial)}.lock"


def open_files(paths: Sequence[Path]) -> dict[Path, str]:
    """Who has the files open, as "NAME (process N)".

    Files are compared by device and inode: in a container they have other paths.
    """
    wanted = {_identity(path): path for path in paths}
    found: dict[Path, str] = {}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        with suppress(OSError):  # gone, or not ours to look into
            for descriptor in (process / "fd").iterdir():
                path = wanted.get(_opened(descriptor))
                if path:
                    found[path] = f"{_name(process)} (process {process.name})"
    return found


def _partial(path: Path, open_by: str | None) -> Partial:
    about = path.stat()
    return Partial(
        path=str(path),
        size_bytes=about.st_size,
        age_s=max(0.0, time.time() - about.st_mtime),
        held_by=open_by or _lock_holder(path),
        hidden=os.geteuid() not in (0, about.st_uid),
        finished=(path.parent / etag_of(path)).exists(),
        resumable=about.st_size > 0 and about.st_blocks * 512 >= about.st_size,
    )


def _judged(partial: Partial, every: Iterable[Partial]) -> Partial:
    """Of several parts of one blob only the longest is gone on with."""
    etag = etag_of(Path(partial.path))
    others = (each for each in every if etag_of(Path(each.path)) == etag and each.resumable)
    longest = max(others, key=lambda each: (each.size_bytes, each.path), default=None)
    if not partial.resumable or longest is partial:
        return partial
    return replace(partial, resumable=False)


def _lock_holder(path: Path) -> str | None:
    lock = lock_of(path)
    held = is_locked(lock) or is_locked(lock.with_name(REPO_LOCK))
    return "a download holds its lock" if held else None


def _bytes_of_use(blobs: Path, partials: Iterable[Partial]) -> int:
    """Whole blobs, and parts that a download goes on with or is writing."""
    total = 0
    with suppress(OSError):
        total = sum(
            path.stat().st_size
            for path in blobs.iterdir()
            if path.is_file() and not path.name.endswith(PARTIAL)
        )
    parts = [each for each in partials if Path(each.path).parent == blobs]
    return total + sum(each.size_bytes for each in parts if each.resumable and not each.finished)


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino


def _opened(descriptor: Path) -> tuple[int, int]:
    """The file behind a descriptor, when its name says that it is unfinished."""
    with suppress(OSError):  # closed meanwhile
        if PARTIAL in str(descriptor.readlink()):
            return _identity(descriptor)
    return (0, 0)


def _name(process: Path) -> str:
    return (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
