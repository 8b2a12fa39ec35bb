"""Connections to engines: an answer as text, bounded in time and size, or what is wrong with it."""

import asyncio
from contextlib import suppress

import aiohttp

from sparkwell.core.launch import Endpoint

TIMEOUT_S = 2.0
"""What an engine has for its answer."""
MOST_BYTES = 4 * 1024**2
# vLLM closes idle connections after 5 s; once a second they are used again.
_KEEP_ALIVE_S = 4.0
_PIECE = 256 * 1024


class Connections:
    """One for each endpoint, used again as long as it is wanted."""

    def __init__(self) -> None:
        self._sessions: dict[Endpoint, aiohttp.ClientSession] = {}

    async def text(self, endpoint: Endpoint, path: str) -> tuple[str, str | None]:
        """The answer, and what is wrong with it."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._read(endpoint, path), None
        except TimeoutError:
            return "", f"{path} was not answered within {TIMEOUT_S:.0f} s"
        except UnicodeDecodeError:
            return "", f"the answer of {path} is no text"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return "", f"{path} cannot be read: {_words(error)}"

    async def _read(self, endpoint: Endpoint, path: str) -> str:
        async with self._session(endpoint).get(
            endpoint.url(path), allow_redirects=False
        ) as response:
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            body = bytearray()
            async for piece in response.content.iter_chunked(_PIECE):
                body += piece
                if len(body) > MOST_BYTES:
                    response.close()
                    raise ValueError(f"more than {MOST_BYTES // 1024**2} MiB")
            return body.decode()

    def _session(self, endpoint: Endpoint) -> aiohttp.ClientSession:
        if endpoint not in self._sessions:
            self._sessions[endpoint] = _new_session(endpoint)
        return self._sessions[endpoint]

    async def close_others(self, endpoints: set[Endpoint]) -> None:
        """Close all but those to ``endpoints``."""
        for endpoint in self._sessions.keys() - endpoints:
            with suppress(aiohttp.ClientError, OSError):
                await self._sessions.pop(endpoint).close()


def _words(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorError() | ConnectionRefusedError() | FileNotFoundError():
            return "nobody listens"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError():
            return "the answer broke off"
        case aiohttp.ClientError():
            return f"it is no HTTP ({type(error).__name__})"
        case _:
            return str(error) or type(error).__name__


def _new_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """Asks for an answer that is not compressed: a small one might become a very large one."""
    connector: aiohttp.BaseConnector = (
        aiohttp.UnixConnector(endpoint.uds, keepalive_timeout=_KEEP_ALIVE_S)
        if endpoint.uds
        else aiohttp.TCPConnector(keepalive_timeout=_KEEP_ALIVE_S)
    )
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None),
    )
