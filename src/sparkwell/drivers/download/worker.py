"""The download itself: list, look what is there, fetch the rest, link the snapshot."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from huggingface_hub import constants, get_token

from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.drivers.download.check import check_blobs, check_copies
from sparkwell.drivers.download.files import RemoteFile
from sparkwell.drivers.download.folder import RepoFolder, free_bytes
from sparkwell.drivers.download.listing import Hub, Listing, list_files
from sparkwell.drivers.download.locks import locked
from sparkwell.drivers.download.messages import DownloadRequest, Fetched, Progress, Stage
from sparkwell.drivers.download.place import can_write
from sparkwell.drivers.download.refusals import KNOWN, Asked, explain, no_hub, no_space, unreachable
from sparkwell.drivers.download.transfer import Transfer
from sparkwell.drivers.download.watch import Watch
from sparkwell.drivers.hub import find_checkpoint, lacking

# What speaks for itself while the Hub is asked; a plain OSError is then one of the connection.
_TOLD: tuple[type[Exception], ...] = (SparkwellError, *(k for k in KNOWN if k is not OSError))


def download(
    request: DownloadRequest, tell: Callable[[Progress], None], hub: Hub | None = None
) -> Fetched:
    """Make the repository whole in the request's folder. Raises SparkwellError.

    Unless given, endpoint and token are what huggingface_hub reads from the environment, as
    proxies always are.
    """
    hub = hub or Hub(constants.ENDPOINT, get_token())
    source = (request.token_source or "HF_TOKEN") if hub.token else None
    asked = Asked(request.repo, request.revision, hub.endpoint, request.folder, source)
    try:
        return _Download(request, hub, asked, Watch(tell)).run()
    except BrokenPipeError:  # nobody listens any more
        raise
    except KNOWN as error:
        raise explain(error, asked) from None


class _Download:
    def __init__(self, request: DownloadRequest, hub: Hub, asked: Asked, watch: Watch) -> None:
        self.request = request
        self.hub = hub
        self.asked = asked
        self.watch = watch
        self.folder = RepoFolder(request.folder, request.repo)

    def run(self) -> Fetched:
        """All of it; the Hub is not asked when a check finds everything right."""
        if self.request.verify and (checked := self._checked()):
            return checked
        self.watch.begin(Stage.LISTING)
        listing = self._listing()
        self.folder.make()
        with self._alone():
            if self.request.verify:
                check_copies(self.folder, listing, self.watch)
            fetched_bytes = self._fetch(listing)
            snapshot = self._linked(listing)
        return Fetched(snapshot, len(listing.files), listing.total_bytes, fetched_bytes)

    def _checked(self) -> Fetched | None:
        """The checkpoint that is there, read and found right; None where something was not."""
        if not self.folder.blobs.is_dir():
            return None
        with self._alone():
            check_blobs(self.folder, self.watch)
        found = find_checkpoint(self.request.repo, [self.request.folder], self.request.revision)
        files = _links(found) if found else []
        if found is None or len(files) < len(_files(found)):
            return None
        return Fetched(found, len(files), sum(path.stat().st_size for path in files), 0)

    def _alone(self) -> AbstractContextManager[None]:
        """Hold the repository's lock; where nothing can be written there is nobody to exclude."""
        if not can_write(self.folder.blobs):
            return nullcontext()
        return locked(self.folder.lock, self.watch.waits)

    def _listing(self) -> Listing:
        """Ask the Hub; whatever a server that is none makes of the library becomes a fault."""
        try:
            return list_files(self.hub, self.request.repo, self.request.revision)
        except _TOLD:
            raise
        except OSError as error:  # certificates that are not there, a proxy of an odd kind
            raise unreachable(error, self.asked) from None
        except Exception as error:  # a login page instead of JSON, an address that is none
            raise no_hub(self.asked, type(error).__name__) from None

    def _fetch(self, listing: Listing) -> int:
        """Fetch what is missing; returns the bytes that had to come."""
        missing = self._missing(listing)
        part_bytes = sum(self.folder.part_bytes(file) for file in missing)
        needed_bytes = sum(file.size_bytes for file in missing) - part_bytes
        free = free_bytes(self.request.folder)
        if needed_bytes > free:
            raise no_space(self.request.repo, needed_bytes, self.request.folder, free)
        self.watch.begin(Stage.FETCHING, listing.total_bytes, listing.total_bytes - needed_bytes)
        transfer = Transfer(
            self.hub, self.asked, listing, self.folder, self.watch.add, self.watch.stop
        )
        self.watch.run(transfer.fetch, missing)
        return needed_bytes

    def _missing(self, listing: Listing) -> list[RemoteFile]:
        """The files that are not there, each content once; wrong sizes are dropped."""
        missing = {
            file.etag: file for file in listing.files if not self.folder.has(file, listing.commit)
        }
        for etag in missing:
            self.folder.remove(etag)
        return list(missing.values())

    def _linked(self, listing: Listing) -> Path:
        reference = self.request.revision or constants.DEFAULT_REVISION
        snapshot = self.folder.link(listing.files, listing.commit, reference)
        if lacks := lacking(snapshot):
            raise UsageError(
                f"{self.request.repo} is downloaded and lacks {', '.join(lacks)}, so no engine can "
                "load it.",
                hint="Is it a folder of adapters, or of another library?",
            )
        return snapshot


def _files(snapshot: Path) -> list[Path]:
    return [path for path in snapshot.rglob("*") if path.is_file()]


def _links(snapshot: Path) -> list[Path]:
    """The files that are links to blobs."""
    return [path for path in _files(snapshot) if path.is_symlink()]
