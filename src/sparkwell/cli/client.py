"""Talking to the daemon over its Unix socket."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
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
KEY = "SPARKWELL_API_KEY"
"""The environment variable with the key that commands ask the gateway with."""


class NoDaemonError(EnvironmentFault):
    """Nobody answers on the control socket."""

    code = "no_daemon"


class BrokenOffError(EnvironmentFault):
    """A daemon is there, and broke off its answer."""

    code = "daemon_broke_off"


class AdminClient:
    """The control API as methods; an ``async with`` block is one connection."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
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

    async def events(self, after: int) -> AsyncGenerator[Json]:
        """Events newer than the cursor ``after``, as they come, until the daemon ends."""
        try:
            async with self._session.get(f"http://daemon/admin/events?after={after}") as response:
                if response.status >= 400:
                    raise _from_json(await response.json())
                async for line in _lines(response.content):
                    yield json.loads(line)
        except PermissionError:
            raise _not_ours(self._socket) from None
        except aiohttp.ClientConnectorError as error:
            raise _unreachable(error, self._socket) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _broke_off(error) from None

    async def _request(self, method: str, path: str, body: Json | None) -> Json:
        url = f"http://daemon/admin/{path}"
        try:
            async with self._session.request(method, url, json=body) as response:
                answer: Json = await response.json()
        except PermissionError:
            raise _not_ours(self._socket) from None
        except aiohttp.ClientConnectorError as error:
            raise _unreachable(error, self._socket) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _broke_off(error) from None
        if response.status >= 400:
            raise _from_json(answer)
        return answer


def _from_json(answer: Json) -> SparkwellError:
    said = answer.get("error", {})
    error = SparkwellError(said.get("message", "The daemon refused."), hint=said.get("hint"))
    error.code = said.get("code", error.code)
    return error


def _broke_off(error: Exception) -> BrokenOffError:
    return BrokenOffError(
        f"The daemon broke off its answer: {error}.", hint="It may be ending; try again."
    )


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    """The lines of a stream, however long: aiohttp's own reader gives up on long ones."""
    begun = b""
    async for chunk in content.iter_any():
        *whole, begun = (begun + chunk).split(b"\n")
        for line in whole:
            yield line


def no_daemon() -> NoDaemonError:
    """The error for a command that needs a daemon."""
    return NoDaemonError(
        "No daemon is running.",
        hint="`sparkwell up MODEL` starts one, or `sparkwell serve` in the foreground.",
    )


async def told_by_daemon(context: Context, route: str) -> Json:
    """What this machine's daemon answers to a GET; NoDaemonError with what an earlier one left."""
    try:
        async with AdminClient(context.paths) as client:
            return await client.get(route)
    except NoDaemonError:
        raise await no_daemon_here(context) from None


async def no_daemon_here(context: Context) -> NoDaemonError:
    """The error for a command that needs a daemon, with what an earlier one left running."""
    from sparkwell.app.drivers import make_drivers

    drivers = make_drivers(context.paths, context.settings, context.environ)
    found, _ = await drivers.every.look()
    if not found:
        return no_daemon()
    models = ", ".join(running.spec.model for running in found)
    return NoDaemonError(
        f"No daemon is running, but what an earlier one started is: {models}.",
        hint="`sparkwell serve` or `sparkwell up` takes it over, `sparkwell down` ends it.",
    )


def _unreachable(error: aiohttp.ClientConnectorError, socket: str) -> EnvironmentFault:
    return _not_ours(socket) if isinstance(error.os_error, PermissionError) else no_daemon()


def _not_ours(socket: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"The daemon's socket {socket} belongs to somebody else.",
        hint="Run the command as that user, or set SPARKWELL_HOME to a folder of your own.",
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
