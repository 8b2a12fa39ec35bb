"""What a collection is to look at: the names, folders and ports of one start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sparkwell.checks.docker_parts import Image
from sparkwell.checks.model_parts import Environment, Repo, Request


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The model's weights, by what is known of them without looking.

    ``snapshot`` is the folder of a complete one, None when there is none. ``folders`` are the
    caches to look in, ``target`` is the one that a download would go to; None without a home.
    """

    total_bytes: int
    snapshot: Path | None = None
    bundled: bool = False
    folders: tuple[Path, ...] = ()
    target: Path | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at; everything but the host itself may be left out.

    ``environ`` is the user's, with PATH and DOCKER_HOST. ``image`` is what is known of it
    beforehand. ``token_folders`` may hold a ``.env``. ``state`` is this
    Sparkwell's own folder, ``daemon_pid`` its daemon. With ``deep`` a container is started to
    see the GPU from inside. ``caches`` are looked through for unfinished files of any model,
    ``weights_folder`` is where downloads go. ``metrics`` is the file with the history of the
    machine's memory, ``settings`` that of the settings. ``versions`` are those of programs that
    the caller knows, by name.
    """

    environ: Mapping[str, str]
    request: Request | None = None
    environment: Environment | None = None
    image: Image | None = None
    repo: Repo | None = None
    checkpoint: Checkpoint | None = None
    token_folders: tuple[Path, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()
    state: Path | None = None
    daemon_pid: int | None = None
    deep: bool = False
    caches: tuple[Path, ...] = ()
    weights_folder: Path | None = None
    metrics: Path | None = None
    settings: Path | None = None
    versions: tuple[tuple[str, str], ...] = ()
