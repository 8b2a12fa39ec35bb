"""What differs between kinds of drivers, so that the contract's tests need not know.

A driver runs a program here or in a container. What follows from that and is no promise of the
seam is said here, one line each; everything else must be the same.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sparkwell.core.launch import Container, Endpoint, Mount
from sparkwell.core.protocols import Driver
from sparkwell.drivers.compose import ComposeDriver
from sparkwell.drivers.process import ProcessDriver

PROGRAMS = Path(__file__).parent / "programs"
IMAGE = os.environ.get("SPARKWELL_TEST_IMAGE", "sparkwell-test/base:bookworm")
PROJECT = "sparkwell-test"
INNER_PORT = 8000


@dataclass(frozen=True)
class Kind:
    """One kind of driver.

    ``make`` gives a driver over a root. ``python`` runs where the engine runs. ``container`` is
    what an instance's spec says of its container. ``serve`` are the tree's flags to answer at an
    endpoint: a container publishes a port, a process binds the socket itself. ``inherits`` tells
    whether a few variables of the daemon's reach the engine: a container has its image's.
    ``sees_ended`` tells whether the pid of an engine that ended at once is known: Docker forgets
    it. ``fifty_megabytes_s`` is what following and saving 50 MB may take: Docker handles each
    line by itself, twice.
    """

    name: str
    make: Callable[[Path, Path], Callable[[], Driver]]
    python: str
    container: Callable[[str], Container | None]
    serve: Callable[[Endpoint], tuple[str, ...]]
    inherits: bool
    sees_ended: bool
    fifty_megabytes_s: float


def in_container(instance: str) -> Container:
    """A container with this machine's Python and the tests' programs in it."""
    mounts = [sys.base_prefix, str(PROGRAMS)]
    return Container(
        image=IMAGE,
        name=f"{PROJECT}-{instance}",
        port=INNER_PORT,
        mounts=tuple(Mount(folder, folder, read_only=True) for folder in mounts),
    )


PROCESS = Kind(
    name="process",
    make=lambda root, short_root: lambda: ProcessDriver(root, short_root=short_root),
    python=sys.executable,
    container=lambda _instance: None,
    serve=lambda endpoint: ("--serve", str(endpoint.uds)),
    inherits=True,
    sees_ended=True,
    fifty_megabytes_s=20,
)
COMPOSE = Kind(
    name="compose",
    make=lambda root, _short_root: lambda: ComposeDriver(root, project=PROJECT),
    python=str(Path(sys.executable).resolve()),
    container=in_container,
    serve=lambda _endpoint: ("--serve-port", str(INNER_PORT)),
    inherits=False,
    sees_ended=False,
    fifty_megabytes_s=60,
)
KINDS = {kind.name: kind for kind in (PROCESS, COMPOSE)}


def need_docker() -> None:
    """Skip where there is no Docker; in CI there is one, or something is broken."""
    if problem := _docker_problem():
        if os.environ.get("CI"):
            pytest.fail(f"Docker is needed here: {problem}")
        pytest.skip(f"no Docker: {problem}")


def _docker_problem() -> str | None:
    if not shutil.which("docker"):
        return "the command docker is not installed"
    for command in (["compose", "version"], ["image", "inspect", IMAGE]):
        done = subprocess.run(["docker", *command], capture_output=True, text=True, check=False)
        if done.returncode:
            return f"docker {' '.join(command)}: {done.stderr.strip()}"
    return None
