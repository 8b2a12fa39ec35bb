"""Parts of a snapshot: the model, its weights, the Hub, the plan. Sizes are bytes."""

from dataclasses import dataclass
from typing import Literal

DriverName = Literal["process", "compose"]


@dataclass(frozen=True, slots=True)
class Request:
    """The start that is asked about.

    ``device`` is what the engine is built for. ``environment`` names the engine environment of
    a start as a process. ``ends`` are models that end before this one starts: what they hold
    counts as free.
    """

    model: str
    driver: DriverName
    device: Literal["cuda", "cpu"]
    environment: str
    engine: str = "vllm"
    engine_version: str | None = None
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """An engine environment; ``version`` is the engine's, None when it is not installed."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """The Hub's token: that there is one, where from, whether it has the form of one.

    The token itself is never here. ``problem`` is what is wrong with its form.
    """

    present: bool
    where: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Repo:
    """The model's repository on the Hub. ``gated``: the Hub asks for an agreement first."""

    name: str
    gated: bool
    licence: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """A file that a download has left unfinished, or is writing now.

    ``age_s`` is since it was last written. ``held_by`` names who has it open or holds its lock,
    None when nobody was found; with ``hidden`` true a process of somebody else may, which this
    user cannot see. ``finished``: the whole file is there besides. ``resumable``: a download
    can go on with it.
    """

    path: str
    size_bytes: int
    age_s: float
    held_by: str | None = None
    hidden: bool = False
    finished: bool = False
    resumable: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """The checkpoint. ``snapshot`` is the folder of a complete one, None when there is none.

    ``missing_bytes`` are still to be downloaded. ``bundled``: it comes with Sparkwell.
    """

    snapshot: str | None
    total_bytes: int
    missing_bytes: int
    partials: tuple[Partial, ...] = ()
    bundled: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing has to be downloaded."""
        return self.snapshot is not None


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """Why a plan does not fit, and what would."""

    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What the plan says of this start, in bytes of one device.

    ``held_bytes`` is the engine's peak, ``low_point_bytes`` the lowest MemAvailable that is
    expected (None where the system's own use is unknown, or memory is not unified), ``floor_bytes``
    what must stay available. ``startup_bytes`` has to be free before the engine starts, so that
    its own check passes; None where it does not look. ``counts_page_cache``: it takes cached
    files for used memory.
    """

    fits: bool
    basis: str
    total_bytes: int
    held_bytes: int
    low_point_bytes: int | None = None
    floor_bytes: int = 0
    startup_bytes: int | None = None
    counts_page_cache: bool = False
    problems: tuple[PlanProblem, ...] = ()
