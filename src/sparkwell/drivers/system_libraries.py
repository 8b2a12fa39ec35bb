"""Shared libraries that an engine needs of the system, fetched without root where they lack.

A stock Debian or Ubuntu has no libnuma, and vLLM's CPU build then ends in the middle of its
start. `apt-get download` needs no rights: the library is unpacked into the engine environment,
and nothing of the system changes.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from ctypes import CDLL
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.environments import SystemLibrary

TIMEOUT_S = 120.0


def provide(wanted: Iterable[SystemLibrary], folder: Path, environ: Mapping[str, str]) -> None:
    """Put those libraries that this machine lacks into ``folder``.

    Raises EnvironmentFault that names the package to install when one cannot be fetched.
    """
    for library in wanted:
        if not is_there(library.file):
            _fetch(library, folder, environ)


def is_there(file: str) -> bool:
    """Whether the dynamic loader of this machine finds the library."""
    try:
        CDLL(file)
    except OSError:
        return False
    return True


def _fetch(library: SystemLibrary, folder: Path, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        package = _download(library.debian, Path(scratch), environ)
        unpacked = Path(scratch) / "unpacked"
        unpack = ["dpkg-deb", "-x", str(package), str(unpacked)]
        if package is None or not _succeeds(unpack, Path(scratch), environ):
            raise EnvironmentFault(
                f"The engine needs the system library {library.file}, which is not there.",
                hint=f"Install it: `apt install {library.debian}` (Debian, Ubuntu) or "
                f"`dnf install {library.fedora}` (Fedora, RHEL); then run the command again.",
            )
        _copy(library.file, unpacked, folder)


def _download(package: str, scratch: Path, environ: Mapping[str, str]) -> Path | None:
    """The package's file, by the machine's package lists, else by lists of our own."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return None
    own = _own_lists(scratch)
    for commands in ([["download", package]], [[*own, "update"], [*own, "download", package]]):
        if all(_apt_get(words, scratch, environ) for words in commands):
            return next(scratch.glob(f"{package}_*.deb"), None)
    return None


def _own_lists(scratch: Path) -> list[str]:
    """Options that let apt-get keep its lists here: without root, /var/lib/apt is not ours."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    options = (f"Dir::State::Lists={scratch}/lists", f"Dir::Cache={scratch}/cache")
    return [word for option in options for word in ("-o", option)]


def _apt_get(words: list[str], scratch: Path, environ: Mapping[str, str]) -> bool:
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", *words]
    return _succeeds(command, scratch, environ)


def _succeeds(command: list[str], folder: Path, environ: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=dict(environ),
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _copy(file: str, unpacked: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for found in unpacked.rglob(f"{file}*"):
        # Follows the link from libX.so.1 to libX.so.1.0.0: the copy stands by itself.
        if found.is_file():
            shutil.copyfile(os.path.realpath(found), folder / found.name)
