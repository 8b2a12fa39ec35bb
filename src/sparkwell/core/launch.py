"""Launching an engine, as values: what to run, where it answers, how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an engine answers HTTP: a Unix socket, or a loopback port. Exactly one is set."""

    uds: str | None = None
    port: int | None = None

    def __post_init__(self) -> None:
        if (self.uds is None) == (self.port is None):
            raise ValueError("an Endpoint is either a Unix socket or a port")

    def url(self, path: str) -> str:
        """The URL of ``path`` ("/health"); over a Unix socket the host part means nothing."""
        return f"http://127.0.0.1:{self.port}{path}" if self.port else f"http://engine{path}"

    def __str__(self) -> str:
        return f"unix:{self.uds}" if self.uds else f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder in a container. ``source`` is an absolute path, or the name of a volume."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """What an engine in a container needs beside its command line.

    ``name`` is the Compose service's and the container's. ``port`` is where the engine listens
    inside, ``entrypoint`` None means the image's own. ``gpus`` asks for all NVIDIA GPUs.
    ``ulimits`` are Docker's names and values. ``read_only`` closes the root file system; the
    folders in ``tmpfs`` are then in memory.
    """

    image: str
    name: str
    port: int
    entrypoint: tuple[str, ...] | None = None
    mounts: tuple[Mount, ...] = ()
    gpus: bool = False
    ipc: str | None = None
    ulimits: Mapping[str, int] = field(default_factory=dict)
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()


HELD = "held"
"""The label that says what an instance holds by its plan, in bytes."""
BACK_END = "back_end"
"""The label that says how an instance makes room for another; none where it ends."""


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One engine to run. A driver renders and applies it; it changes nothing.

    ``env`` is added to a minimal environment, never to the daemon's own. ``stop_grace_s`` is
    how long the engine may take to end by itself after SIGTERM. ``labels`` come back unchanged
    when the instance is adopted. ``served_model`` is the model's name in the engine's own API,
    None where that is ``model``. ``container`` is None for a process of this machine.
    """

    instance: str
    model: str
    engine: str
    engine_version: str
    argv: tuple[str, ...]
    endpoint: Endpoint
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_grace_s: float = 30.0
    served_model: str | None = None
    container: Container | None = None

    @property
    def held_bytes(self) -> int | None:
        """What the instance holds by its plan, in bytes; None where nobody could tell."""
        held = self.labels.get(HELD)
        return int(held) if held else None


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How an instance ended.

    ``code`` is the exit status, ``signal`` the number of the signal that ended it; both None
    means that nobody saw the end (the shim was killed). ``requested`` tells a stop from a crash.
    ``ended_at`` is Unix time in seconds. ``last_lines`` are the end of the log.
    """

    code: int | None
    signal: int | None
    requested: bool
    ended_at: float
    last_lines: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The end in words: ``"exit code 1"``, ``"killed by signal 9"``."""
        if self.signal is not None:
            return f"killed by signal {self.signal}"
        if self.code is not None:
            return f"exit code {self.code}"
        return "the end was not seen"


@dataclass(frozen=True, slots=True)
class Running:
    """A live instance as a driver sees it.

    ``pid`` and ``start_ticks`` (field 22 of /proc/PID/stat) name the process beyond doubt,
    also when the pid is used again; None where the driver sees no process of it.
    ``started_at`` is Unix time in seconds.
    """

    spec: LaunchSpec
    pid: int | None
    start_ticks: int | None
    started_at: float
