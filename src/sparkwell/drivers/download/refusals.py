"""What went wrong with a download, and what to do about it."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.errors import HTTPError as ClientError  # type: ignore[attr-defined]

from sparkwell.core.errors import SparkwellError, UnknownModelError, UsageError
from sparkwell.core.units import file_size
from sparkwell.drivers.download.listing import NoHubError
from sparkwell.drivers.download.messages import DownloadFault

AGAIN = "Then run the same command again: it goes on where it stopped."
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_INVALID = "Invalid credentials"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, where, and with which token; ``token_source`` None means without."""

    repo: str
    revision: str | None
    endpoint: str
    folder: Path
    token_source: str | None

    @property
    def page(self) -> str:
        """The repository's page, for people."""
        return f"{self.endpoint}/{self.repo}"


def explain(error: Exception, asked: Asked) -> SparkwellError:
    """An error of the Hub, the network or the disk in words; ``KNOWN`` names the kinds."""
    return next(words(error, asked) for kind, words in _WORDS if isinstance(error, kind))


def no_hub(asked: Asked, why: str) -> DownloadFault:
    """The endpoint answers something that a Hub would not."""
    return DownloadFault(
        "not_a_hub",
        f"{asked.endpoint} does not answer as a Hub does: {why}.",
        hint="Check HF_ENDPOINT, and whether the network wants a login first.",
    )


def cut(asked: Asked, why: str) -> DownloadFault:
    """The connection broke off again and again."""
    return DownloadFault(
        "download_cut",
        f"The download of {asked.repo} was cut, and several attempts did not get further: {why}.",
        hint=f"Wait until {asked.endpoint} can be reached. {AGAIN}",
    )


def wrong_checksum(asked: Asked, name: str) -> DownloadFault:
    """A file came twice with a wrong checksum."""
    return DownloadFault(
        "wrong_checksum",
        f"{name} of {asked.repo} came twice with a checksum that the Hub does not list; "
        "it was removed.",
        hint=f"Something between here and {asked.endpoint} changes files: check the proxy or the "
        f"mirror. {AGAIN}",
    )


def no_space(repo: str, needed_bytes: int, folder: Path, free_bytes: int) -> DownloadFault:
    """There is less space than what is missing needs."""
    return DownloadFault(
        "no_space",
        f"No space left for {repo}: it needs {file_size(needed_bytes)} more, {folder} has "
        f"{file_size(free_bytes)} free.",
        hint="Free some space, or set folders.models in sparkwell.yaml to a folder on a larger "
        "disk.",
    )


def _refused(error: HfHubHTTPError, asked: Asked) -> SparkwellError:
    """What an answer of the Hub means."""
    said = error.response.headers.get("X-Error-Message", "")
    if error.response.status_code == 401 and asked.token_source and said.startswith(_INVALID):
        return _bad_token(asked)
    return _by_status(error.response.status_code, asked)


def _gated(_error: Exception, asked: Asked) -> DownloadFault:
    if asked.token_source is None:
        return DownloadFault(
            "gated",
            f"{asked.repo} is gated: the Hub gives its files only to accounts that accepted its "
            "terms, and there is no token.",
            hint=f"Accept the terms at {asked.page}, then run `hf auth login`, or write "
            "HF_TOKEN=… into .env.",
        )
    return DownloadFault(
        "gated",
        f"{asked.repo} is gated, and the account of the token from {asked.token_source} has not "
        "been let in.",
        hint=f"Accept the terms at {asked.page} with that account; some are looked at by hand "
        f"first. {AGAIN}",
    )


def _bad_token(asked: Asked) -> DownloadFault:
    return DownloadFault(
        "token_refused",
        f"{asked.endpoint} does not know the token from {asked.token_source}.",
        hint=f"Make a new one at {asked.endpoint}/settings/tokens and put it there, or take it "
        "out: repositories that are open need none.",
    )


def _by_status(status: int, asked: Asked) -> DownloadFault:
    if status == 401:
        return DownloadFault(
            "token_refused" if asked.token_source else "token_needed",
            f"{asked.endpoint} wants another token for {asked.repo}{_to_whom(asked)}.",
            hint="Run `hf auth login`, or write HF_TOKEN=… into .env.",
        )
    if status == 403:
        return DownloadFault(
            "not_allowed",
            f"{asked.endpoint} does not allow the download of {asked.repo}{_to_whom(asked)}.",
            hint=f"Look at {asked.page} with that account: are its terms accepted, and may the "
            "token read gated repositories?",
        )
    hint = "The Hub limits requests: wait some minutes." if status == 429 else "Try later."
    return DownloadFault(
        "hub_answered", f"{asked.endpoint} answered {status} for {asked.repo}.", hint=hint
    )


def _to_whom(asked: Asked) -> str:
    return f" (asked with the token from {asked.token_source})" if asked.token_source else ""


def unreachable(error: Exception, asked: Asked) -> DownloadFault:
    """There is no connection to the endpoint."""
    kind = type(error).__name__
    if kind == "UnsupportedProtocol":
        return no_hub(asked, "its address is none of http or https")
    remedy = "Check the network"
    if kind == "ProxyError":
        remedy = "Check the proxy (HTTPS_PROXY, NO_PROXY)"
    elif "CERTIFICATE" in str(error):
        remedy = "Set SSL_CERT_FILE to the certificates of your network"
    return DownloadFault(
        "no_network",
        f"{asked.endpoint} cannot be reached: {str(error)[:200] or kind}.",
        hint=f"{remedy}, or set HF_ENDPOINT to a mirror. {AGAIN}",
    )


def _disk(error: OSError, asked: Asked) -> DownloadFault:
    folder = asked.folder
    if error.errno in _NO_SPACE:
        return DownloadFault(
            "no_space",
            f"The disk of {folder} is full.",
            hint=f"Free some space. {AGAIN}",
        )
    return DownloadFault(
        "not_writable",
        f"{error.filename or folder} cannot be written: {error.strerror or error}.",
        hint=f"Give this user the folder (`sudo chown -R $USER {folder}`), or set folders.models "
        "in sparkwell.yaml to another one.",
    )


def _offline(_error: Exception, asked: Asked) -> DownloadFault:
    return DownloadFault(
        "offline",
        f"{asked.repo} is not whole on this machine, and HF_HUB_OFFLINE is set.",
        hint="Unset HF_HUB_OFFLINE to download it.",
    )


def _no_name(_error: Exception, asked: Asked) -> UnknownModelError:
    return UnknownModelError(
        f"{asked.repo!r} is not the name of a repository.",
        hint="Write ORG/NAME, as the Hub shows it.",
    )


def _no_revision(_error: Exception, asked: Asked) -> UnknownModelError:
    return UnknownModelError(
        f"{asked.repo} has no revision {asked.revision!r}.",
        hint="Correct `revision` in the recipe; without one it is the main branch.",
    )


def _no_repository(error: HfHubHTTPError, asked: Asked) -> SparkwellError:
    """The library takes every 401 for this, also that of a token that nobody knows."""
    if error.response.headers.get("X-Error-Code") is None and asked.token_source:
        return _refused(error, asked)
    return UnknownModelError(
        f"{asked.endpoint} shows no repository {asked.repo}{_to_whom(asked)}.",
        hint=f"Check the name at {asked.page}. If it is private, set HF_TOKEN to a token that may "
        "read it.",
    )


def _no_file(_error: Exception, asked: Asked) -> UsageError:
    return UsageError(
        f"{asked.repo}: a file that it lists is not there.",
        hint="Try again: the repository may just have changed.",
    )


def _no_answer_of_a_hub(error: Exception, asked: Asked) -> DownloadFault:
    return no_hub(asked, str(error))


Words = Callable[[Any, Asked], SparkwellError]
# The first that fits counts: many are kinds of those that come later.
_WORDS: tuple[tuple[type[Exception], Words], ...] = (
    (OfflineModeIsEnabled, _offline),
    (HFValidationError, _no_name),
    (GatedRepoError, _gated),
    (RevisionNotFoundError, _no_revision),
    (RepositoryNotFoundError, _no_repository),
    (EntryNotFoundError, _no_file),
    (HfHubHTTPError, _refused),
    (ClientError, unreachable),
    (NoHubError, _no_answer_of_a_hub),
    (OSError, _disk),
)
KNOWN: tuple[type[Exception], ...] = tuple(kind for kind, _ in _WORDS)
