"""What only a running daemon knows of a host, as a document between it and who examines."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sparkwell.checks.box import BoxState
from sparkwell.checks.run_parts import Run
from sparkwell.checks.serving_parts import Serving
from sparkwell.core.errors import DocumentError


@dataclass(frozen=True, slots=True)
class DaemonParts:
    """Parts of a snapshot: the runs, how models serve, the box."""

    runs: tuple[Run, ...] = ()
    serving: tuple[Serving, ...] = ()
    box: BoxState | None = None

    def to_json(self) -> dict[str, Any]:
        """The parts as a JSON object."""
        document: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return document


def from_json(text: bytes) -> DaemonParts:
    """The parts of a document; raises DocumentError for one of another kind."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise DocumentError(f"The daemon's part of the snapshot: {first['msg']}") from None


@cache
def _adapter() -> TypeAdapter[DaemonParts]:
    return TypeAdapter(DaemonParts)
