"""Asks a running daemon for its part of a snapshot."""

import asyncio

import aiohttp

from sparkwell.admin import API_VERSION, VERSION_HEADER
from sparkwell.app.diagnosing.parts import DaemonParts, from_json
from sparkwell.app.paths import Paths
from sparkwell.core.errors import EnvironmentFault

LIMIT_S = 5.0
_URL = "http://daemon/admin/snapshot"


async def ask_daemon(paths: Paths) -> DaemonParts:
    """What it knows. Raises EnvironmentFault where it does not answer, or answers wrongly."""
    try:
        async with (
            asyncio.timeout(LIMIT_S),
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(paths.socket)),
                headers={VERSION_HEADER: str(API_VERSION)},
            ) as client,
            client.get(_URL) as response,
        ):
            body = await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise EnvironmentFault(f"The daemon does not answer: {why}.") from None
    if response.status != 200:
        raise EnvironmentFault(f"The daemon refused to answer ({response.status}).")
    return from_json(body)
