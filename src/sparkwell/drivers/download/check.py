"""Reading what is there, and dropping what is not what its name says."""

from pathlib import Path

from sparkwell.drivers.download.files import matches
from sparkwell.drivers.download.folder import RepoFolder
from sparkwell.drivers.download.listing import Listing
from sparkwell.drivers.download.messages import Stage
from sparkwell.drivers.download.watch import Watch


def check_blobs(folder: RepoFolder, watch: Watch) -> list[str]:
    """Read every blob; remove, and return the names of, those with a wrong checksum.

    A blob's name is its checksum, so nobody has to be asked.
    """
    blobs = folder.checkable()
    wrong = _wrong({path: path.name for path in blobs}, watch)
    for path in wrong:
        folder.remove(path.name)
    return [path.name for path in wrong]


def check_copies(folder: RepoFolder, listing: Listing, watch: Watch) -> list[str]:
    """The same for files that lie in the snapshot without a blob: there the Hub has to say."""
    snapshot = folder.snapshot(listing.commit)
    copies = {snapshot / file.name: file.etag for file in listing.files}
    plain = {path: etag for path, etag in copies.items() if _is_plain(path)}
    wrong = _wrong(plain, watch)
    for path in wrong:
        path.unlink()
    return [path.name for path in wrong]


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _wrong(files: dict[Path, str], watch: Watch) -> list[Path]:
    watch.begin(Stage.CHECKING, sum(path.stat().st_size for path in files))

    def is_right(path: Path) -> bool:
        right = matches(path, files[path])
        watch.add(path.stat().st_size)
        return right

    rights = watch.run(is_right, list(files))
    return [path for path, right in zip(files, rights, strict=True) if not right]
