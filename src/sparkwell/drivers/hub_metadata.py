"""Models on the Hugging Face Hub, by their metadata: config.json and safetensors headers.

Everything goes through huggingface_hub's session, which honours HF_ENDPOINT, HF_TOKEN, proxies
and HF_HUB_OFFLINE. Its own reader of headers is not used: it believes the server (a server that
ignores the range sends the whole file) and the file (see catalog/safetensors_header.py).
Importing this module takes half a second, so only who needs it does.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import HfApi, constants, get_session, hf_hub_url, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # public, but not in __all__
    build_hf_headers,
    hf_raise_for_status,
)

from sparkwell.catalog.checkpoint import Checkpoint, Tensor, joined
from sparkwell.catalog.described import Described, describe_config
from sparkwell.catalog.hf_config import read_config
from sparkwell.catalog.json_document import MAX_CONFIG_BYTES
from sparkwell.catalog.local import CONFIG, MODELOPT, describe_folder
from sparkwell.catalog.safetensors_header import LENGTH_BYTES, header_bytes, read_header
from sparkwell.catalog.safetensors_index import INDEX, MAX_INDEX_BYTES, loose_files, shards
from sparkwell.core.errors import (
    DocumentError,
    EnvironmentFault,
    SparkwellError,
    UnknownModelError,
    UsageError,
)
from sparkwell.core.units import file_size

# Nearly all headers are shorter, so that one request does; a mixture of experts needs two.
FIRST_BYTES = 100_000
LONGEST_S = 60.0
_AT_ONCE = 8


def describe_hub(
    repo_id: str,
    revision: str | None = None,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    cache_dir: Path | None = None,
) -> Described:
    """The model in a repository of the Hub; ``revision`` is a branch, tag or commit.

    ``endpoint``, ``token`` and ``cache_dir`` are huggingface_hub's own unless given. Offline, or
    where the Hub cannot be reached, what the cache has counts. Raises UnknownModelError (no such
    repository or revision), EnvironmentFault (gated, no network), UsageError (no safetensors),
    DocumentError, and what reading the config raises.
    """
    if repo_id.count("/") != 1:
        raise _no_name(repo_id)
    hub = _Repository(repo_id, revision, endpoint or constants.ENDPOINT, token)
    try:
        return hub.describe()
    except HFValidationError:
        raise _no_name(repo_id) from None
    except HfHubHTTPError as error:
        raise hub.refused(error) from None
    except (OSError, ClientError) as error:  # OfflineModeIsEnabled is an OSError
        return _cached(hub, cache_dir, error)


def _no_name(repo_id: str) -> UnknownModelError:
    return UnknownModelError(
        f"{repo_id[:80]!r} is not the name of a repository.",
        hint="Write hf:ORG/NAME, as the Hub shows it.",
    )


@dataclass(frozen=True, slots=True)
class _Repository:
    """One repository at one endpoint."""

    repo_id: str
    revision: str | None
    endpoint: str
    token: str | None

    def describe(self) -> Described:
        """Read the listing, then the files; raises what huggingface_hub raises, and our own."""
        files = self._files()
        files.require(CONFIG)
        modelopt = files.text(MODELOPT, MAX_CONFIG_BYTES) if MODELOPT in files.sizes else None
        where = f"{self.repo_id}/{CONFIG}"
        reading = read_config(files.text(CONFIG, MAX_CONFIG_BYTES), where, modelopt)
        checkpoint, twice = files.checkpoint()
        note = f"Tensors in more than one file count once: {len(twice)}."
        return describe_config(
            self.repo_id.rpartition("/")[2],
            reading,
            checkpoint,
            source="hub",
            where=where,
            repo=self.repo_id,
            revision=files.revision,
            notes=(note,) if twice else (),
        )

    def _files(self) -> "_Files":
        """The listing of the revision; EnvironmentFault where that is no Hub's answer."""
        api = HfApi(endpoint=self.endpoint, token=self.token)
        try:
            info = api.model_info(
                self.repo_id,
                revision=self.revision,
                files_metadata=True,
                timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
            )
            sizes = {file.rfilename: file.size for file in info.siblings or ()}
        except (HFValidationError, OSError, ClientError):
            raise
        except Exception as error:  # a login page instead of JSON, an address that is none
            raise EnvironmentFault(
                f"{self.endpoint} does not answer as a Hub does: {type(error).__name__}.",
                hint="Check HF_ENDPOINT, and whether the network wants a login first.",
            ) from None
        return _Files(self, info.sha or self.revision, sizes)

    def refused(self, error: HfHubHTTPError) -> SparkwellError:
        """What the Hub's answer means, and what to do about it."""
        page = f"{self.endpoint}/{self.repo_id}"
        match error:
            case GatedRepoError():
                return EnvironmentFault(
                    f"{self.repo_id} is gated: the Hub gives its files only to who was let in.",
                    hint=f"Ask for access at {page}, then set HF_TOKEN to a token of that account.",
                )
            case RevisionNotFoundError():
                return UnknownModelError(
                    f"{self.repo_id} has no revision {str(self.revision)[:80]!r}.",
                    hint="Leave it out for the main branch.",
                )
            case RepositoryNotFoundError():
                return UnknownModelError(
                    f"The Hub shows no repository {self.repo_id}.",
                    hint=f"Check the name at {page}. If it is private, set HF_TOKEN to a token "
                    "that may read it.",
                )
            case EntryNotFoundError():
                return UsageError(
                    f"{self.repo_id}: a file that it lists is not there.",
                    hint="Try again: the repository may just have changed.",
                )
        status = error.response.status_code
        hints = {
            401: "It wants a token (set HF_TOKEN), or the one that is set or saved is not valid.",
            403: "The token may not read this repository.",
            429: "The Hub limits requests: wait some minutes, or set HF_TOKEN.",
        }
        return EnvironmentFault(
            f"The Hub answered {status} for {self.repo_id}.", hint=hints.get(status, "Try later.")
        )


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of one revision, by name, with their sizes in bytes (None: not said)."""

    hub: _Repository
    revision: str | None
    sizes: dict[str, int | None]

    def require(self, name: str) -> None:
        """Raise UsageError, with the reason that is likely, where a file is missing."""
        if name in self.sizes:
            return
        repo = self.hub.repo_id
        if any(file.endswith(".gguf") for file in self.sizes):
            raise UsageError(
                f"{repo} has GGUF files only.",
                hint="Download one of them, then plan the file: `sparkwell plan FILE.gguf`.",
            )
        raise UsageError(
            f"{repo} has no {name}, so it is not a model in the layout that engines load.",
            hint="Is it a folder of adapters, or of another library?",
        )

    def checkpoint(self) -> tuple[Checkpoint, tuple[str, ...]]:
        """All tensors by the headers of their files; a few requests at a time."""
        names = self._weights()
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return joined(pool.map(self._tensors, names))

    def text(self, name: str, limit: int) -> bytes:
        """A small file, whole; raises DocumentError for one that is not small."""
        data = self._first(name, limit + 1)
        if len(data) > limit:
            where = f"{self.hub.repo_id}/{name}"
            raise DocumentError(f"{where}: this file is larger than {file_size(limit)}")
        return data

    def _weights(self) -> tuple[str, ...]:
        if INDEX in self.sizes:
            where = f"{self.hub.repo_id}/{INDEX}"
            names = shards(self.text(INDEX, MAX_INDEX_BYTES), where)
            missing = [name for name in names if name not in self.sizes]
            if missing:
                said = f"{len(missing)} of its {len(names)} files are missing ({missing[0]} first)"
                raise DocumentError(f"{where}: {said}")
            return names
        found = loose_files(self.sizes)
        if not found:
            raise self._no_safetensors()
        return found

    def _no_safetensors(self) -> UsageError:
        pickles = any(name.endswith((".bin", ".pt", ".pth")) for name in self.sizes)
        what = (
            "its weights are pickle files, which are not read" if pickles else "it has no weights"
        )
        return UsageError(
            f"{self.hub.repo_id} has no safetensors files: {what}.",
            hint="Is there a repository of the model with safetensors? Or download its config.json "
            "into a folder and plan that: the bytes are then computed from its sizes.",
        )

    def _tensors(self, name: str) -> tuple[Tensor, ...]:
        where = f"{self.hub.repo_id}/{name}"
        start = self._first(name, FIRST_BYTES)
        wanted = LENGTH_BYTES + header_bytes(start, where)
        if len(start) == FIRST_BYTES < wanted:
            start += self._range(name, FIRST_BYTES, wanted)
        return read_header(start, where, self.sizes[name])

    def _first(self, name: str, count: int) -> bytes:
        return self._range(name, 0, count)

    def _range(self, name: str, begin: int, end: int) -> bytes:
        """Bytes from ``begin`` up to ``end``, or to the file's end; never more are read."""
        hub = self.hub
        url = hf_hub_url(hub.repo_id, name, revision=self.revision, endpoint=hub.endpoint)
        headers = {
            **build_hf_headers(token=hub.token),
            "Range": f"bytes={begin}-{end - 1}",
            "Accept-Encoding": "identity",
        }
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        with get_session().stream(
            "GET", url, headers=headers, timeout=timeout, follow_redirects=True
        ) as answer:
            if answer.status_code == 416:  # the range begins behind the file's end
                return b""
            if answer.status_code >= 400:
                answer.read()
            hf_raise_for_status(answer)
            skipped = begin if answer.status_code == 200 else 0  # the range was ignored
            return _collected(answer.iter_raw(), skipped, end - begin)


def _collected(chunks: Iterable[bytes], skipped: int, count: int) -> bytes:
    """``count`` bytes after the first ``skipped``; the rest is not read."""
    data = bytearray()
    began = time.monotonic()
    for chunk in chunks:
        data += chunk
        if len(data) >= skipped + count:
            break
        if time.monotonic() - began > LONGEST_S:
            raise TimeoutError(f"no end after {LONGEST_S:.0f} s")
    return bytes(data[skipped : skipped + count])


def _cached(hub: _Repository, cache_dir: Path | None, error: Exception) -> Described:
    """What the cache has of a repository, where the Hub cannot be asked."""
    offline = isinstance(error, OfflineModeIsEnabled)
    why = "HF_HUB_OFFLINE is set" if offline else f"{hub.endpoint} cannot be reached"
    try:
        folder = Path(
            snapshot_download(
                hub.repo_id, revision=hub.revision, cache_dir=cache_dir, local_files_only=True
            )
        )
    except (LocalEntryNotFoundError, OSError, ValueError):
        folder = None
    if folder is None or not (folder / CONFIG).is_file():
        remedy = "Unset HF_HUB_OFFLINE" if offline else "Check the network, or set HF_ENDPOINT"
        raise EnvironmentFault(
            f"{hub.repo_id} is not in the cache, and {why}.",
            hint=f"{remedy}; or download it once: `hf download {hub.repo_id}`.",
        ) from None
    found = describe_folder(folder, name=hub.repo_id.rpartition("/")[2], repo=hub.repo_id)
    note = f"This is what the cache has: {why}."
    return replace(found, source="hub", revision=folder.name, notes=(note, *found.notes))
