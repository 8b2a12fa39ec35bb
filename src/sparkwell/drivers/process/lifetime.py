"""From a folder to what lives in it and how it ends, whatever its shim does meanwhile."""

import asyncio
import contextlib
import logging
import os
import signal

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import ExitRecord, Running
from sparkwell.drivers.process import records
from sparkwell.drivers.process.client import ShimClient, connect
from sparkwell.drivers.process.folder import InstanceFolder
from sparkwell.drivers.process.remains import settle
from sparkwell.drivers.process.shim import proc

LOOK_AGAIN_S = 0.05
SHIM_STARTS_S = 30.0
SHIM_ENDS_S = 2.0

log = logging.getLogger(__name__)


async def until_end(folder: InstanceFolder, *, grace_s: float | None) -> ExitRecord:
    """Return the exit record; ask for the end first if there is a grace.

    The shim has gone then, too: its folder can be removed.
    """
    record = await _record(folder, grace_s)
    await _released(folder)
    return record


async def _released(folder: InstanceFolder) -> None:
    """The kernel may free the lock of an ending shim a little after it closed its socket."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SHIM_ENDS_S):
            while folder.is_kept():  # noqa: ASYNC110 - a lock in the kernel tells nobody
                await asyncio.sleep(0.005)


async def _record(folder: InstanceFolder, grace_s: float | None) -> ExitRecord:
    """Get the record from the folder or from the shim.

    It goes round again when a shim starts, dies or is settled by another at the same time.
    """
    while (record := folder.exit()) is None:
        if not folder.exists:
            raise EnvironmentFault(f"The folder {folder.path} was removed while it was in use.")
        if not folder.is_kept():
            if not await settle(folder, requested=grace_s is not None):
                await asyncio.sleep(LOOK_AGAIN_S)
            continue
        try:
            async with connect(folder.sockets()) as shim:
                return await _ask_for_end(shim, grace_s)
        except TimeoutError:
            _kill_stuck_shim(folder)
        except OSError:
            await asyncio.sleep(LOOK_AGAIN_S)
    return record


async def adopt(folder: InstanceFolder) -> Running | None:
    """Find out what lives here; what a killed shim left is ended, and nothing lives here."""
    try:
        async with asyncio.timeout(SHIM_STARTS_S):
            return await _look(folder)
    except (TimeoutError, EnvironmentFault, OSError) as error:
        log.warning("%s: cannot tell what runs here: %s", folder.path, error or "no answer")
        return None


async def abandon(folder: InstanceFolder) -> None:
    """Undo a start that failed or was cancelled: nobody would know that it runs."""
    with contextlib.suppress(OSError, TimeoutError, EnvironmentFault):
        async with asyncio.timeout(SHIM_STARTS_S):
            if folder.exists:
                await until_end(folder, grace_s=0.0)


async def _look(folder: InstanceFolder) -> Running | None:
    while not folder.has_exit:
        if not folder.is_kept():
            await settle(folder, requested=False)
        elif folder.is_kept_by_its_shim() and (running := folder.running()):
            return running
        else:
            await asyncio.sleep(LOOK_AGAIN_S)  # it is starting, or another driver settles it
    return None


async def _ask_for_end(shim: ShimClient, grace_s: float | None) -> ExitRecord:
    if grace_s is not None:
        await shim.ask(op="stop", grace_s=grace_s)
    return records.exit_from_json(await shim.wait_for_end())


def _kill_stuck_shim(folder: InstanceFolder) -> None:
    """Kill a shim that holds its lock but does not answer; the next look ends what it kept."""
    identity = folder.shim_identity()
    if identity and proc.is_alive(identity):
        log.warning("%s: the shim does not answer and is killed", folder.path)
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity[0], signal.SIGKILL)
