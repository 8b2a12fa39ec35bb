"""The Docker Engine API, as far as the driver needs it, over aiodocker.

One client lives as long as one errand: Docker's socket is near, opening it takes a few
milliseconds, and nothing has to be closed when the daemon's event loop ends.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiodocker import Docker, DockerError

from sparkwell.drivers.compose.faults import DockerUnreachableError, explain, unreachable
from sparkwell.drivers.compose.seen import Seen, read_seen

ANSWER_S = 60.0  # dockerd answers in milliseconds; with a disk at its limit it takes seconds
CONNECT_S = 5.0
ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
_REFUSED = 400
_NOT_CONNECTED = 900  # aiodocker's own status


@dataclass(frozen=True, slots=True)
class DockerAt:
    """Where Docker is: as its own command finds it, by DOCKER_HOST, a context or the socket."""

    environ: Mapping[str, str]

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["Engine"]:
        """A client; raises DockerUnreachableError, here or at its first use."""
        try:
            docker = Docker(self.host, timeout=ENDLESS)
        except (AssertionError, ValueError, ImportError, OSError, DockerError) as error:
            raise self.unreachable(None, str(error)) from None
        try:
            yield Engine(docker, self)
        finally:
            await docker.close()

    @property
    def host(self) -> str | None:
        """DOCKER_HOST; None where it is not set."""
        return self.environ.get("DOCKER_HOST") or None

    def unreachable(self, number: int | None, said: str) -> DockerUnreachableError:
        """The error for a Docker here that does not answer."""
        return unreachable(number, said, installed=self.is_installed, host=self.host)

    @property
    def is_installed(self) -> bool:
        """Whether there is a docker command."""
        return shutil.which("docker", path=self.environ.get("PATH", os.defpath)) is not None


class _GoneError(Exception):
    """The container or image is not there, or not in the state that was expected."""


class Engine:
    """An open connection to dockerd. Every method raises DockerUnreachableError when it breaks."""

    def __init__(self, docker: Docker, place: DockerAt) -> None:
        self.docker = docker
        self._place = place

    async def find(self, labels: Mapping[str, str]) -> list[Seen]:
        """All containers with these labels, ended ones too."""
        wanted = {"label": [f"{name}={value}" for name, value in labels.items()]}
        with self._said("Docker refuses to list containers"):
            async with asyncio.timeout(ANSWER_S):
                listed = await self.docker.containers.list(all=True, filters=json.dumps(wanted))
        found = [await self.inspect(container.id) for container in listed]
        return [seen for seen in found if seen]

    async def named(self, name: str) -> Seen | None:
        """The container of that very name."""
        seen = await self.inspect(name)
        return seen if seen and seen.name == name else None

    async def inspect(self, identifier: str) -> Seen | None:
        """One container; None when there is none."""
        with suppress(_GoneError), self._said("Docker refuses to describe a container"):
            async with asyncio.timeout(ANSWER_S):
                return read_seen(await self.docker.containers.container(identifier).show())
        return None

    async def image(self, name: str) -> dict[str, Any] | None:
        """What Docker knows of an image on this machine; None when it is not here."""
        with suppress(_GoneError), self._said("Docker refuses to describe an image"):
            async with asyncio.timeout(ANSWER_S):
                return await self.docker.images.inspect(name)
        return None

    async def signal(self, identifier: str, name: str) -> None:
        """Send a signal to the container's first process; no matter if it has just ended."""
        with suppress(_GoneError), self._said("The container cannot be signalled"):
            async with asyncio.timeout(ANSWER_S):
                await self.docker.containers.container(identifier).kill(signal=name)

    async def ended(self, identifier: str, timeout_s: float | None) -> None:
        """Return when the container does not run any more, or the time is over."""
        with suppress(_GoneError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                with self._said("The container cannot be waited for"):
                    async with self._open("POST", f"containers/{identifier}/wait") as answer:
                        await answer.read()

    async def remove(self, identifier: str) -> None:
        """Remove an ended container and its unnamed volumes; no matter if it is gone."""
        with suppress(_GoneError), self._said("The container cannot be removed"):
            async with asyncio.timeout(ANSWER_S):
                await self.docker.containers.container(identifier).delete(v=True)

    async def log(
        self, identifier: str, *, since: str | None = None, follow: bool = False, stamped: bool
    ) -> AsyncGenerator[bytes, None]:
        """Pieces of the log as Docker frames them; nothing when the container is gone."""
        asked = {"stdout": True, "stderr": True, "follow": follow, "timestamps": stamped}
        params = {name: str(int(value)) for name, value in asked.items()}
        params |= {"since": since} if since else {}
        with suppress(_GoneError), self._said("The container's log cannot be read"):
            async with self._open("GET", f"containers/{identifier}/logs", params) as answer:
                async for data in answer.content.iter_any():
                    yield data

    async def pull(self, image: str) -> AsyncGenerator[dict[str, Any], None]:
        """What dockerd says while it fetches an image; a failure is one with "error" in it.

        Closing the connection ends the pull.
        """
        params = {"fromImage": image} | ({} if _is_exact(image) else {"tag": "latest"})
        with self._said("The image cannot be pulled"):
            try:
                async with self._open("POST", "images/create", params) as answer:
                    async for line in answer.content:
                        yield json.loads(line)
            except DockerError as error:
                if error.status == _NOT_CONNECTED:
                    raise
                yield {"error": error.message}

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that may take for ever; aiodocker's own are not closed when we break off."""
        docker = self.docker
        if docker.api_version == "auto":
            await docker.version()  # tells the client which version of the API dockerd speaks
        url = f"{docker.docker_host}/{docker.api_version}/{path}"
        async with docker.session.request(method, url, params=params, timeout=ENDLESS) as answer:
            if answer.status >= _REFUSED:
                raise DockerError(answer.status, _message(await answer.text()))
            yield answer

    @contextmanager
    def _said(self, doing: str) -> Iterator[None]:
        """Errors of the client as errors of ours."""
        try:
            yield
        except DockerError as error:
            raise self._error(error, doing) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error

    def _error(self, error: DockerError, doing: str) -> Exception:
        if error.status in (404, 409) or "is not running" in error.message:
            return _GoneError(error.message)
        if error.status == _NOT_CONNECTED:
            return self._broken(error.__context__ or error)
        if error.status >= 500 and _is_ending(error.message):
            return self._broken(error)
        return explain(error.message, doing=doing)

    def _broken(self, error: BaseException) -> DockerUnreachableError:
        number = getattr(error, "errno", None)
        said = str(error) or type(error).__name__
        return self._place.unreachable(number, said)


def _is_ending(said: str) -> bool:
    """Whether these are the words of a dockerd that is about to go away, or of its containerd."""
    return any(words in said for words in _ENDING)


_ENDING = ("context canceled", "transport is closing", "containerd.sock", "shutting down")


def _is_exact(image: str) -> bool:
    """Whether the name of an image says which one: by tag or digest."""
    last = image.rpartition("/")[2]
    return ":" in last or "@" in last


def _message(text: str) -> str:
    """What a refusal says: dockerd wraps it in JSON."""
    with suppress(ValueError, TypeError, KeyError):
        return str(json.loads(text)["message"])
    return text
