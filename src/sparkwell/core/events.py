"""What happened, in order: the record that the CLI follows and the dashboard shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to the box.

    ``seq`` grows by one and is the cursor for "everything after". ``at`` is Unix time in
    seconds. ``kind`` is a dotted name ("instance.phase"); ``message`` is a sentence; ``data``
    holds the facts behind it and can be written as JSON.
    """

    seq: int
    at: float
    kind: str
    message: str
    model: str | None = None
    instance: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)
