"""Fetching images: a real Docker, and a real registry on a loopback port."""

import asyncio
import base64
import io
import json
import os
import shutil
import signal
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.compose import images
from sparkwell.drivers.compose.faults import DockerUnreachableError
from sparkwell.drivers.compose.pulling import PullProgress

from .conftest import eventually
from .docker_fixtures import PASSWORD, USER, Proxy, Registry, docker, private_docker

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker", "registry_program")]
LAYER = 3_000_000


@pytest.fixture(scope="session")
def registry_program() -> None:
    """Debian's package docker-registry."""
    if not shutil.which("docker-registry"):
        if os.environ.get("CI"):
            pytest.fail("docker-registry is needed here")
        pytest.skip("docker-registry is not installed")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    found = Registry(tmp_path)
    with found.serve():
        yield found


def make_layers(name: str, folder: Path, *sizes: int) -> list[str]:
    """An image for each size, a layer more in each: NAME:1, NAME:2, …"""
    tags = [f"{name}:{number}" for number in range(1, len(sizes) + 1)]
    first = folder / "first.tar"
    with tarfile.open(first, "w") as archive:
        entry = tarfile.TarInfo("0")
        entry.size = sizes[0]
        archive.addfile(entry, io.BytesIO(os.urandom(sizes[0])))
    docker("import", "--change", 'ENTRYPOINT ["/serve"]', str(first), tags[0])
    for number, size in enumerate(sizes[1:], start=1):
        made = docker("create", tags[number - 1], "x")
        file = folder / str(number)
        file.write_bytes(os.urandom(size))
        docker("cp", str(file), f"{made}:/{number}")
        docker("commit", made, tags[number])
        docker("rm", made)
    return tags


def publish(registry: Registry, image: str, *sizes: int) -> list[str]:
    """Make images, push them, and forget them here."""
    tags = make_layers(registry.name(image), registry.folder, *sizes)
    for tag in tags:
        docker("push", "-q", tag)
    forget(*tags)
    return tags


def forget(*tags: str) -> None:
    docker("rmi", "-f", *tags)


async def test_an_image_is_fetched_with_its_progress(registry: Registry) -> None:
    _, image = publish(registry, "two", LAYER, LAYER)
    assert not await images.is_present(image)
    told: list[PullProgress] = []
    found = await images.pull(image, told.append)
    last = told[-1]
    assert (last.fraction, last.layers, last.layers_done, last.left_s) == (1.0, 2, 2, 0.0)
    assert last.total_bytes == pytest.approx(2 * LAYER, rel=0.01)
    assert last.downloaded_bytes == last.unpacked_bytes == last.total_bytes
    assert last.bytes_per_s
    fractions = [one.fraction for one in told if one.fraction is not None]
    assert fractions == sorted(fractions)
    assert await images.inspect(image) == found
    assert found.entrypoint == ("/serve",)
    assert found.size_bytes == pytest.approx(2 * LAYER, rel=0.01)
    assert [digest.partition("@")[0] for digest in found.digests] == [registry.name("two")]
    by_digest = found.digests[0]
    assert (await images.pull(by_digest)).id == found.id
    forget(image)


async def test_a_layer_that_is_here_is_not_fetched_again(registry: Registry) -> None:
    first, second = publish(registry, "shared", LAYER, LAYER)
    await images.pull(first)
    told: list[PullProgress] = []
    await images.pull(second, told.append)
    assert (told[-1].layers, told[-1].layers_done) == (2, 2)
    assert told[-1].downloaded_bytes == pytest.approx(LAYER, rel=0.01)
    told.clear()
    await images.pull(second, told.append)
    assert told[-1].downloaded_bytes == 0
    forget(first, second)


async def test_what_is_not_there_is_said(registry: Registry) -> None:
    (image,) = publish(registry, "one", 1000)
    for missing in (image.replace(":1", ":none"), registry.name("no/such:1")):
        with pytest.raises(EnvironmentFault, match=r"There is no image .*") as caught:
            await images.pull(missing)
        assert missing in caught.value.message
        assert await images.inspect(missing) is None


async def test_a_registry_that_does_not_answer_is_said(registry: Registry) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be reached"):
        await images.pull("127.0.0.1:1/x:1")


async def test_a_cancelled_pull_ends(registry: Registry) -> None:
    (image,) = publish(registry, "large", 10 * LAYER)
    begun = asyncio.Event()

    def hold(_progress: PullProgress) -> None:
        assert registry.process is not None
        registry.process.send_signal(signal.SIGSTOP)
        begun.set()

    pulling = asyncio.create_task(images.pull(image, hold))
    await begun.wait()
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    assert registry.process is not None
    registry.process.send_signal(signal.SIGCONT)
    await asyncio.sleep(1)
    assert not await images.is_present(image)


async def test_a_docker_that_goes_away_is_said(registry: Registry, short_root: Path) -> None:
    (image,) = publish(registry, "cut", 10 * LAYER)
    proxy = Proxy(short_root / "p.sock", "/var/run/docker.sock")
    async with proxy.open():
        with pytest.raises(DockerUnreachableError):
            await images.pull(image, lambda _progress: proxy.cut(), environ=proxy.environ)
    await eventually(lambda: docker("images", "-q", image) == "")


# Logins.


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[str]:
    """An image in a registry that wants to know who asks."""
    folder = tmp_path / "closed"
    folder.mkdir()
    registry = Registry(folder)
    with registry.serve():
        publish(registry, "secret", 1000)
    guarded = Registry(folder, password=True)
    with guarded.serve():
        yield guarded.name("secret:1")


def logins(folder: Path, image: str) -> dict[str, str]:
    """Docker's configuration of a user who has logged in."""
    (folder / "login").mkdir()
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    settings = {"auths": {image.partition("/")[0]: {"auth": auth}}}
    (folder / "login" / "config.json").write_text(json.dumps(settings))
    return {**os.environ, "DOCKER_CONFIG": str(folder / "login")}


async def test_a_registry_that_refuses_is_asked_with_the_users_login(
    closed: str, tmp_path: Path
) -> None:
    found = await images.pull(closed, environ=logins(tmp_path, closed))
    assert found.size_bytes == pytest.approx(1000, abs=100)
    forget(closed)


async def test_who_has_no_login_is_told_to_log_in(closed: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        await images.pull(closed, environ={**os.environ, "DOCKER_CONFIG": str(tmp_path)})
    assert f"docker login {closed.partition('/')[0]}" in str(caught.value.hint)


# The disk.


async def test_a_disk_that_is_full_is_said(registry: Registry, short_root: Path) -> None:
    if os.geteuid():
        pytest.skip("a dockerd of one's own needs root")
    publish(registry, "fat", 12 * LAYER)
    folder = short_root / "docker"
    folder.mkdir()
    inside = Registry(registry.folder)
    with private_docker(folder, disk="24m") as small, inside.serve(*small.inside()):
        with pytest.raises(EnvironmentFault, match="disk that holds Docker's data is full"):
            await images.pull(inside.name("fat:1"), environ=small.environ)
        assert docker("images", "-q", host=small.host) == ""
