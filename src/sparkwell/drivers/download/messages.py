"""What the download process is told, and what it says: JSON lines, each with one key.

{"progress": {...}}   any number of times
{"done": {...}}       the last line of a download that is whole
{"error": {...}}      the last line of one that is not
"""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sparkwell.catalog.recipe import RepoId, Revision
from sparkwell.core.errors import EnvironmentFault, SparkwellError, UnknownModelError, UsageError


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """One repository to fetch into a cache folder, in which ``models--*`` lie directly.

    ``revision`` None means the main branch. ``verify`` reads what is there and compares its
    checksums. ``token_source`` is what errors call the token; the token itself is in HF_TOKEN.
    """

    repo: RepoId
    folder: Path
    revision: Revision | None = None
    verify: bool = False
    token_source: str | None = None


class Stage(StrEnum):
    """What a download is doing."""

    LISTING = "asking the Hub"
    WAITING = "waiting for another download of it"
    CHECKING = "checking what is here"
    FETCHING = "downloading"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is. What was there already counts as done.

    ``rate_bytes_per_s`` is the mean of the last seconds; it and ``left_s`` are None until there
    is something to go by.
    """

    stage: Stage
    done_bytes: int | None = None
    total_bytes: int | None = None
    rate_bytes_per_s: float | None = None
    left_s: float | None = None

    @property
    def fraction(self) -> float | None:
        """The share that is done, 0 to 1."""
        if self.done_bytes is None or not self.total_bytes:
            return None
        return min(1.0, self.done_bytes / self.total_bytes)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A checkpoint that is whole: its folder, its files, their size, and what was transferred."""

    snapshot: Path
    files: int
    total_bytes: int
    fetched_bytes: int


class DownloadFault(EnvironmentFault):
    """A download that cannot go on; ``code`` says why, in one word for programs."""

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


Message = Progress | Fetched | SparkwellError

_REQUEST = TypeAdapter(DownloadRequest)
_PROGRESS = TypeAdapter(Progress)
_FETCHED = TypeAdapter(Fetched)
_USAGE: dict[str, type[SparkwellError]] = {
    each.code: each for each in (UsageError, UnknownModelError)
}


def read_request(text: str | bytes) -> DownloadRequest:
    """Parse a request; raises UsageError for one that is not right."""
    try:
        return _REQUEST.validate_json(text)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(f"The request is not right at {where!r}.") from None


def write_request(request: DownloadRequest) -> bytes:
    """A request as one line of JSON."""
    return _REQUEST.dump_json(request)


def write_message(message: Message) -> str:
    """A message as one line of JSON, without the line's end."""
    match message:
        case Progress():
            said: dict[str, object] = {"progress": asdict(message)}
        case Fetched():
            said = {"done": {**asdict(message), "snapshot": str(message.snapshot)}}
        case _:
            words = {"code": message.code, "message": message.message, "hint": message.hint}
            said = {"error": words}
    return json.dumps(said)


def read_message(line: str | bytes) -> Message:
    """Parse a message; raises ValueError for a line that is none."""
    said = json.loads(line)
    if not isinstance(said, dict):
        raise ValueError("this line is no message")
    if "progress" in said:
        return _PROGRESS.validate_python(said["progress"])
    if "done" in said:
        return _FETCHED.validate_python(said["done"])
    return _error(dict(said.get("error") or {}))


def _error(said: dict[str, str | None]) -> SparkwellError:
    code, words = str(said.get("code")), str(said.get("message"))
    if code in _USAGE:
        return _USAGE[code](words, hint=said.get("hint"))
    return DownloadFault(code, words, hint=said.get("hint"))
