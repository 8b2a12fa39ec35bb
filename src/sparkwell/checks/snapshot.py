"""Everything that a diagnosis needs, collected once: it can be saved, sent and judged again."""

from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter, ValidationError

from sparkwell.checks.box import BoxState
from sparkwell.checks.docker_parts import ContainerGpu, Docker, Image
from sparkwell.checks.host_parts import Engine, Folder, Port, System
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.model_parts import (
    Environment,
    Partial,
    PlanSummary,
    Repo,
    Request,
    Token,
    Weights,
)
from sparkwell.checks.run_parts import MemoryReading, Run
from sparkwell.checks.serving_parts import Serving
from sparkwell.core.errors import DocumentError
from sparkwell.hardware.facts import NvmlFacts
from sparkwell.hardware.machine import Machine

FORMAT = 1
LONGEST_SHOWN = 120
"""Characters of a file's own words that an error repeats."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A part that should be there and is not, and why."""

    part: str
    why: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One host at one moment. A part that is None was not collected; ``gaps`` say why not.

    ``taken_at`` is Unix time in seconds, ``sparkwell`` the version that collected. ``logs`` are
    those of ``runs``, or one that somebody named. ``partials`` are unfinished files anywhere in
    the cache of weights. ``memory`` is the host's over the last hour, the newest last.
    ``versions`` are those of programs and packages by name, ``settings`` the settings file's text.
    There is no secret in any part.
    """

    taken_at: float
    sparkwell: str
    format: int = FORMAT
    request: Request | None = None
    system: System | None = None
    machine: Machine | None = None
    gpu: NvmlFacts | None = None
    docker: Docker | None = None
    image: Image | None = None
    container_gpu: ContainerGpu | None = None
    ports: tuple[Port, ...] | None = None
    token: Token | None = None
    repo: Repo | None = None
    weights: Weights | None = None
    folders: tuple[Folder, ...] | None = None
    engines: tuple[Engine, ...] | None = None
    environment: Environment | None = None
    plan: PlanSummary | None = None
    logs: tuple[LogDigest, ...] | None = None
    runs: tuple[Run, ...] | None = None
    serving: tuple[Serving, ...] | None = None
    box: BoxState | None = None
    partials: tuple[Partial, ...] | None = None
    memory: tuple[MemoryReading, ...] | None = None
    versions: tuple[tuple[str, str], ...] = ()
    settings: str | None = None
    gaps: tuple[Gap, ...] = ()


def to_json(snapshot: Snapshot) -> str:
    """The snapshot as a JSON document that ``from_json`` reads."""
    return _adapter().dump_json(snapshot, indent=1).decode()


def from_json(text: str | bytes, where: str = "the snapshot") -> Snapshot:
    """The snapshot of a document; raises DocumentError. Keys of newer versions are left out."""
    try:
        snapshot = _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = _shown(".".join(map(str, first["loc"])))
        raise DocumentError(
            f"{where}: this is no snapshot: {f'{place}: ' if place else ''}{first['msg']}",
            hint="--snapshot takes what `sparkwell doctor --save FILE` has written; a log is "
            "read with --log FILE.",
        ) from None
    if snapshot.format > FORMAT:
        raise DocumentError(
            f"{where}: this snapshot has format {snapshot.format}; this release knows {FORMAT}.",
            hint=f"Read it with Sparkwell {_shown(snapshot.sparkwell)} or newer.",
        )
    return snapshot


def _shown(text: str) -> str:
    """Words of a file as a terminal may show them: whoever wrote it chose them."""
    return "".join(each if each.isprintable() else "�" for each in text[:LONGEST_SHOWN])


@cache
def _adapter() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot)
