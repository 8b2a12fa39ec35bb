"""One service of a Compose file: what it says, and its mapping in the order people read it.

The keys are those of the Compose specification (compose-spec.io); what is empty is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.core.launch import Container, LaunchSpec, Mount

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - Docker's own default, written out to be seen
GPU_RESERVATION = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """A command that Docker runs in the container every ``interval_s`` seconds.

    Failures in the first ``start_period_s`` seconds do not count: a start takes minutes.
    """

    test: tuple[str, ...]
    interval_s: int
    timeout_s: int
    retries: int
    start_period_s: int

    @property
    def mapping(self) -> dict[str, object]:
        """As Compose writes it."""
        return {
            "test": ["CMD", *self.test],
            "interval": f"{self.interval_s}s",
            "timeout": f"{self.timeout_s}s",
            "retries": self.retries,
            "start_period": f"{self.start_period_s}s",
        }


@dataclass(frozen=True, slots=True)
class Service:
    """A service. ``ports`` maps ports of the host to ports of the container.

    ``address`` is the host's address that they are published on. ``host_variables`` are variables
    of the container that take the value of one of the host, or of its .env file. ``secrets`` are
    names of secrets of the document. ``restart`` None means that the key is left out: never.
    """

    name: str
    container: Container
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    host_variables: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    address: str = "127.0.0.1"
    restart: str | None = None
    profiles: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    stop_grace_s: int | None = None
    no_new_privileges: bool = False
    init: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    logging: Mapping[str, object] = field(default_factory=dict)

    @property
    def volumes(self) -> list[str]:
        """The named volumes among its mounts; everything else is a folder of the host."""
        sources = (mount.source for mount in self.container.mounts)
        return [source for source in sources if not source.startswith(("/", ".", "~"))]

    @property
    def mapping(self) -> dict[str, object]:
        """The service as Compose writes it, without the keys that it has no value for."""
        every: dict[str, object] = {
            "image": self.container.image,
            "container_name": self.container.name,
            "restart": self.restart,
            "ports": [f"{self._before(port)}{port}:{inner}" for port, inner in self.ports.items()],
            "environment": {
                **{name: f"${{{variable}}}" for name, variable in self.host_variables.items()},
                **{name: _literal(text) for name, text in self.environment.items()},
            },
            "secrets": list(self.secrets),
            "ipc": self.container.ipc,
            "ulimits": dict(self.container.ulimits),
            "init": self.init or None,
            "read_only": self.container.read_only or None,
            "tmpfs": list(self.container.tmpfs),
            "security_opt": ["no-new-privileges:true"] if self.no_new_privileges else None,
            "entrypoint": _words(self.container.entrypoint),
            "command": _words(self.command),
            "volumes": [_volume(mount) for mount in self.container.mounts],
            "deploy": _reservation() if self.container.gpus else None,
            "healthcheck": self.healthcheck.mapping if self.healthcheck else None,
            "stop_grace_period": f"{self.stop_grace_s}s" if self.stop_grace_s else None,
            "labels": {name: _literal(text) for name, text in self.labels.items()},
            "logging": dict(self.logging),
            "profiles": list(self.profiles),
        }
        # An empty entrypoint says something: that the image's own is not to be used.
        said = {"entrypoint"} if self.container.entrypoint is not None else set()
        return {
            key: value for key, value in every.items() if key in said or value not in (None, [], {})
        }

    def _before(self, _port: int) -> str:
        """The guides publish on every address by writing none."""
        return "" if self.address == ANY_ADDRESS else f"{_bracketed(self.address)}:"


def service_of(
    spec: LaunchSpec, *, labels: Mapping[str, str], logging: Mapping[str, object]
) -> Service:
    """The service for an engine that Sparkwell manages: a loopback port, never restarted.

    Raises ValueError for a spec that is none of a container.
    """
    if spec.container is None or spec.endpoint.port is None:
        raise ValueError("a service needs a container and a port")
    return Service(
        name=spec.container.name,
        container=spec.container,
        command=spec.argv,
        environment=spec.env,
        ports={spec.endpoint.port: spec.container.port},
        no_new_privileges=True,
        init=True,
        restart="no",
        stop_grace_s=max(1, round(spec.stop_grace_s)),
        labels=labels,
        logging=logging,
    )


def _literal(text: str) -> str:
    """Compose takes $NAME for a variable of the host; $$ means a dollar."""
    return text.replace("$", "$$")


def _words(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else [_literal(word) for word in words]


def _volume(mount: Mount) -> str:
    return f"{_literal(mount.source)}:{_literal(mount.target)}{':ro' if mount.read_only else ''}"


def _reservation() -> dict[str, object]:
    return {"resources": {"reservations": {"devices": [dict(GPU_RESERVATION)]}}}


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
