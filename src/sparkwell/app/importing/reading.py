"""What a Compose file serves, as settings of this host: the same recipes, and what is not taken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sparkwell.app.importing.flags import overrides
from sparkwell.app.importing.parts import (
    Base,
    Imported,
    Taken,
    images,
    is_tagged,
    unknown,
    with_left,
    without_recipe,
)
from sparkwell.app.models import check_start, host_changes
from sparkwell.app.settings.config import GatewaySettings, Settings
from sparkwell.app.settings.forms import is_image, parse_mount
from sparkwell.catalog import Catalog, Recipe
from sparkwell.engines.compose.reading import ComposeService, read_compose
from sparkwell.engines.compose.reading_fields import Left, Volume
from sparkwell.engines.compose.reading_ollama import OllamaService, read_ollama
from sparkwell.engines.compose.reading_vllm import VllmService, read_vllm
from sparkwell.engines.ollama import PORT as OLLAMA_PORT

__all__ = ["Base", "Imported", "Taken", "import_compose"]
DEFAULT_PORT = GatewaySettings().port
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def import_compose(
    text: str, where: str, catalog: Catalog, *, variables: Mapping[str, str], base: Base
) -> Imported:
    """Read a Compose file and say which settings do the same here.

    ``variables`` hold no secrets. Raises DocumentError for what is no Compose file.
    """
    found = read_compose(text, where, variables)
    making = _Making(catalog, base)
    for service in found.services:
        making.add(service)
    settings = making.settings()
    checked = Settings.model_validate(settings)
    host_changes(checked, catalog)
    check_start(checked, catalog)
    return Imported(settings, tuple(making.services), (*found.left, *making.left))


@dataclass(slots=True)
class _Making:
    """Adds up the services of a file."""

    catalog: Catalog
    base: Base
    services: list[Taken] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    weights: list[str] = field(default_factory=list)
    mounts: dict[str, str] = field(default_factory=dict)
    ollama: dict[str, str] = field(default_factory=dict)
    ollama_port: int | None = None
    ports: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Model to the host's port and the line of it."""
    wanted: list[str] = field(default_factory=list)
    """Models of services that `docker compose up` starts: those without a profile."""
    open_line: tuple[str, int] | None = None

    def add(self, service: ComposeService) -> None:
        """Take a service over, as far as that goes."""
        vllm = read_vllm(service)
        ollama = None if vllm else read_ollama(service)
        taken = Taken(service.name, service.line, own=service.own, left=service.left)
        if vllm:
            self.services.append(self._vllm(service, vllm, taken))
        elif ollama:
            self.services.append(self._ollama(service, ollama, taken))
        else:
            self.services.append(unknown(service, taken))

    def _vllm(self, service: ComposeService, vllm: VllmService, taken: Taken) -> Taken:
        taken = replace(
            taken,
            engine="vllm",
            own=(*taken.own, *vllm.own, *(["restart"] if service.restart else [])),
            left=(*taken.left, *vllm.left),
        )
        recipe = self.catalog.find(vllm.model or "")
        if recipe is None:
            return with_left(taken, without_recipe(service, vllm.model))
        if recipe.name in self.models:
            why = f"serves {recipe.name}, as a service above does; settings are for a model"
            return with_left(taken, Left(service.line, ("services", service.name), why))
        said = list(self._model(service, vllm, recipe))
        left = [*self._folders(service, vllm.folders), *self._gaps(service, vllm, recipe)]
        said += self._shared(service, vllm, recipe)
        return replace(taken, model=recipe.name, taken=tuple(said), left=(*taken.left, *left))

    def _model(self, service: ComposeService, vllm: VllmService, recipe: Recipe) -> Iterator[str]:
        """The part under ``models:``, and a sentence for each thing in it."""
        chosen = overrides(recipe, vllm.flags, vllm.version)
        part: dict[str, Any] = {}
        if chosen.profile:
            part["profile"] = chosen.profile
            but = ", but for these flags" if chosen.flags else ""
            yield f"profile {chosen.profile}: as the guide starts it{but}"
        image = service.image
        if image and is_image(image) and image not in images(recipe):
            part["image"] = image
            yield f"image {image}"
        if chosen.flags:
            part["flags"] = dict(chosen.flags)
            yield "flags " + ", ".join(f"{name}={value}" for name, value in chosen.flags.items())
        self.models[recipe.name] = part

    def _gaps(self, service: ComposeService, vllm: VllmService, recipe: Recipe) -> Iterator[Left]:
        path = ("services", service.name)
        for name in overrides(recipe, vllm.flags, vllm.version).absent:
            why = f"does not say {name}, which the guide's flags here do"
            yield Left(service.line, (*path, "command"), why)
        if service.image and not is_image(service.image):
            why = "is no image that can be named in the settings; the recipe's own is used"
            yield Left(service.line, (*path, "image"), why)

    def _shared(self, service: ComposeService, vllm: VllmService, recipe: Recipe) -> Iterator[str]:
        """What holds for the whole host: ports, folders, what is started."""
        if vllm.host:
            line = next(each.line for each in service.ports if each.host == vllm.host)
            self.ports[recipe.name] = (vllm.host, line)
            if vllm.address not in LOOPBACK and self.open_line is None:
                self.open_line = (service.name, line)
        for source in vllm.weights:
            folder = self.base.absolute(source)
            self.weights += [] if folder in self.weights else [folder]
            yield f"{folder} holds weights"
        if service.profiles:
            names = ", ".join(service.profiles)
            yield f"`sparkwell up {recipe.name}` starts it, as the Compose profile {names} did"
        else:
            self.wanted.append(recipe.name)

    def _folders(self, service: ComposeService, folders: Sequence[Volume]) -> Iterator[Left]:
        """Other mounts: for the containers of all engines, so one folder for each target."""
        for volume in folders:
            source = self.base.absolute(volume.source or "")
            mount = f"{source}:{volume.target}{':ro' if volume.read_only else ''}"
            path = ("services", service.name, "volumes", volume.target)
            try:
                parse_mount(mount)
            except ValueError as error:
                yield Left(volume.line, path, str(error))
                continue
            if self.mounts.setdefault(volume.target, mount) != mount:
                why = "is mounted from another folder by a service above; mounts are for all"
                yield Left(volume.line, path, why)

    def _ollama(self, service: ComposeService, ollama: OllamaService, taken: Taken) -> Taken:
        own = (*taken.own, *ollama.own, *(["restart"] if service.restart else []))
        said = []
        if ollama.folder:
            self.ollama["folder"] = self.base.absolute(ollama.folder)
            said.append(f"{self.ollama['folder']} holds Ollama's models")
        if service.image and is_image(service.image) and is_tagged(service.image):
            self.ollama["image"] = service.image
            said.append(f"image {service.image}")
        if ollama.port and ollama.port.host != OLLAMA_PORT:
            self.ollama_port = ollama.port.host
            said.append(f"port {self.ollama_port}")
        if ollama.port and ollama.port.address not in LOOPBACK:
            why = "is published on every address; Ollama listens on 127.0.0.1 here"
            remedy = "Its models answer at the gateway as well, as ollama/NAME."
            path = ("services", service.name, "ports")
            self.left.append(Left(ollama.port.line, path, why, remedy))
        return replace(
            taken, engine="ollama", taken=tuple(said), own=own, left=(*taken.left, *ollama.left)
        )

    def settings(self) -> dict[str, Any]:
        """All of it as sparkwell.yaml has it; what could not be said becomes part of ``left``."""
        gateway = self._gateway()
        folders = {
            **({"models": self.weights[0]} if self.weights else {}),
            **({"ollama": self.ollama["folder"]} if "folder" in self.ollama else {}),
        }
        containers: dict[str, Any] = {
            **({"images": {"ollama": self.ollama["image"]}} if "image" in self.ollama else {}),
            **({"mounts": list(self.mounts.values())} if self.mounts else {}),
        }
        every = {
            "gateway": gateway,
            "engines": {"ollama_port": self.ollama_port} if self.ollama_port else {},
            "containers": containers,
            "folders": folders,
            "start": self._start(),
            "model_folders": self.weights[1:],
            "models": self.models,
        }
        return {name: value for name, value in every.items() if value}

    def _gateway(self) -> dict[str, int]:
        if self.open_line:
            service, line = self.open_line
            why = "is published on every address; the gateway listens on 127.0.0.1"
            remedy = (
                "gateway.host: 0.0.0.0 opens it to the network; `sparkwell keys add NAME` first."
            )
            self.left.append(Left(line, ("services", service, "ports"), why, remedy))
        ports = [port for port, _ in self.ports.values()]
        if not ports:
            return {}
        port = DEFAULT_PORT if DEFAULT_PORT in ports else ports[0]
        for model, (other, line) in self.ports.items():
            if other != port:
                why = f"all models answer on the gateway's port {port}, {model} not on {other}"
                self.left.append(Left(line, ("ports",), why))
        return {} if port == DEFAULT_PORT else {"port": port}

    def _start(self) -> list[str]:
        """What `docker compose up` starts; several on one port were meant one at a time."""
        ports = [self.ports[model][0] for model in self.wanted if model in self.ports]
        if len(ports) == len(set(ports)):
            return self.wanted
        line = self.ports[self.wanted[-1]][1] if self.wanted[-1] in self.ports else 1
        why = "is the port of several services, so only one of them runs at a time"
        remedy = "`sparkwell up MODEL` starts one of them; `start` is left as it is."
        self.left.append(Left(line, ("ports",), why, remedy))
        return []
