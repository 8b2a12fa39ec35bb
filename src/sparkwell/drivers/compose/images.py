"""Container images on this machine: what is here, and fetching what is not."""

import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.compose.api import DockerAt
from sparkwell.drivers.compose.command import run
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.drivers.compose.pulling import Layers, PullProgress

Report = Callable[[PullProgress], None]
_EVERY_S = 0.2
_REFUSED = re.compile(
    r"unauthorized|denied|authentication required|no basic auth|forbidden|\b40[13]\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is here. ``digests`` name it in registries; ``size_bytes`` is unpacked.

    ``architecture`` is Docker's word (arm64, amd64).
    """

    id: str
    architecture: str
    digests: tuple[str, ...]
    size_bytes: int
    entrypoint: tuple[str, ...]


async def inspect(image: str, *, environ: Mapping[str, str] | None = None) -> Image | None:
    """What is known of an image on this machine; None when it is not here.

    Raises DockerUnreachableError when no Docker answers.
    """
    async with _docker(environ).connect() as engine:
        found = await engine.image(image)
    return _image(found) if found else None


async def is_present(image: str, *, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the image is on this machine; raises DockerUnreachableError."""
    return await inspect(image, environ=environ) is not None


async def pull(
    image: str,
    report: Report = lambda _progress: None,
    *,
    total_bytes: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Image:
    """Fetch an image from its registry; what is here already is not fetched again.

    ``report`` is told how far it is, up to five times a second; ``total_bytes`` is the size of all
    compressed layers, where it is known beforehand. Nobody's name is given at first. A registry
    that refuses is asked again by `docker pull`, which knows the user's logins. Cancelling ends
    the pull; finished layers stay. Raises EnvironmentFault that says why it failed.
    """
    docker = _docker(environ)
    counter = _Counter(report, total_bytes)
    try:
        await _by_api(docker, image, counter)
    except _RefusedError as refused:
        await _by_command(docker, image, str(refused))
    found = await inspect(image, environ=environ)
    if found is None:
        raise DockerUnreachableError(
            f"The pull of {image} broke off: Docker went away.", hint="Pull again: layers are kept."
        )
    return found


class _RefusedError(Exception):
    """The registry wants to know who asks."""


class _Counter:
    """Counts layers and reports now and then."""

    def __init__(self, report: Report, total_bytes: int | None) -> None:
        self._report = report
        self._layers = Layers(total_bytes)
        self._began = time.monotonic()
        self._next = self._began

    def take(self, event: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if self._layers.take(event) and now >= self._next:
            self._next = now + _EVERY_S
            self.tell()

    def tell(self) -> None:
        self._report(self._layers.progress(time.monotonic() - self._began))


async def _by_api(docker: DockerAt, image: str, counter: _Counter) -> None:
    async with docker.connect() as engine, aclosing(engine.pull(image)) as events:
        async for event in events:
            if said := event.get("error"):
                if _REFUSED.search(said):
                    raise _RefusedError(said)
                raise _failed(image, said)
            counter.take(event)
    counter.tell()


async def _by_command(docker: DockerAt, image: str, refused: str) -> None:
    """Ask with the user's logins; the command says nothing of bytes."""
    try:
        await run(["docker", "pull", image], docker.environ, doing="docker pull", timeout_s=None)
    except DockerUnreachableError:
        raise
    except EnvironmentFault as error:
        raise _failed(image, f"{refused}\n{error.message}") from None


def _failed(image: str, said: str) -> EnvironmentFault:
    """Why a pull failed, in words that say what to do next. Pure."""
    for pattern, why, hint in _WHY:
        if re.search(pattern, said, re.IGNORECASE):
            text, remedy = why.format(image=image), hint.format(registry=_registry(image))
            return EnvironmentFault(text, hint=remedy)
    return EnvironmentFault(f"The image {image} cannot be pulled: {said.strip()[:500]}")


_WHY = (
    (
        "no space left on device",
        "The disk that holds Docker's data is full: the image {image} does not fit.",
        "`docker system df` shows what takes the space. Finished layers are kept.",
    ),
    (
        "no matching manifest",
        "The image {image} is not made for this machine's architecture.",
        "Choose another tag; `docker manifest inspect` lists what there is.",
    ),
    (
        "repository .*not found|does not exist|name unknown|manifest unknown|not found",
        "There is no image {image}, or it is not for everybody.",
        "Check the name and the tag. For a private one: `docker login{registry}`.",
    ),
    (
        _REFUSED.pattern,
        "The registry refuses to hand out {image}.",
        "Log in first: `docker login{registry}`.",
    ),
    (
        "dial tcp|no such host|lookup |timeout|connection re|network is unreach|unexpected eof",
        "The registry of {image} cannot be reached, or the connection broke.",
        "Check the network, then pull again: finished layers are kept.",
    ),
)


def _registry(image: str) -> str:
    """The registry's host with a blank before it, as `docker login` wants it. Pure."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return f" {first}" if named else ""


def _image(found: Mapping[str, Any]) -> Image:
    config = found.get("Config") or {}
    return Image(
        id=found["Id"],
        architecture=found["Architecture"],
        digests=tuple(found.get("RepoDigests") or ()),
        size_bytes=int(found["Size"]),
        entrypoint=tuple(config.get("Entrypoint") or ()),
    )


def _docker(environ: Mapping[str, str] | None) -> DockerAt:
    return DockerAt(os.environ if environ is None else environ)
