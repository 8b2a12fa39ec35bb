"""Ollama's server as a container of ours: brought up when a model needs it, ended with the last.

Its name, project and label are Sparkwell's own, so that nobody else's Ollama is mistaken for it.
The Compose file is written before the container is made and removed after it is gone: without the
file there is nothing to end, and Docker need not be asked.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sparkwell.app.settings.config import Settings
from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.drivers.compose import images
from sparkwell.drivers.compose.api import DockerAt, Engine
from sparkwell.drivers.compose.command import run, up_command
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.drivers.compose.lifetime import Ending
from sparkwell.drivers.compose.seen import HOME, Seen
from sparkwell.drivers.compose.starting import LAST_CHANCE_S, UP_S
from sparkwell.drivers.ollama.fetch import OnShare
from sparkwell.engines.compose import Document, Service, to_yaml
from sparkwell.engines.ollama import CONTAINER, PORT, server_environment
from sparkwell.engines.ollama.service import IMAGE, NAME, ollama_draft

PROJECT = "sparkwell-engines"
_GRACE_S = 10.0  # as `docker stop`; its models are unloaded by then

logger = logging.getLogger(__name__)


def _untold(_share: float | None) -> None:
    """Nobody wants to know."""


class OllamaServer:
    """The server's container, known by ``folder``: it is the container's label.

    In ``folder`` its Compose file lies. ``gpus`` says whether the machine has any.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        gpus: bool,
        container: str = CONTAINER,
        project: str = PROJECT,
    ) -> None:
        self._folder = folder.absolute()
        self._file = self._folder / "compose.yaml"
        self._settings = settings
        self._docker = DockerAt(environ)
        self._gpus = gpus
        self._container = container
        self._project = project
        self._lock = asyncio.Lock()

    async def start(self, on_share: OnShare = _untold) -> None:
        """Bring the container up; returns when it runs. Several may ask at once.

        ``on_share`` is told how far the image is, where it has to be pulled first. Raises
        ConflictError when somebody else's container has the name, EnvironmentFault when Docker
        cannot do it; nothing is left of a start that failed.
        """
        try:
            await self._ours()  # before gigabytes are fetched for nothing
            await self._pull(on_share)  # outside the lock: each caller hears how far it is
            async with self._lock:
                if not await self._is_up():
                    await self._bring_up()
        except DockerUnreachableError as error:
            raise _no_docker(error) from None

    async def stop(self) -> None:
        """End the container if it is ours; somebody else's is left alone. There may be none.

        A Docker that does not answer has nothing that could be ended now. Raises EnvironmentFault
        when the container does not end.
        """
        if not self._file.exists():
            return
        async with self._lock:
            try:
                await self._end()
            except DockerUnreachableError as error:
                logger.info("Whether Ollama's container is still there is not known: %s", error)

    async def is_ours(self) -> bool:
        """Whether the container is there and ours; False where that cannot be told."""
        try:
            async with self._docker.connect() as engine:
                return self._is_ours(await engine.named(self._container))
        except EnvironmentFault:
            return False

    def render(self) -> str:
        """The Compose file, the whole of what ``start`` would apply."""
        document = Document([self._service()], project=self._project)
        return to_yaml(document, "Written by Sparkwell for Ollama; changes are not read again.")

    # ── the way up ──────────────────────────────────────────────────────────────────────────

    async def _is_up(self) -> bool:
        """Whether our container runs as it would be made now; any other one of ours is ended."""
        seen = await self._ours()
        if seen is None:
            return False
        if seen.is_alive and self._file.exists() and self._file.read_text("utf-8") == self.render():
            return True
        await self._end()
        return False

    async def _bring_up(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file.write_text(self.render(), encoding="utf-8")
        try:
            await run(
                up_command(self._file, self._project, NAME),
                self._docker.environ,
                doing="Ollama's container cannot be started",
                timeout_s=UP_S,
                last_chance_s=LAST_CHANCE_S,
            )
            if await self._ours() is None:
                raise EnvironmentFault(
                    f"The container {self._container} is not there after its start: somebody "
                    f"removed it, or has another one in the Compose project {self._project}.",
                    hint=f"`docker compose -p {self._project} ps -a` shows what is in it.",
                )
        except (EnvironmentFault, ConflictError):
            await self._undo()
            raise

    async def _undo(self) -> None:
        """Leave nothing of a failed start; another process may have brought it up meanwhile."""
        try:
            async with self._docker.connect() as engine:
                seen = await engine.named(self._container)
                if seen and self._is_ours(seen) and seen.is_alive:
                    return
                await self._remove(engine, seen)
        except EnvironmentFault as error:
            logger.warning("A failed start of Ollama's container is not undone yet: %s", error)

    async def _pull(self, on_share: OnShare) -> None:
        """Pull the image unless it is here."""
        image, environ = self._image, self._docker.environ
        if not await images.is_present(image, environ=environ):
            on_share(None)
            await images.pull(image, lambda seen: on_share(seen.fraction), environ=environ)

    # ── the way down ────────────────────────────────────────────────────────────────────────

    async def _end(self) -> None:
        ending = Ending(_GRACE_S)
        async with self._docker.connect() as engine:
            seen = await engine.named(self._container)
            while seen and self._is_ours(seen) and seen.is_alive:
                await ending.push(engine, seen)
                seen = await engine.inspect(seen.id)
            await self._remove(engine, seen)

    async def _remove(self, engine: Engine, seen: Seen | None) -> None:
        """Remove an ended container of ours, and the file that stands for it."""
        if seen and self._is_ours(seen):
            await engine.remove(seen.id)
        self._file.unlink(missing_ok=True)

    # ── whose it is ─────────────────────────────────────────────────────────────────────────

    async def _ours(self) -> Seen | None:
        """Our container, None when there is none; raises ConflictError when it is another's."""
        async with self._docker.connect() as engine:
            seen = await engine.named(self._container)
        if seen and not self._is_ours(seen):
            raise _taken(seen)
        return seen

    def _is_ours(self, seen: Seen | None) -> bool:
        return seen is not None and seen.labels.get(HOME) == str(self._folder)

    # ── what it is ──────────────────────────────────────────────────────────────────────────

    @property
    def _image(self) -> str:
        return self._settings.containers.images.get("ollama", IMAGE)

    def _service(self) -> Service:
        draft = ollama_draft(self._image, folder=self._settings.folders.ollama, gpus=self._gpus)
        return replace(
            draft.service,
            container=replace(draft.service.container, name=self._container),
            environment=server_environment(),
            ports={self._settings.engines.ollama_port: PORT},
            address="127.0.0.1",
            restart="no",
            no_new_privileges=True,
            init=True,
            labels={HOME: str(self._folder)},
        )


def _no_docker(error: DockerUnreachableError) -> EnvironmentFault:
    return EnvironmentFault(
        f"Ollama does not run, and its container cannot be started: {error.message}",
        hint="Start Ollama yourself (`ollama serve`), or see what `docker info` says.",
    )


def _taken(seen: Seen) -> ConflictError:
    home = seen.labels.get(HOME)
    whose = f"another Sparkwell's, whose state is in {home}" if home else "not Sparkwell's"
    return ConflictError(
        f"The name {seen.name} is taken by a container that is {whose} "
        f"(image {seen.image}, {seen.status}).",
        hint=f"If nobody needs it: `docker rm -f {seen.name}`. Or set engines.ollama_port to the "
        "port of an Ollama that runs: Sparkwell uses that one then.",
    )
