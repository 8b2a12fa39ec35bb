"""Docker for tests that need more than the machine's own: one that may die, one that drops out."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from sparkwell.core.launch import Container, Mount

from .conftest import processes_with
from .kinds import INNER_PORT, PROGRAMS

TINY = "sparkwell-test/tiny:1"
_FOLDERS = ("bin", "dev", "etc", "lib", "lib64", "proc", "root", "sbin", "sys", "tmp", "usr")


def docker(*words: str, host: str | None = None) -> str:
    """Run a docker command that must succeed; returns what it printed."""
    where = ["-H", host] if host else []
    done = subprocess.run(
        ["docker", *where, *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class PrivateDocker:
    """A dockerd with everything of its own, which a test may stop, kill and start again.

    ``disk`` is the size of a small disk in memory for it ("24m").
    """

    def __init__(self, folder: Path, disk: str | None = None) -> None:
        self.folder = folder
        self._disk = [disk] if disk else []
        self.host = f"unix://{folder}/d.sock"
        self.environ = {"PATH": os.environ["PATH"], "DOCKER_HOST": self.host}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = [sys.executable, str(PROGRAMS / "private_dockerd.py")]
        command = ["unshare", "--net", "--mount", *program, str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, f"{self.folder}/d.sock", *self._disk], stdout=log, stderr=log
            )
        until = time.monotonic() + 60
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < until
            time.sleep(0.1)

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal and wait until it is gone, its containerd too."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None
            self._end_containerd()

    def _end_containerd(self) -> None:
        """A dockerd that is started while the old containerd still dies waits for that in vain."""
        record = self.folder / "exec" / "containerd" / "containerd.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pid = int(record.read_text())
            while b"containerd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)
        record.unlink(missing_ok=True)

    def _answers(self) -> bool:
        command = ["docker", "-H", self.host, "info"]
        return not subprocess.run(command, capture_output=True, check=False).returncode

    def inside(self, *command: str) -> list[str]:
        """A command in its network, where 127.0.0.1 is its own."""
        assert self._process is not None
        return ["nsenter", "--net", f"--target={self._process.pid}", *command]

    def add_image(self) -> None:
        """An image of empty folders: what runs in it is mounted from this machine."""
        tar = self.folder / "tiny.tar"
        with tarfile.open(tar, "w") as archive:
            for name in _FOLDERS:
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
        docker("import", str(tar), TINY, host=self.host)

    def container(self, instance: str) -> Container:
        """A container of that image with this machine's programs in it."""
        folders = {"/usr/bin": "/bin", "/usr/lib": "/lib", "/usr/lib64": "/lib64"}
        folders |= {sys.base_prefix: sys.base_prefix, str(PROGRAMS): str(PROGRAMS)}
        mounts = [
            Mount(source, target, read_only=True)
            for source, target in folders.items()
            if Path(source).exists()
        ]
        return Container(TINY, f"sparkwell-test-{instance}", INNER_PORT, mounts=tuple(mounts))


@contextlib.contextmanager
def private_docker(folder: Path, disk: str | None = None) -> Iterator[PrivateDocker]:
    """A private dockerd; it and its containers end with the test."""
    found = PrivateDocker(folder, disk)
    try:
        found.start()
        yield found
        for identifier in docker("ps", "-aq", host=found.host).split():
            docker("rm", "-fv", identifier, host=found.host)
    finally:
        found.end()
        for pid in processes_with(str(folder).encode()):
            os.kill(pid, signal.SIGKILL)


class Registry:
    """A registry of images on a loopback port. ``password`` closes it to strangers."""

    def __init__(self, folder: Path, *, password: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        settings: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
            "http": {"addr": f"127.0.0.1:{self.port}"},
        }
        if password:
            (folder / "htpasswd").write_text(f"{USER}:{HASH}\n")
            where = {"realm": "tests", "path": str(folder / "htpasswd")}
            settings["auth"] = {"htpasswd": where}
        (folder / "config.yml").write_text(json.dumps(settings))

    def name(self, image: str) -> str:
        """The full name of an image in it."""
        return f"127.0.0.1:{self.port}/{image}"

    @contextlib.contextmanager
    def serve(self, *before: str) -> Iterator[None]:
        """Run it; ``before`` is a command that runs another one."""
        command = [*before, "docker-registry", "serve", str(self.folder / "config.yml")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._wait([*before, sys.executable, "-S", "-c", PROBE, str(self.port)])
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def _wait(self, probe: list[str]) -> None:
        until = time.monotonic() + 20
        while subprocess.run(probe, capture_output=True, check=False).returncode:
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.05)


PROBE = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
USER, PASSWORD = "somebody", "open sesame"
HASH = "$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW"


def free_port() -> int:
    """A port that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Proxy:
    """A socket that leads to the machine's Docker until it is cut."""

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self.environ = {"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{path}"}
        self.connections = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break every connection, in the middle of whatever it carries."""
        for writer in self._writers:
            writer.transport.abort()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen; nothing of it is left afterwards."""
        server = await asyncio.start_unix_server(self._serve, str(self.path))
        try:
            yield
        finally:
            server.close()
            self.cut()
            await asyncio.sleep(0.05)
            self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        behind, ahead = await asyncio.open_unix_connection(self._target)
        self._writers |= {writer, ahead}
        try:
            await asyncio.gather(_pump(reader, ahead), _pump(behind, writer))
        finally:
            for one in (writer, ahead):
                one.close()
                self._writers.discard(one)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
