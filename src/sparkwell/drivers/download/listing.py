"""What a repository has, from the Hub: names, sizes, checksums."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.hf_api import RepoSibling

from sparkwell.drivers.download.choose import engine_files
from sparkwell.drivers.download.files import RemoteFile

# Both become parts of paths, and come from outside.
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ETAG = re.compile(r"[\w-]{1,128}")


class NoHubError(Exception):
    """An answer that a Hub would not give."""


@dataclass(frozen=True, slots=True)
class Hub:
    """Where repositories are, and who asks; ``token`` is None for anybody."""

    endpoint: str
    token: str | None

    def url(self, repo: str, name: str, commit: str) -> str:
        """Where a file's bytes are asked for."""
        return hf_hub_url(repo, name, revision=commit, endpoint=self.endpoint)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one commit that an engine needs, the tensors last."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]

    @property
    def total_bytes(self) -> int:
        """The size of all files."""
        return sum(file.size_bytes for file in self.files)


def list_files(hub: Hub, repo: str, revision: str | None) -> Listing:
    """Ask the Hub for the files of a revision; None means the main branch.

    Raises UsageError for a repository that no engine can load, NoHubError, and what
    huggingface_hub raises.
    """
    api = HfApi(endpoint=hub.endpoint, token=hub.token or False)
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    info = api.model_info(repo, revision=revision, files_metadata=True, timeout=timeout)
    commit = info.sha or ""
    if not _COMMIT.fullmatch(commit):
        raise NoHubError("it names no commit")
    every = {file.rfilename: file for file in info.siblings or ()}
    chosen = engine_files(repo, filter(_stays_inside, every))
    return Listing(repo, commit, tuple(_file(hub, repo, commit, every[each]) for each in chosen))


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _file(hub: Hub, repo: str, commit: str, listed: RepoSibling) -> RemoteFile:
    etag = listed.lfs.sha256 if listed.lfs else listed.blob_id
    size = listed.lfs.size if listed.lfs else listed.size
    if etag is None or size is None:  # some mirrors list names only
        etag, size = _asked(hub, hub.url(repo, listed.rfilename, commit))
    if not isinstance(size, int) or size < 0 or not _ETAG.fullmatch(etag):
        raise NoHubError(f"it says no size or checksum of {listed.rfilename}")
    return RemoteFile(listed.rfilename, size, etag)


def _asked(hub: Hub, url: str) -> tuple[str, int | None]:
    about = get_hf_file_metadata(url, token=hub.token or False)
    return about.etag or "", about.size
