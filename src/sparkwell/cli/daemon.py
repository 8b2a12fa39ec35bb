"""The daemon as commands need it: there, started where it is not, or gone."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sparkwell.app.lock import is_held
from sparkwell.app.paths import Paths
from sparkwell.app.surroundings import differing
from sparkwell.cli.client import AdminClient, Json, NoDaemonError, is_running
from sparkwell.cli.context import Context
from sparkwell.cli.telling import tell
from sparkwell.core.errors import ConflictError, EnvironmentFault

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 60.0
LOG_BYTES = 4_000_000
FOLDER_VARIABLES = ("SPARKWELL_HOME", "HF_HOME", "HF_HUB_CACHE")


async def have_daemon(context: Context, client: AdminClient, port: int | None, quiet: bool) -> bool:
    """See to it that a daemon answers; True when this call has started it."""
    if await is_running(client):
        await _refuse_other_port(client, port)
        if not await _ended_for_its_surroundings(context, client, quiet):
            return False
    options = ["--detached", *(["--port", str(port)] if port else [])]
    about, ours = await start_detached(context, client, options)
    if ours and not quiet:
        tell(
            f"Started a daemon (process {about['pid']}) on {about['gateway']}; "
            "`sparkwell down` ends it."
        )
    return ours


async def _ended_for_its_surroundings(context: Context, client: AdminClient, quiet: bool) -> bool:
    """End an idle daemon that was started with other variables than are set here now.

    One that serves something, or that somebody runs with `serve`, goes on: then they are named.
    """
    about = await client.get("version")
    others = differing(absolute_folders(context.environ), about["environment"])
    if not others:
        return False
    instances = (await client.get("status"))["instances"]
    if about["detached"] and all(each["state"] == "failed" for each in instances):
        await client.post("shutdown", {"stop_engines": False})
        return await daemon_gone(client.paths)
    if not quiet:
        tell(
            f"The daemon (process {about['pid']}) was started with another value of "
            f"{', '.join(others)}, and keeps it; end it to change that."
        )
    return False


async def _refuse_other_port(client: AdminClient, port: int | None) -> None:
    """A port that cannot be had must not be passed over in silence."""
    gateway = (await client.get("version"))["gateway"]
    if port is not None and not gateway.endswith(f":{port}"):
        raise ConflictError(
            f"A daemon is already running, on {gateway}, and cannot move to port {port}.",
            hint="Leave --port out, or end that daemon first (`sparkwell down`).",
        )


async def daemon_gone(paths: Paths) -> bool:
    """Wait until the daemon has let go of its state folder, and so of its port."""
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while is_held(paths.lock):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def start_detached(
    context: Context, client: AdminClient, options: list[str]
) -> tuple[Json, bool]:
    """Start a daemon of its own session; return what it says of itself once it answers.

    The second value is False when another command was quicker and its daemon answers. Raises
    EnvironmentFault with the daemon's own words when none does.
    """
    context.paths.make()
    process, offset = _spawn(context, options)
    try:
        about = await _first_answer(context, client, process, offset)
    except asyncio.CancelledError:
        # Ctrl-C while it comes up: it ends, and whatever it may have begun ends with it.
        process.send_signal(signal.SIGINT)
        process.wait(STOP_TIMEOUT_S)
        raise
    return about, about["pid"] == process.pid


def _spawn(context: Context, options: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and where its own part of the daemon's log begins."""
    _put_aside(context.paths.daemon_log)
    with context.paths.daemon_log.open("ab") as log:
        offset = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "sparkwell", *context.global_options, "serve", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=absolute_folders(context.environ),
        )
    return process, offset


def _put_aside(log: Path) -> None:
    """Every daemon appends to the log; a long one becomes the old one, which there is once."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def absolute_folders(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that starts in another folder than this one."""
    named = {name: environ[name] for name in FOLDER_VARIABLES if environ.get(name)}
    return {**environ, **{name: str(Path(value).absolute()) for name, value in named.items()}}


async def _first_answer(
    context: Context, client: AdminClient, process: subprocess.Popen[bytes], offset: int
) -> Json:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        with suppress(NoDaemonError):
            return await client.get("version")
        if ended:
            raise EnvironmentFault(_last_words(context, offset))
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
