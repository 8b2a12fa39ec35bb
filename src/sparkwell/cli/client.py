"""Talking to the daemon over its Unix socket, and starting one when none is there."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

import aiohttp

from sparkwell.admin import API_VERSION, VERSION_HEADER
from sparkwell.app.paths import Paths
from sparkwell.cli.context import Context
from sparkwell.core.errors import EnvironmentFault, SparkwellError

T = TypeVar("T")
Json = dict[str, Any]
START_TIMEOUT_S = 30.0


class NoDaemonError(EnvironmentFault):
    """Nobody answers on the control socket."""

    code = "no_daemon"


class AdminClient:
    """The control API as methods; an ``async with`` block is one connection."""

    def __init__(self, paths: Paths) -> None:
        self._socket = str(paths.socket)

    async def __aenter__(self) -> "AdminClient":
        """Open the connection pool; nothing is sent yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._socket),
            headers={VERSION_HEADER: str(API_VERSION)},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, path: str) -> Json:
        """GET a route of the control API."""
        return await self._request("GET", path, None)

    async def post(self, path: str, body: Json) -> Json:
        """POST to a route of the control API."""
        return await self._request("POST", path, body)

    async def _request(self, method: str, path: str, body: Json | None) -> Json:
        url = f"http://daemon/admin/{path}"
        try:
            async with self._session.request(method, url, json=body) as response:
                answer: Json = await response.json()
        except (aiohttp.ClientConnectorError, FileNotFoundError):
            raise no_daemon() from None
        except aiohttp.ClientError as error:
            raise NoDaemonError(f"The daemon broke off its answer: {error}.") from None
        if response.status >= 400:
            raise _from_json(answer)
        return answer


def no_daemon() -> NoDaemonError:
    """The error for a command that needs a daemon."""
    return NoDaemonError(
        "No daemon is running.",
        hint="`sparkwell up MODEL` starts one, or `sparkwell serve` in the foreground.",
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    """The one place where the CLI enters asyncio."""
    return asyncio.run(work)


async def is_running(client: AdminClient) -> bool:
    """Whether a daemon answers."""
    with suppress(NoDaemonError):
        await client.get("version")
        return True
    return False


async def start_detached(context: Context, client: AdminClient, options: list[str]) -> Json:
    """Start a daemon of its own session, and return what it says of itself once it answers.

    Raises EnvironmentFault with the daemon's own words when it ends instead.
    """
    context.paths.make()
    process, offset = _spawn(context, options)
    return await _first_answer(context, client, process, offset)


def _spawn(context: Context, options: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and where its own part of the daemon's log begins."""
    with context.paths.daemon_log.open("ab") as log:
        offset = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "sparkwell", *context.global_options, "serve", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    return process, offset


async def _first_answer(
    context: Context, client: AdminClient, process: subprocess.Popen[bytes], offset: int
) -> Json:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise EnvironmentFault(_last_words(context, offset))
        with suppress(NoDaemonError):
            return await client.get("version")
        await asyncio.sleep(0.05)
    process.terminate()
    raise EnvironmentFault(
        f"The daemon did not answer within {START_TIMEOUT_S:.0f} s.",
        hint=f"Its log is {context.paths.daemon_log}.",
    )


def _last_words(context: Context, offset: int) -> str:
    with context.paths.daemon_log.open("rb") as log:
        log.seek(offset)
        said = log.read().decode(errors="replace").strip()
    return said.removeprefix("Error: ") or f"The daemon ended; see {context.paths.daemon_log}."


def _from_json(answer: Json) -> SparkwellError:
    said = answer.get("error", {})
    error = SparkwellError(said.get("message", "The daemon refused."), hint=said.get("hint"))
    error.code = said.get("code", error.code)
    return error
