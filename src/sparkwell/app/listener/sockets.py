"""Listening on a port and on a Unix socket, with errors that say who is in the way."""

import contextlib
import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from sparkwell.core.errors import EnvironmentFault
from sparkwell.doctor.ports import Holder, holder


@asynccontextmanager
async def running(runner: web.AppRunner) -> AsyncIterator[None]:
    """An application that is set up inside the block, and cleaned up after it."""
    await runner.setup()
    try:
        yield
    finally:
        await runner.cleanup()


async def listen_tcp(listen: Callable[[], Awaitable[object]], host: str, port: int) -> None:
    """Begin to listen on a port; raises EnvironmentFault that names who has it."""
    try:
        await listen()
    except OSError as error:
        raise EnvironmentFault(
            f"The gateway cannot listen on {host}:{port}: {_why(error, port)}.",
            hint="Choose another port with --port, or end what holds this one.",
        ) from None


def _why(error: OSError, port: int) -> str:
    who = holder(port) if error.errno == errno.EADDRINUSE else Holder()
    return f"{who.name} (process {who.pid}) has it" if who.pid else error.strerror or str(error)


async def listen_unix(runner: web.AppRunner, path: Path) -> None:
    """Serve on a socket for this user alone; raises EnvironmentFault.

    The daemon's lock is ours, so a socket that is still there belongs to a dead daemon.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    mask = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(path)).start()
    except OSError as error:
        raise EnvironmentFault(
            f"The control socket {path} cannot be made: {error.strerror or error}.",
            hint="Set SPARKWELL_HOME to a folder with a shorter path that you may write to.",
        ) from None
    finally:
        os.umask(mask)
