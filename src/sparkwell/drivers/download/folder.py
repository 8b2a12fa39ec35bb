"""One repository in a cache folder, in huggingface_hub's layout.

    models--ORG--NAME/blobs/ETAG              the bytes, by their checksum
    models--ORG--NAME/blobs/ETAG.incomplete   on their way
    models--ORG--NAME/snapshots/COMMIT/NAME   a link to a blob
    models--ORG--NAME/refs/main               the commit of a branch
    .locks/models--ORG--NAME/ETAG.lock        held while a blob is written

``trees/`` is not written: there huggingface_hub lists every file of a repository, and then takes
a snapshot without its README for one that is not whole.
"""

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from sparkwell.drivers.download.files import RemoteFile, is_checksum
from sparkwell.drivers.hub import repo_folder


class RepoFolder:
    """The places of one repository, what is there, and what makes a snapshot of it."""

    def __init__(self, cache: Path, repo: str) -> None:
        self.cache = cache
        self.root = repo_folder(cache, repo)
        self.blobs = self.root / "blobs"
        self._locks = cache / ".locks" / self.root.name

    @property
    def lock(self) -> Path:
        """Held by the process that fetches this repository."""
        return self._locks / "sparkwell.lock"

    def blob_lock(self, etag: str) -> Path:
        """Held, by huggingface_hub too, while a blob is written."""
        return self._locks / f"{etag}.lock"

    def blob(self, etag: str) -> Path:
        """Where the bytes of a file lie when they are whole."""
        return self.blobs / etag

    def partial(self, etag: str) -> Path:
        """Where they lie until then."""
        return self.blobs / f"{etag}.incomplete"

    def make(self) -> None:
        """Create the folders; raises OSError."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        self._locks.mkdir(parents=True, exist_ok=True)

    def has(self, file: RemoteFile, commit: str) -> bool:
        """Whether a file is there in its size, as a blob or, copied without links, as itself."""
        places = (self.blob(file.etag), self.snapshot(commit) / file.name)
        return any(_size(place) == file.size_bytes for place in places)

    def part_bytes(self, file: RemoteFile) -> int:
        """How much of a file's bytes need not be fetched again."""
        size = max((_size(path) or 0 for path in self._parts(file.etag)), default=0)
        return size if size <= file.size_bytes else 0

    def adopt_part(self, etag: str) -> None:
        """Make the longest part that any download left the one to go on with; drop the others.

        The caller holds the blob's lock. huggingface_hub gives each attempt a name of its own
        and never goes on with one.
        """
        parts = sorted(self._parts(etag), key=lambda path: -(_size(path) or 0))
        for path in self.blobs.glob(f"{etag}.*incomplete"):
            if path not in parts[:1]:
                path.unlink()
        if parts:
            parts[0].replace(self.partial(etag))

    def remove(self, etag: str) -> None:
        """Drop a blob whose bytes are wrong, also those that it shares by a link."""
        blob = self.blob(etag)
        with suppress(FileNotFoundError):
            blob.resolve().unlink()
        blob.unlink(missing_ok=True)

    def checkable(self) -> list[Path]:
        """The blobs whose names are checksums."""
        with suppress(FileNotFoundError):
            return sorted(path for path in self.blobs.iterdir() if _is_blob(path))
        return []

    def snapshot(self, commit: str) -> Path:
        """The folder of a commit."""
        return self.root / "snapshots" / commit

    def link(self, files: tuple[RemoteFile, ...], commit: str, reference: str) -> Path:
        """Make the snapshot from blobs that are there, in the order of ``files``."""
        snapshot = self.snapshot(commit)
        for file in files:
            _link(self.blob(file.etag), snapshot / file.name)
        if reference != commit:
            _write(self.root / "refs" / reference, commit)
        return snapshot

    def _parts(self, etag: str) -> list[Path]:
        """Beginnings of a blob. One with holes was written in several places at once (Xet)."""
        found = self.blobs.glob(f"{etag}.*incomplete")
        return [path for path in found if path.is_file() and not _has_holes(path)]


def free_bytes(folder: Path) -> int:
    """What this user may still write to the disk of a folder that may not be there yet."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(there).free


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _is_blob(path: Path) -> bool:
    return is_checksum(path.name) and path.is_file()


def _has_holes(path: Path) -> bool:
    about = path.stat()
    return about.st_blocks * 512 < about.st_size


def _link(blob: Path, link: Path) -> None:
    """Link to a blob, relative, so that the cache can be moved or mounted elsewhere."""
    if not blob.exists():  # a snapshot that was copied without links has the file itself
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    target = Path(os.path.relpath(blob, link.parent))
    if link.is_symlink() and link.readlink() == target:
        return
    fresh = link.with_name(f".{link.name}.{uuid.uuid4().hex[:8]}")
    fresh.symlink_to(target)
    fresh.replace(link)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{uuid.uuid4().hex[:8]}.tmp")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
