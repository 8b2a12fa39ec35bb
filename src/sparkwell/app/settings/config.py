"""sparkwell.yaml: the settings of a host, validated once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, PrivateAttr

from sparkwell.app.settings.forms import (
    AccessLog,
    File,
    Folder,
    HostName,
    Image,
    MountText,
    Origin,
    StartText,
    parse_mount,
    written,
)
from sparkwell.app.settings.places import Places
from sparkwell.catalog.recipe import FlagValue, Name
from sparkwell.core.documents import parse_with_lines
from sparkwell.core.errors import DocumentError, UsageError
from sparkwell.planner.profile_names import Profile

EXAMPLE = Path(__file__).parent / "sparkwell.example.yaml"
ENGINE_PORTS = 1000
_ANOTHER = "Choose another port, or another containers.first_port."


class Section(BaseModel):
    """A part of the settings: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsSettings(Section):
    """The files that make the endpoint https, as certbot or Caddy write them."""

    certificate: File = Field(
        description="File with the certificate and those above it (fullchain.pem)."
    )
    key: File = Field(description="File with the certificate's private key (privkey.pem).")


class GatewaySettings(Section):
    """The OpenAI endpoint."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    auth: Literal["keys", "none"] = Field(
        "keys",
        description="Who is served: keys (who has one; this machine while there are none), or none "
        "(everybody who reaches the port).",
    )
    names: tuple[HostName, ...] = Field(
        (),
        description="Names by which this machine is asked, besides its own and its addresses.",
    )
    cors_origins: tuple[Origin, ...] = Field(
        (), description="Web pages of other hosts that may ask, as https://chat.example."
    )
    tls: TlsSettings | None = Field(None, description="Certificate and key for https; none: http.")
    workers: int = Field(
        1, ge=1, le=64, description="Processes that relay requests, all on the one port."
    )
    max_connections: int = Field(
        2000, ge=10, le=100_000, description="Connections of clients at a time; more get 503."
    )
    max_body_mb: PositiveInt = Field(32, description="Largest request body, in MB (10^6 bytes).")
    head_s: float = Field(
        10.0, gt=0, description="Seconds from the first byte of a request's headers to the last."
    )
    body_s: float = Field(
        30.0, gt=0, description="Seconds that a request's body may stand still while it comes."
    )
    idle_s: float = Field(
        75.0, gt=0, description="Seconds that a connection is kept open between two requests."
    )
    send_s: float = Field(
        120.0, gt=0, description="Seconds after which a client that takes nothing is cut."
    )
    drain_s: float = Field(
        30.0, ge=0, description="Seconds that running requests get when the daemon is ended."
    )
    access_log: AccessLog = Field(
        "off", description="One line for each request, as text or json; never what was said."
    )


class EngineSettings(Section):
    """How engines are started and stopped."""

    start_timeout_s: PositiveFloat = Field(
        1800.0, description="Seconds from start to first token before a start counts as failed."
    )
    canary_timeout_s: PositiveFloat = Field(
        120.0, description="Seconds that the first token may take once /health is green."
    )
    keep_logs: PositiveInt = Field(3, description="Ended runs of a model whose logs are kept.")
    driver: Literal["auto", "process", "compose"] = Field(
        "auto", description="How engines run: as processes, in containers, or as suits the model."
    )
    ollama_port: int = Field(
        11434, ge=1, le=65535, description="Loopback port of Ollama's server, ours or yours."
    )


class ContainerSettings(Section):
    """How containers are made."""

    images: dict[Literal["vllm", "vllm-cpu", "ollama"], Image] = Field(
        default_factory=dict,
        description="Images by engine (vllm, vllm-cpu, ollama), where not the recipe's.",
    )
    first_port: int = Field(
        18000, ge=1024, le=64535, description="First of the 1,000 loopback ports for engines."
    )
    mounts: tuple[MountText, ...] = Field(
        (), description="More folders for engine containers: SOURCE:TARGET or SOURCE:TARGET:ro."
    )


BackEndName = Literal["auto", "cold", "sleep-1", "sleep-2"]


class SwitchingSettings(Section):
    """How models make room for each other."""

    on_demand: bool = Field(
        True, description="Whether a request starts its model, and makes others leave for it."
    )
    min_residency_s: float = Field(
        15.0, ge=0, description="Seconds that a model stays once it is ready, unless it is unused."
    )
    patience_s: float = Field(
        60.0, gt=0, description="Seconds a request waits before the busy model in its way drains."
    )
    max_wait_s: PositiveFloat = Field(
        1800.0, description="Seconds that a request waits for its model at most."
    )
    max_waiting: PositiveInt = Field(
        512, description="Requests that wait at most; more get 429 with Retry-After."
    )
    hold_headers_s: float = Field(
        10.0, ge=0, description="Seconds until a stream that waits gets its status and comments."
    )
    idle_s: float = Field(
        1800.0,
        ge=0,
        description="Seconds after which an unused model that a request started ends; 0: never.",
    )
    back_end: BackEndName = Field(
        "auto", description="How a model makes room: cold (it ends), or vLLM's sleep, level 1 or 2."
    )
    budget_gib: float | None = Field(
        None,
        gt=0,
        description="GiB that all engines together may hold; none: all but what the system needs.",
    )
    restore: bool = Field(
        True, description="Whether models that were ready come back after a reboot."
    )


class GuardSettings(Section):
    """The process that ends an engine before the machine wedges."""

    enabled: bool = Field(
        True, description="Whether the memory guard runs where engine and system share memory."
    )
    soft_floor_gib: float = Field(
        8.0,
        gt=0,
        description="GiB available under which the newest engine is asked to end; at most an "
        "eighth of the memory.",
    )
    hard_floor_gib: float = Field(
        4.0,
        gt=0,
        description="GiB available under which it is killed; at most a sixteenth of the memory.",
    )
    sample_ms: int = Field(250, ge=50, le=5000, description="Milliseconds between two looks.")


class FolderSettings(Section):
    """Where large files lie."""

    models: Folder | None = Field(
        None, description="Hugging Face cache to download weights to; none: /opt/hf or the user's."
    )
    ollama: Folder = Field("/opt/ollama", description="Where Ollama's container keeps its models.")


class ModelSettings(Section):
    """What this host changes about a recipe, or about a model of Ollama's (num_ctx alone)."""

    flags: dict[Name, FlagValue] = Field(
        default_factory=dict,
        description="vLLM flags that win over the recipe's; num_ctx for ollama/NAME.",
    )
    profile: Profile | None = Field(None, description="Profile that the flags are chosen for.")
    image: Image | None = Field(None, description="Container image of this model.")
    driver: Literal["process", "compose"] | None = Field(
        None, description="How this model's engine runs, where not as engines.driver says."
    )
    idle_s: float | None = Field(
        None, ge=0, description="As switching.idle_s, also when a person started it; 0: never."
    )
    pinned: bool = Field(False, description="Whether it never leaves for another model.")
    priority: int = Field(
        0, ge=-100, le=100, description="Whose requests are served first: those of the higher one."
    )
    back_end: BackEndName | None = Field(
        None, description="How this model makes room, where not as switching.back_end says."
    )


class Settings(Section):
    """All settings of a host. Every field has a default; an empty file is a valid one."""

    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    engines: EngineSettings = Field(default_factory=EngineSettings)
    containers: ContainerSettings = Field(default_factory=ContainerSettings)
    folders: FolderSettings = Field(default_factory=FolderSettings)
    switching: SwitchingSettings = Field(default_factory=SwitchingSettings)
    guard: GuardSettings = Field(default_factory=GuardSettings)
    preload: tuple[StartText, ...] = Field(
        (), description="Models that start when the daemon does."
    )
    start: tuple[StartText, ...] = Field((), description="Models that `sparkwell up --all` starts.")
    recipes: tuple[str, ...] = Field((), description="More folders with recipes.")
    model_folders: tuple[str, ...] = Field(
        (), description="Hugging Face caches to look for weights in, besides the user's own."
    )
    models: dict[str, ModelSettings] = Field(
        default_factory=dict,
        description="Changes to models, by recipe name, repository id or ollama/NAME.",
    )
    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def places(self) -> Places:
        """Where each setting stands in its file."""
        return self._places

    @property
    def weight_folders(self) -> tuple[str, ...]:
        """Hugging Face caches to look for weights in: where they are downloaded to, then more."""
        first = (self.folders.models,) if self.folders.models else ()
        return tuple(dict.fromkeys((*first, *self.model_folders)))


def load_settings(file: Path, *, required: bool = False) -> Settings:
    """Read the settings; a missing file means defaults unless it is ``required``.

    Folders in them come back absolute: ~ is the user's home, and a relative one is meant from
    the settings file, because the daemon's own working directory is /. Raises DocumentError
    that names file, line and field.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise DocumentError(f"There is no configuration file {file}.") from None
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{file}: this file cannot be read: {error}") from None
    settings, lines = parse_with_lines(text, Settings, str(file))
    settings = _with_absolute_folders(settings, file)
    settings._places = Places(str(file), lines)
    _check_ports(settings)
    return settings


def _with_absolute_folders(settings: Settings, file: Path) -> Settings:
    def absolute(folder: str, field: str) -> str:
        return _absolute(folder, f"{file}: {field}", file)

    lists = {
        name: tuple(absolute(folder, name) for folder in getattr(settings, name))
        for name in ("recipes", "model_folders")
    }
    folders = {
        name: absolute(folder, f"folders.{name}")
        for name, folder in settings.folders.model_dump(exclude_none=True).items()
    }
    mounts = [parse_mount(text) for text in settings.containers.mounts]
    whole = [
        written(replace(mount, source=absolute(mount.source, "containers.mounts")))
        for mount in mounts
    ]
    containers = settings.containers.model_copy(update={"mounts": tuple(whole)})
    others = {"folders": settings.folders.model_copy(update=folders), "containers": containers}
    return settings.model_copy(
        update={**lists, **others, "gateway": _with_absolute_files(settings.gateway, absolute)}
    )


def _with_absolute_files(
    gateway: GatewaySettings, absolute: Callable[[str, str], str]
) -> GatewaySettings:
    if gateway.tls is None:
        return gateway
    files = {
        name: absolute(file, f"gateway.tls.{name}")
        for name, file in gateway.tls.model_dump().items()
    }
    return gateway.model_copy(update={"tls": gateway.tls.model_copy(update=files)})


def _absolute(folder: str, where: str, file: Path) -> str:
    try:
        return str(file.absolute().parent / Path(folder).expanduser())
    except RuntimeError:
        raise DocumentError(f"{where}: {folder}: there is no such home folder") from None


def _check_ports(settings: Settings) -> None:
    """Refuse a port that an engine's container may be given, or that two listen on."""
    named = {("gateway", "port"): settings.gateway.port}
    named["engines", "ollama_port"] = settings.engines.ollama_port
    for path, port in named.items():
        if said := _of_the_engines(settings, port):
            raise DocumentError(f"{settings.places.where(*path)}: {said}", hint=_ANOTHER)
    if len(set(named.values())) < len(named):
        where = settings.places.where("gateway", "port")
        raise DocumentError(f"{where}: {settings.gateway.port} is engines.ollama_port as well")


def refuse_port(settings: Settings, port: int) -> None:
    """Refuse a port for the gateway that the file could not name; raises UsageError."""
    said = _of_the_engines(settings, port)
    if port == settings.engines.ollama_port:
        said = f"{port} is engines.ollama_port"
    if said:
        raise UsageError(f"--port: {said}.", hint=_ANOTHER)


def _of_the_engines(settings: Settings, port: int) -> str | None:
    """That a port is one of those that engines' containers are given; None where it is not."""
    first, last = settings.containers.first_port, settings.containers.first_port + ENGINE_PORTS - 1
    if not first <= port <= last:
        return None
    return f"{port} is one of the ports {first} to {last}, which are the engines'"


def schema() -> dict[str, Any]:
    """The JSON Schema of sparkwell.yaml, for editors."""
    return Settings.model_json_schema()
