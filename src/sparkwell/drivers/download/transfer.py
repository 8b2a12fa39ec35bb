"""One file from the Hub to its blob: in pieces, again after a cut, checked at the end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from huggingface_hub import constants, get_session
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, but not in __all__
    build_hf_headers,
    hf_raise_for_status,
)

from sparkwell.drivers.download.files import RemoteFile
from sparkwell.drivers.download.folder import RepoFolder
from sparkwell.drivers.download.listing import Hub, Listing
from sparkwell.drivers.download.locks import locked
from sparkwell.drivers.download.partial import Partial, TooLongError, WrongChecksumError
from sparkwell.drivers.download.refusals import Asked, cut, no_hub, wrong_checksum

# Seconds before an attempt that follows one without a single byte; then it is given up.
WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_TRANSIENT = {408, 429, 500, 502, 503, 504}


class StoppedError(Exception):
    """Another file failed, so this one is left as it is."""


class CutError(Exception):
    """The answer ended before the file did, or did not begin where it should."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What all files of a download share. ``count`` is told the bytes; ``stop`` ends it."""

    hub: Hub
    asked: Asked
    listing: Listing
    folder: RepoFolder
    count: Callable[[int], None]
    stop: threading.Event

    def fetch(self, file: RemoteFile) -> None:
        """Bring a file to its blob. Raises DownloadFault, OSError, huggingface_hub's errors."""
        with locked(self.folder.blob_lock(file.etag), self._check_stop):
            if self.folder.has(file, self.listing.commit):  # another program was quicker
                return
            self.folder.adopt_part(file.etag)
            try:
                self._attempt(file)
            except WrongChecksumError:
                self.count(-file.size_bytes)
                self._attempt_last(file)

    def _attempt_last(self, file: RemoteFile) -> None:
        try:
            self._attempt(file)
        except WrongChecksumError:
            raise wrong_checksum(self.asked, file.name) from None

    def _attempt(self, file: RemoteFile) -> None:
        with Partial(self.folder.partial(file.etag), file) as partial:
            self._fill(partial)
            partial.finish(self.folder.blob(file.etag))

    def _fill(self, partial: Partial) -> None:
        """Ask until all bytes are there; each wait is for attempts that brought nothing."""
        failures = 0
        while not partial.is_full:
            before = partial.length
            try:
                self._stream(partial)
            except TooLongError:
                raise no_hub(self.asked, f"{partial.file.name} is longer than listed") from None
            except (ClientError, CutError) as error:
                failures = 0 if partial.length > before else failures + 1
                self._wait(failures, error)

    def _wait(self, failures: int, error: Exception) -> None:
        if isinstance(error, HfHubHTTPError) and error.response.status_code not in _TRANSIENT:
            raise error
        if failures > len(WAITS_S):
            raise cut(self.asked, str(error)[:200] or type(error).__name__) from None
        if self.stop.wait(WAITS_S[max(0, failures - 1)]):
            raise StoppedError

    def _stream(self, partial: Partial) -> None:
        """One request, for what is missing."""
        url = self.hub.url(self.listing.repo, partial.file.name, self.listing.commit)
        with get_session().stream(
            "GET",
            url,
            headers=self._headers(partial.length),
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
            follow_redirects=True,
        ) as answer:
            if answer.status_code >= 400:
                answer.read()
            hf_raise_for_status(answer)
            self._align(partial, answer.status_code, answer.headers.get("Content-Range", ""))
            for chunk in answer.iter_bytes():  # as they come: none wait in a buffer for a cut
                self._check_stop()
                partial.append(chunk)
                self.count(len(chunk))
        if not partial.is_full:
            raise CutError(f"{partial.file.name} ended after {partial.length:,} bytes")

    def _headers(self, begin: int) -> dict[str, str]:
        said = build_hf_headers(token=self.hub.token or False)
        said["Accept-Encoding"] = "identity"
        return {**said, "Range": f"bytes={begin}-"} if begin else said

    def _align(self, partial: Partial, status: int, content_range: str) -> None:
        """A server that ignores the range sends all: then what is there is dropped."""
        if status == 206 and content_range.startswith(f"bytes {partial.length}-"):
            return
        if status == 206:
            raise CutError(f"{partial.file.name}: asked from {partial.length}, got {content_range}")
        self.count(-partial.length)
        partial.restart()

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise StoppedError
