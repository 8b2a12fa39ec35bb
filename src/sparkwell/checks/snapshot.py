"""Everything that a diagnosis needs, collected once: it can be saved, sent and judged again."""

from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter, ValidationError

from sparkwell.checks.docker_parts import ContainerGpu, Docker, Image
from sparkwell.checks.host_parts import Engine, Folder, Port, System
from sparkwell.checks.model_parts import Environment, PlanSummary, Repo, Request, Token, Weights
from sparkwell.core.errors import DocumentError
from sparkwell.hardware.facts import NvmlFacts
from sparkwell.hardware.machine import Machine

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """A part that should be there and is not, and why."""

    part: str
    why: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One host at one moment. A part that is None was not collected; ``gaps`` say why not.

    ``taken_at`` is Unix time in seconds, ``sparkwell`` the version that collected. There is no
    secret in any part.
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
        place = ".".join(map(str, first["loc"]))
        raise DocumentError(
            f"{where}: this is no snapshot: {f'{place}: ' if place else ''}{first['msg']}",
            hint="A snapshot is what Sparkwell has written itself.",
        ) from None
    if snapshot.format > FORMAT:
        raise DocumentError(
            f"{where}: this snapshot has format {snapshot.format}; this release knows {FORMAT}.",
            hint=f"Read it with Sparkwell {snapshot.sparkwell} or newer.",
        )
    return snapshot


@cache
def _adapter() -> TypeAdapter[Snapshot]:
    return TypeAdapter(Snapshot)
