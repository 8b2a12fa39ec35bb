"""Runs `docker compose`: the one thing that starts containers."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.compose.faults import explain
from sparkwell.drivers.process.inherited import base_environment

_OURS = frozenset({
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
    "DOCKER_API_VERSION", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME",
})  # fmt: skip


def docker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What Docker's commands get: how to find Docker, and nothing that could be secret. Pure.

    Compose puts variables of its environment into files where they are named.
    """
    chosen = {name: value for name, value in environ.items() if name in _OURS}
    return base_environment(environ) | chosen | {"COMPOSE_IGNORE_ORPHANS": "1"}


def up_command(file: Path, project: str, service: str) -> list[str]:
    """The command that starts one service of a file, and touches nothing else. Pure.

    A container that is there already is left as it is: it could be somebody else's.
    """
    options = ["--detach", "--no-build", "--pull", "never", "--no-recreate", "--no-deps"]
    return ["docker", "compose", "-p", project, "-f", str(file), "up", *options, service]


async def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    doing: str,
    timeout_s: float | None,
    last_chance_s: float = 0.0,
    keep: Sequence[int] = (),
) -> str:
    """Run a command of Docker's to its end and return what it said.

    Raises EnvironmentFault or ConflictError that explains a failure. When nobody waits for it any
    more it has ``last_chance_s`` to finish before it is killed. ``keep`` are file descriptors
    that it inherits.
    """
    process = await _spawn(command, environ, keep)
    ending = asyncio.ensure_future(process.communicate())
    try:
        async with asyncio.timeout(timeout_s):
            said, _ = await asyncio.shield(ending)
    except TimeoutError:
        await _end(process, ending, 0.0)
        raise EnvironmentFault(
            f"{doing}: no end after {timeout_s:.0f} s.", hint="`docker info` tells how Docker is."
        ) from None
    except asyncio.CancelledError:
        await _end(process, ending, last_chance_s)
        raise
    text = said.decode("utf-8", "replace")
    if process.returncode != 0:
        raise explain(text, doing=doing, host=environ.get("DOCKER_HOST"))
    return text


async def _spawn(
    command: Sequence[str], environ: Mapping[str, str], keep: Sequence[int]
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=docker_environment(environ),
            cwd="/",
            start_new_session=True,
            pass_fds=keep,
        )
    except FileNotFoundError:
        raise EnvironmentFault(
            f"The command {command[0]} is not installed.",
            hint="Install Docker's command-line client with its Compose plugin.",
        ) from None
    except OSError as error:
        raise EnvironmentFault(f"{command[0]} cannot be run: {error.strerror}.") from None


async def _end(
    process: asyncio.subprocess.Process,
    ending: asyncio.Future[tuple[bytes, bytes]],
    last_chance_s: float,
) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(last_chance_s):
            await asyncio.shield(ending)
    if not ending.done():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await ending
