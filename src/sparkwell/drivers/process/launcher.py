"""Starts a shim, detached from the daemon, and hears from it whether the engine runs."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import LaunchSpec
from sparkwell.drivers.process import records
from sparkwell.drivers.process.folder import InstanceFolder
from sparkwell.drivers.process.inherited import base_environment
from sparkwell.drivers.process.shim import files
from sparkwell.drivers.process.sockets import make_socket_folder

START_S = 30.0  # Python starts in 0.1 s; a machine that swaps takes long
SHIM_PROGRAM = Path(__file__).parent / "shim"


def launch_document(
    spec: LaunchSpec, *, folder: Path, sockets: Path, env: Mapping[str, str], log: tuple[int, int]
) -> dict[str, object]:
    """Render launch.json: all that the shim needs, and the spec for whoever adopts it. Pure.

    ``env`` is complete; ``log`` is (bytes a file, older files kept). The engine works in its
    instance's folder: what it drops there is pruned with it, and ``python -m`` finds no
    foreign module beside it.
    """
    return {
        "spec": records.spec_to_json(spec),
        "argv": list(spec.argv),
        "env": dict(env),
        "cwd": str(folder),
        "stop_grace_s": spec.stop_grace_s,
        "sockets": str(sockets),
        "log_bytes": log[0],
        "log_files": log[1],
    }


async def launch(folder: InstanceFolder, document: Mapping[str, object]) -> dict[str, Any]:
    """Make the folder, start the shim, return its news; raises EnvironmentFault, ConflictError.

    The news are shim.json's content, or ``{"error": [what, reason]}``.
    """
    try:
        first, ours = _prepare_and_spawn(folder, document)
    except OSError as error:
        raise EnvironmentFault(
            f"Cannot prepare {folder.path}: {error.strerror or error}.",
            hint="The state folder must be writable, on a disk with space left.",
        ) from error
    try:
        return await _hear(folder, ours)
    finally:
        first.kill()  # it has forked the shim and gone by now; if not, it must not any more
        first.wait()


def _prepare_and_spawn(
    folder: InstanceFolder, document: Mapping[str, object]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Lock the folder before launch.json is in it.

    So, from the first moment on, whoever finds it can tell whether somebody lives there.
    """
    folder.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.path.mkdir(mode=0o700, exist_ok=True)
    with folder.lock() as lock:
        if lock is None or folder.exists:
            raise ConflictError(f"Instance {folder.path.name} exists already.")
        make_socket_folder(folder.path, Path(str(document["sockets"])))
        files.write_json(str(folder.path / files.LAUNCH), document)
        return _spawn(folder, lock)


def _spawn(folder: InstanceFolder, lock: int) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    argv = [sys.executable, "-I", "-S", "-X", "utf8", str(SHIM_PROGRAM), str(folder.path)]
    last_words = folder.path / files.ERRORS
    try:
        with theirs, _open_private(last_words) as errors:
            first = subprocess.Popen(
                argv, stdin=lock, stdout=theirs.fileno(), stderr=errors, cwd="/",
                env=base_environment(os.environ), start_new_session=True,
            )  # fmt: skip
    except BaseException:
        ours.close()
        raise
    return first, ours


def _open_private(path: Path) -> BinaryIO:
    path.touch(mode=0o600)
    return path.open("ab")


async def _hear(folder: InstanceFolder, ours: socket.socket) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        async with asyncio.timeout(START_S):
            line = await reader.readline()
    except TimeoutError:
        raise EnvironmentFault(f"The shim in {folder.path} did not answer in time.") from None
    finally:
        writer.close()
    if not line.endswith(b"\n"):
        raise EnvironmentFault(f"The shim in {folder.path} failed: {_last_words(folder)}")
    news: dict[str, Any] = json.loads(line)
    return news


def _last_words(folder: InstanceFolder) -> str:
    with contextlib.suppress(OSError):
        text = (folder.path / files.ERRORS).read_text("utf-8", "replace").strip()
        return text[-2000:] or "it said nothing."
    return "it left no message."
