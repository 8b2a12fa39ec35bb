"""The part of Ollama's HTTP API that Sparkwell uses, one method a request.

Shapes as in its published description (docs/openapi.yaml of ollama/ollama). Whatever goes wrong
comes as a SparkwellError that says what was asked.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.ollama import answers
from sparkwell.engines.ollama.answers import Loaded, PullEvent, Stored
from sparkwell.engines.ollama.explain import ModelMissingError, explain

T = TypeVar("T")
Body = dict[str, object]
FOREVER = -1
"""keep_alive: until somebody unloads it."""
_LINE_BYTES = 1024 * 1024


class ServerGoneError(EnvironmentFault):
    """Nobody takes connections on the server's port, or it broke one off."""


class NotOllamaError(EnvironmentFault):
    """Something answers on the server's port, but it is another program."""


class OllamaApi:
    """Asks the server on a loopback port. Quick answers get ``quick_s`` seconds.

    Loading and pulling may take as long as they take: the server itself watches for a stall, five
    minutes unless OLLAMA_LOAD_TIMEOUT says otherwise.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", quick_s: float = 10.0) -> None:
        self.where = f"{host}:{port}"
        self._quick_s = quick_s

    async def version(self) -> str:
        """The server's version; the quickest way to see that one is there."""
        return await self._read("GET", "/api/version", None, "version", answers.read_version)

    async def tags(self) -> tuple[Stored, ...]:
        """The models on its disk."""
        return await self._read("GET", "/api/tags", None, "listing models", answers.read_tags)

    async def ps(self) -> tuple[Loaded, ...]:
        """The models in its memory."""
        return await self._read("GET", "/api/ps", None, "listing loaded models", answers.read_ps)

    async def show(self, model: str) -> Mapping[str, Any]:
        """A model's GGUF metadata."""
        doing = f"showing {model}"
        return await self._read("POST", "/api/show", {"model": model}, doing, answers.read_show)

    async def pull(self, model: str) -> AsyncGenerator[PullEvent, None]:
        """Download a model, telling how far it is; ends when all of it is there.

        What is downloaded already is kept when this is left, or fails.
        """
        doing, succeeded = f"pulling {model}", False
        async with self._asked("POST", "/api/pull", {"model": model}, doing, None) as response:
            async for line in _lines(response, doing):
                if answers.read_error(line) is not None:
                    raise explain(doing, 200, line)
                event = _understood(answers.read_pull_event, line, doing)
                succeeded = succeeded or event.status == "success"
                yield event
        if not succeeded:
            raise ServerGoneError(
                f"Ollama's server at {self.where} ended the download of {model} in the middle.",
                hint="Run the command again: it goes on where this one ended.",
            )

    async def create(self, model: str, source: str, parameters: Mapping[str, object]) -> None:
        """Make a model of another one's files with other parameters; replaces one of that name."""
        body: Body = {"model": model, "from": source, "parameters": dict(parameters)}
        await self._done("/api/create", {**body, "stream": False}, f"preparing {source}")

    async def load(self, model: str, num_ctx: int, keep_alive: int | str) -> None:
        """Load a model into memory, or change how long it stays; returns when it is there."""
        body: Body = {"model": model, "keep_alive": keep_alive, "options": {"num_ctx": num_ctx}}
        await self._done("/api/generate", {**body, "stream": False}, f"loading {model}")

    async def unload(self, model: str) -> None:
        """Ask for a model to be unloaded; it goes when its running requests have ended."""
        body: Body = {"model": model, "keep_alive": 0, "stream": False}
        await self._done("/api/generate", body, f"unloading {model}", self._quick_s)

    async def delete(self, model: str) -> None:
        """Remove a name; files that another model has too stay."""
        body: Body = {"model": model}
        await self._done("/api/delete", body, f"removing {model}", self._quick_s, "DELETE")

    async def _done(
        self,
        path: str,
        body: Body,
        doing: str,
        limit_s: float | None = None,
        method: str = "POST",
    ) -> None:
        async with self._asked(method, path, body, doing, limit_s) as response:
            text = await response.text(errors="replace")
            if answers.read_error(text) is not None:
                raise explain(doing, 200, text)

    async def _read(
        self, method: str, path: str, body: Body | None, doing: str, read: Callable[[str], T]
    ) -> T:
        try:
            async with self._asked(method, path, body, doing, self._quick_s) as response:
                return _understood(read, await response.text(errors="replace"), doing)
        except ModelMissingError as error:
            if body is None:  # it has no such address
                raise _not_ollama(doing, error.message) from None
            raise

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, body: Body | None, doing: str, limit_s: float | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask; an answer that is not 200 is raised as what it means."""
        timeout = aiohttp.ClientTimeout(total=limit_s, sock_connect=self._quick_s)
        url = f"http://{self.where}{path}"
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, read_bufsize=_LINE_BYTES) as session,
                session.request(method, url, json=body) as response,
            ):
                if response.status != 200:
                    raise explain(doing, response.status, await response.text(errors="replace"))
                yield response
        except TimeoutError:
            waited_s = limit_s or self._quick_s
            raise EnvironmentFault(
                f"Ollama's server at {self.where} gave no answer within {waited_s:.0f} s ({doing})."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ServerGoneError(
                f"Ollama's server at {self.where} cannot be reached ({doing}): {error}.",
                hint="Start it: `docker compose up -d ollama`, or `ollama serve`.",
            ) from None


async def _lines(response: aiohttp.ClientResponse, doing: str) -> AsyncIterator[str]:
    """The lines of an answer in JSON lines; one that does not end is no line of Ollama's."""
    try:
        async for line in response.content:
            if text := line.decode("utf-8", "replace").strip():
                yield text
    except (ValueError, HttpProcessingError):
        raise _not_ollama(doing, "a line that does not end") from None


def _understood(read: Callable[[str], T], text: str, doing: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise _not_ollama(doing, error) from None


def _not_ollama(doing: str, error: object) -> NotOllamaError:
    return NotOllamaError(
        f"What answers is not Ollama, or one that is not known here ({doing}): {error}.",
        hint="Look who has the port: `ss -ltnp`.",
    )
