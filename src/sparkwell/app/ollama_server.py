"""Ollama's server as a container of ours: brought up when a model needs it, ended with the last."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sparkwell.app.config import Settings
from sparkwell.drivers.compose.command import run
from sparkwell.engines.compose import Document, Service, to_yaml
from sparkwell.engines.ollama import server_environment
from sparkwell.engines.ollama.service import IMAGE, NAME, ollama_draft

PROJECT = "sparkwell"
_PULL_S = 3600.0  # the image is 2 to 4 GB, and comes with the first start
_STOP_S = 120.0


class OllamaServer:
    """The server's container. ``folder`` is where its Compose file lies; it is there while ours is.

    ``gpus`` says whether the machine has any.
    """

    def __init__(
        self, folder: Path, settings: Settings, environ: Mapping[str, str], *, gpus: bool
    ) -> None:
        self._file = folder / "compose.yaml"
        self._settings = settings
        self._environ = environ
        self._gpus = gpus

    async def start(self) -> None:
        """Bring the container up; returns when it runs. Raises EnvironmentFault."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file.write_text(self.render(), encoding="utf-8")
        words = ["up", "--detach", "--no-build", "--pull", "missing", "--no-deps", NAME]
        await self._compose(*words, doing="Starting Ollama's container", timeout_s=_PULL_S)

    async def stop(self) -> None:
        """End the container if it is ours; somebody else's server is left alone."""
        if self._file.exists():
            words = ["rm", "--stop", "--force", NAME]
            await self._compose(*words, doing="Ending Ollama's container", timeout_s=_STOP_S)
            self._file.unlink()

    def render(self) -> str:
        """The Compose file, the whole of what ``start`` would apply."""
        return to_yaml(Document([self._service()], project=PROJECT))

    def _service(self) -> Service:
        image = self._settings.containers.images.get("ollama", IMAGE)
        draft = ollama_draft(image, folder=self._settings.folders.ollama, gpus=self._gpus)
        return replace(
            draft.service,
            environment=server_environment(),
            address="127.0.0.1",
            restart="no",
            no_new_privileges=True,
            init=True,
        )

    async def _compose(self, *words: str, doing: str, timeout_s: float) -> None:
        command = ["docker", "compose", "-p", PROJECT, "-f", str(self._file), *words]
        await run(command, self._environ, doing=doing, timeout_s=timeout_s)
