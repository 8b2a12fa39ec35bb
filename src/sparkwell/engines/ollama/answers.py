"""What Ollama's API answers, read: versions, models, progress. Pure.

Shapes as in its published description (docs/openapi.yaml, docs/api.md of ollama/ollama). Every
reader raises ValueError for an answer that is something else; unknown keys are passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# keep_alive -1 becomes a time in the year 2318, as far as Go's durations reach.
_FOREVER = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """A model on the server's disk (/api/tags); ``size_bytes`` of all its files."""

    name: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in the server's memory (/api/ps), also one that it is just loading.

    ``size_bytes`` is all that it takes, ``vram_bytes`` the part on the GPU, ``context_length`` in
    tokens (since Ollama 0.9 or so). ``expires_at`` is when Ollama will unload it.
    """

    name: str
    size_bytes: int | None
    vram_bytes: int | None
    context_length: int | None
    expires_at: datetime | None

    @property
    def is_kept(self) -> bool:
        """Whether it stays until somebody unloads it: keep_alive is negative."""
        return self.expires_at is not None and self.expires_at >= _FOREVER


@dataclass(frozen=True, slots=True)
class PullEvent:
    """One line of a pull: what happens, and how far one of the files is, in bytes."""

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None


@dataclass(slots=True)
class PullProgress:
    """Adds up the files of a pull. Their sizes become known one after the other."""

    _totals: dict[str, int] = field(default_factory=dict)
    _completed: dict[str, int] = field(default_factory=dict)
    _highest: float = 0.0

    def feed(self, event: PullEvent) -> None:
        """Take one line into account."""
        if event.digest and event.total:
            self._totals[event.digest] = event.total
            self._completed[event.digest] = min(event.completed or 0, event.total)
            share = sum(self._completed.values()) / self.total_bytes
            self._highest = max(self._highest, share)

    @property
    def total_bytes(self) -> int:
        """Of the files that are known so far."""
        return sum(self._totals.values())

    @property
    def fraction(self) -> float | None:
        """The share that is there, 0 to 1, never less than before; None before any size is known.

        1 only when ``success`` has been said: the last files are small, and come at the end.
        """
        return min(0.99, self._highest) if self._totals else None


def read_json(text: str) -> Mapping[str, Any]:
    """A JSON object; raises ValueError for anything else."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError(f"expected a JSON object, got {text[:80]!r}")
    return document


def read_version(text: str) -> str:
    """The server's version, e.g. ``0.12.6``."""
    version = read_json(text).get("version")
    if not isinstance(version, str):
        raise ValueError(f"there is no version in {text[:80]!r}")
    return version


def read_tags(text: str) -> tuple[Stored, ...]:
    """The models on the server's disk."""
    return tuple(Stored(_name(each), _count(each, "size")) for each in _models(text))


def read_ps(text: str) -> tuple[Loaded, ...]:
    """The models in the server's memory."""
    return tuple(
        Loaded(
            name=_name(each),
            size_bytes=_count(each, "size"),
            vram_bytes=_count(each, "size_vram"),
            context_length=_count(each, "context_length"),
            expires_at=_time(each.get("expires_at")),
        )
        for each in _models(text)
    )


def read_show(text: str) -> Mapping[str, Any]:
    """The GGUF metadata of a model: ``qwen3.block_count`` and its like; empty where not given."""
    info = read_json(text).get("model_info")
    return info if isinstance(info, dict) else {}


def read_pull_event(line: str) -> PullEvent:
    """One line of a pull's answer; an error in it is ``read_error``'s affair."""
    document = read_json(line)
    digest = document.get("digest")
    return PullEvent(
        status=str(document.get("status", "")),
        digest=digest if isinstance(digest, str) else None,
        total=_count(document, "total"),
        completed=_count(document, "completed"),
    )


def read_error(text: str) -> str | None:
    """The error in an answer or in a line of one, or None: ``{"error": "…"}``."""
    try:
        error = read_json(text).get("error")
    except ValueError:
        return None
    if isinstance(error, dict):  # the OpenAI endpoints' envelope
        error = error.get("message")
    return error if isinstance(error, str) else None


def _models(text: str) -> list[Mapping[str, Any]]:
    models = read_json(text).get("models")
    if models is None:  # Go writes an empty list as null
        return []
    if not isinstance(models, list) or not all(isinstance(each, dict) for each in models):
        raise ValueError(f"there are no models in {text[:80]!r}")
    return models


def _name(document: Mapping[str, Any]) -> str:
    name = document.get("name") or document.get("model")
    if not isinstance(name, str):
        raise ValueError("a model without a name")
    return name


def _count(document: Mapping[str, Any], key: str) -> int | None:
    value = document.get(key)
    known = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if known else None


def _time(value: object) -> datetime | None:
    """RFC 3339 as Go writes it; its zero time, the year 1, means that it is not known yet."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo and at.year > 1 else None
