"""The drivers of this host, put together."""

from collections.abc import Mapping
from dataclasses import dataclass

from sparkwell.app.ollama.server import OllamaServer
from sparkwell.app.paths import Paths
from sparkwell.app.settings.config import Settings
from sparkwell.drivers.compose import ComposeDriver
from sparkwell.drivers.ollama import OllamaDriver
from sparkwell.drivers.process import ProcessDriver
from sparkwell.drivers.routing import RoutingDriver


@dataclass(frozen=True, slots=True)
class Drivers:
    """All drivers; ``every`` hands each instance to its own."""

    every: RoutingDriver
    ollama: OllamaDriver
    ollama_server: OllamaServer


def make_drivers(
    paths: Paths, settings: Settings, environ: Mapping[str, str], *, gpus: bool = False
) -> Drivers:
    """The drivers over this host's folders. Nothing is touched yet.

    ``gpus`` says whether Ollama's container is to get some.
    """
    server = OllamaServer(paths.state / "ollama-server", settings, environ, gpus=gpus)
    ollama = OllamaDriver(paths.ollama, port=settings.engines.ollama_port, serve=server.start)
    process = ProcessDriver(paths.instances, environ=environ)
    first_port = settings.containers.first_port
    compose = ComposeDriver(paths.containers, first_port=first_port, environ=environ)
    every = RoutingDriver({"process": process, "compose": compose, "ollama": ollama})
    return Drivers(every, ollama, server)
