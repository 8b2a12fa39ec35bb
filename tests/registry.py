"""A container registry on this machine: Debian's docker-registry, on a loopback port."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CONFIG = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: 127.0.0.1:{port}}}
"""


@dataclass
class Registry:
    """A running registry; ``pushed`` are the names that local images got for it."""

    port: int
    pushed: list[str] = field(default_factory=list)

    def name(self, image: str) -> str:
        """An image's name with this registry before it."""
        return f"127.0.0.1:{self.port}/{image}"

    def grown(self, image: str, *, layers: int, layer_bytes: int) -> str:
        """The image with more layers of bytes that do not compress: so that a pull takes time."""
        name = f"sparkwell-test/grown:{self.port}"
        with tempfile.TemporaryDirectory(prefix="sw") as folder:
            lines = [f"FROM {image}"]
            for number in range(layers):
                (Path(folder) / f"layer{number}").write_bytes(os.urandom(layer_bytes))
                lines.append(f"COPY layer{number} /var/layers/{number}")
            (Path(folder) / "Dockerfile").write_text("\n".join(lines))
            environ = {**os.environ, "DOCKER_BUILDKIT": "0"}
            words = ["docker", "build", "--quiet", "-t", name, folder]
            subprocess.run(words, check=True, capture_output=True, env=environ)
        return name

    def push(self, local: str, image: str) -> str:
        """Move a local image into the registry: it is not here any more."""
        name = self.name(image)
        for words in (["tag", local, name], ["push", "--quiet", name], ["rmi", name, local]):
            subprocess.run(["docker", *words], check=True, capture_output=True)
        self.pushed.append(name)
        return name


@contextmanager
def registry() -> Iterator[Registry]:
    """A registry for the time of a test; images that were pulled from it go with it."""
    program = shutil.which("docker-registry")
    assert program, "there is no docker-registry here: .ci/docker installs it"
    with tempfile.TemporaryDirectory(prefix="sw") as folder:
        server = Registry(_free_port())
        config = Path(folder) / "config.yml"
        config.write_text(CONFIG.format(folder=f"{folder}/data", port=server.port))
        process = subprocess.Popen(
            [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(server.port)
            yield server
        finally:
            for name in server.pushed:
                subprocess.run(["docker", "rmi", name], check=False, capture_output=True)
            process.terminate()
            process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the registry did not come up"
            time.sleep(0.1)
        else:
            return
