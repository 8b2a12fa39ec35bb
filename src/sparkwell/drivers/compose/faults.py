"""Docker's refusals in words that say what to do next. Pure: text in, an error out."""

import errno
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from sparkwell.core.errors import ConflictError, EnvironmentFault, SparkwellError


class DockerUnreachableError(EnvironmentFault):
    """No Docker answers: not installed, not running, not for this user.

    ``models`` are those of which nobody can tell now whether they run.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, models: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.models = models


@dataclass(frozen=True, slots=True)
class _Known:
    """A wording of Docker's, what it means and what to do; {0} is the first group."""

    pattern: re.Pattern[str]
    message: str
    hint: str
    kind: type[SparkwellError] = EnvironmentFault


def _known(
    pattern: str, message: str, hint: str, kind: type[SparkwellError] = EnvironmentFault
) -> _Known:
    return _Known(re.compile(pattern, re.IGNORECASE), message, hint, kind)


_PERMISSION = (
    "This user may not use Docker.",
    "`sudo usermod -aG docker $USER`, then log in again.",
)
_NOT_RUNNING = (
    "Docker does not answer.",
    "Start it with `sudo systemctl start docker`; `docker info` tells whether it runs.",
)
_NOT_INSTALLED = (
    "Docker is not installed.",
    "Install Docker Engine with its Compose plugin, or set engines.driver to process.",
)
_KNOWN = (
    _known("permission denied while trying to connect", *_PERMISSION, DockerUnreachableError),
    _known(
        "cannot connect to the docker daemon|failed to connect to the docker api",
        *_NOT_RUNNING,
        DockerUnreachableError,
    ),
    _known(
        "'compose' is not a docker command|unknown shorthand flag: 'p'"
        "|unknown command: docker compose",
        "Docker's Compose plugin (v2) is not installed.",
        "Install the package docker-compose-plugin (Ubuntu and Debian 13: docker-compose-v2, "
        "docker-compose); `docker compose version` tells whether it is there.",
    ),
    _known(
        r"no such image: (\S+?)(?::? |$)|image (\S+) not found",
        "The image {0} is not on this machine.",
        "Fetch it with `docker pull {0}`.",
    ),
    _known(
        r"(?:listen tcp4?|bind for) \S+?:(\d+):? .*(?:already in use|already allocated)",
        "Port {0} of this machine is taken.",
        "`ss -ltnp 'sport = :{0}'` shows by whom; or set containers.first_port.",
    ),
    _known(
        'could not select device driver "?nvidia|unknown or invalid runtime name: nvidia'
        "|nvidia-container-cli",
        "Docker cannot give this machine's GPU to a container.",
        "Install the NVIDIA Container Toolkit, then `sudo nvidia-ctk runtime configure "
        "--runtime=docker` and `sudo systemctl restart docker`.",
    ),
    _known(
        "docker-init.*(?:not found|no such file)",
        "Docker's small first process, docker-init, is not installed.",
        "Install the package that brings it (Debian: tini; Docker's own packages: docker-ce).",
    ),
    _known(
        r"bind source path does not exist: (\S+)|creating mount source path '([^']+)'",
        "The folder {0}, which the container needs, is not there and cannot be made.",
        "`mkdir -p {0}`, or correct its place in the settings.",
    ),
    _known(
        "no space left on device",
        "The disk that holds Docker's data is full.",
        "`docker system df` shows what takes the space; `docker image prune` removes unused "
        "layers.",
    ),
    _known(
        'container name "/?([^"]+)" is already in use',
        "A container named {0} was made at the same moment.",
        "`docker ps -a` shows whose it is; `docker rm {0}` removes an ended one.",
        ConflictError,
    ),
    _known(
        "address pools have been fully subnetted",
        "Docker has no addresses left for a network.",
        "`docker network prune` removes the networks that nothing uses.",
    ),
)


def explain(said: str, *, doing: str, host: str | None = None) -> SparkwellError:
    """Turn what Docker said into an error; ``doing`` begins the message where it is not known.

    ``host`` is DOCKER_HOST, where that is set.
    """
    for known in _KNOWN:
        if found := known.pattern.search(said):
            if host and known.message == _NOT_RUNNING[0]:
                return _silent_host(host, None)
            name = next((group for group in found.groups() if group), "")
            return known.kind(known.message.format(name), hint=known.hint.format(name))
    return EnvironmentFault(f"{doing}: {_core(said)}")


def unreachable(
    number: int | None, said: str, *, installed: bool, host: str | None = None
) -> DockerUnreachableError:
    """Say why no Docker answers, given the error number of the connection, if there was one.

    ``host`` is DOCKER_HOST, where that is set.
    """
    if number in (errno.EACCES, errno.EPERM):
        message, hint = _PERMISSION
    elif number in (errno.ENOENT, None) and not installed:
        message, hint = _NOT_INSTALLED
    elif host:
        return _silent_host(host, number)
    else:
        message, hint = f"{_NOT_RUNNING[0][:-1]} ({said}).", _NOT_RUNNING[1]
    return DockerUnreachableError(message, hint=hint)


def maybe_running(error: DockerUnreachableError, models: Iterable[str]) -> DockerUnreachableError:
    """The same error, with the models that may run all the same."""
    names = tuple(sorted(set(models)))
    return DockerUnreachableError(
        f"{error.message} Whether {', '.join(names)} still runs in a container cannot be told.",
        hint=f"{error.hint or ''} Then try again.".lstrip(),
        models=names,
    )


def _silent_host(host: str, number: int | None) -> DockerUnreachableError:
    """A daemon somewhere else has its own way of being started."""
    why = f": {os.strerror(number)}" if number and number > 0 else ""
    return DockerUnreachableError(
        f"Docker does not answer at {host} (DOCKER_HOST){why}.",
        hint="Correct DOCKER_HOST, or `unset DOCKER_HOST` to go back to this machine's own Docker.",
    )


def no_image(image: str) -> EnvironmentFault:
    """The image has to be fetched first."""
    return EnvironmentFault(
        f"The image {image} is not on this machine.", hint=f"Fetch it with `docker pull {image}`."
    )


def _core(said: str) -> str:
    """The last thing that was said, without Compose's report of its steps."""
    lines = [line.strip() for line in said.strip().splitlines()]
    told = [line for line in lines if line and not _STEP.match(line)]
    text = (told or lines or ["no reason was given"])[-1]
    return text.removeprefix("Error response from daemon: ").rstrip(".")[:1000] + "."


_STEP = re.compile(r"(Container|Network|Volume) \S+ +\w+$")
