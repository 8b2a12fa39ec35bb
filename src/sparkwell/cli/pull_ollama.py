"""`sparkwell pull ollama/NAME`: the server fetches, into its own store."""

import time
from dataclasses import dataclass
from pathlib import Path

from sparkwell.app.drivers import Drivers, make_drivers
from sparkwell.catalog.ollama import OllamaName, parse_ollama
from sparkwell.cli.context import Context
from sparkwell.cli.progress import Show
from sparkwell.core.errors import SparkwellError
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.drivers.ollama.fetch import server_version
from sparkwell.engines.ollama.state import key_of


@dataclass(frozen=True, slots=True)
class PulledByServer:
    """A model that a server has now; the same keys as ``Pulled``, and the server's URL.

    ``folder`` is None for a server that is not ours: where it keeps its models is not known.
    ``bytes`` is None where the server does not say; ``fetched_bytes`` then too, or 0 for a model
    that was here already.
    """

    model: str
    server: str
    folder: Path | None
    bytes: int | None
    fetched_bytes: int | None
    seconds: float
    repo: None = None
    revision: None = None
    files: int = 1
    checked: bool = False

    @property
    def where(self) -> str:
        """The folder, or whose it is."""
        return str(self.folder) if self.folder else f"the store of the server at {self.server}"


async def pull_ollama(context: Context, model: str, show: Show) -> PulledByServer:
    """Have the server fetch a model that it lacks; one that was brought up for it ends again."""
    began_s = time.monotonic()
    name = parse_ollama(model)
    gpus = context.planning.here.device == "cuda"
    drivers = make_drivers(context.paths, context.settings, context.environ, gpus=gpus)
    was_up = await server_version(drivers.ollama.api) is not None
    seen: set[Phase] = set()

    def heard(mark: PhaseMark) -> None:
        seen.add(mark.phase)
        show(mark.phase.label, mark.fraction, "")

    try:
        await drivers.ollama.fetch(name.short, heard)
        size = await _size(drivers, name)
        is_ours = await drivers.ollama_server.is_ours()
    finally:
        if not was_up:
            await _end_if_idle(drivers)
    return PulledByServer(
        model=str(name),
        server=f"http://{drivers.ollama.api.where}",
        folder=Path(context.settings.folders.ollama) if is_ours else None,
        bytes=size,
        fetched_bytes=size if Phase.DOWNLOAD in seen else 0,
        seconds=time.monotonic() - began_s,
    )


async def _end_if_idle(drivers: Drivers) -> None:
    """End the server, unless a daemon has loaded a model into it meanwhile."""
    try:
        loaded = await drivers.ollama.api.ps()
    except SparkwellError:  # it has not come up, or has gone
        loaded = ()
    if not loaded:
        await drivers.ollama_server.stop()


async def _size(drivers: Drivers, name: OllamaName) -> int | None:
    """Bytes of a model on the server's disk; None where it does not say."""
    tags = await drivers.ollama.api.tags()
    return next((each.size_bytes for each in tags if key_of(each.name) == name.key), None)
