"""What the dashboard is told of machine and models, as values.

Nothing of it is computed by this room: what is unknown comes as None and is shown as unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]
Figures = Mapping[str, float | None]
"""Values by the names of the series: ``output_tokens_per_s``, ``kv_used``, …"""
Points = tuple[Sequence[float], Sequence[float | None]]
"""One series: Unix times in seconds, oldest first, and the values; None is a gap."""


@dataclass(frozen=True, slots=True)
class Round:
    """What the monitor read in one round, ``at`` Unix seconds.

    ``models`` has the figures of each running model, ``box`` those of all together. ``problems``
    says of whom nothing could be read, and why.
    """

    at: float
    models: Mapping[str, Figures] = field(default_factory=dict)
    machine: Figures = field(default_factory=dict)
    box: Figures = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the catalog on this machine.

    ``missing`` says what a start would lack, ``remedy`` how to get it; a start fetches it by
    itself unless it is ``blocked``. ``plan`` is the document of ``sparkwell plan --json``, None
    where ``plan_error`` says why there is none.
    """

    name: str
    title: str
    summary: str
    repo: str | None = None
    missing: str | None = None
    remedy: str | None = None
    blocked: bool = False
    profile: str | None = None
    plan: Json | None = None
    plan_error: str | None = None
