"""What an engine in a container compiled is seen from here: a real container with a real volume."""

import dataclasses
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sparkwell.app.compiling import cache_of
from sparkwell.core.launch import Mount
from sparkwell.drivers.compile_cache import in_container
from sparkwell.engines.vllm.containers import CACHE, TMPFS

from .conftest import Box, box_of
from .docker_fixtures import docker
from .kinds import COMPOSE, PROJECT

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker")]
VOLUME = "compile-cache"


@pytest.fixture
async def box(tmp_path: Path, short_root: Path) -> AsyncIterator[Box]:
    async with box_of(COMPOSE, tmp_path / "i", short_root) as box:
        yield box


async def closed(box: Box) -> str:
    """The name of a container that may write to its cache alone, as an engine's."""
    spec = box.spec()
    assert spec.container is not None
    mounts = (*spec.container.mounts, Mount(VOLUME, CACHE))
    container = dataclasses.replace(spec.container, mounts=mounts, read_only=True, tmpfs=TMPFS)
    await box.driver.start(dataclasses.replace(spec, container=container))
    return container.name


async def test_files_in_the_volume_of_a_closed_container_are_seen(box: Box) -> None:
    name = await closed(box)
    try:
        kernel = "vllm/deep_gemm/cache/kernel.fp8 gemm.0a/kernel.cubin"
        began = time.time()
        put = f'd="{CACHE}/{kernel}"; mkdir -p "${{d%/*}}"; touch "$d"; touch -d @1000 "$d.old"'
        docker("exec", name, "sh", "-c", put)
        instance = {"engine": "vllm", "driver": "compose", "container": name}
        cache = cache_of(instance, Path("/nowhere"))
        assert cache is not None
        found = cache.written(began - 1)
        assert found is not None
        [(path, at)] = found
        assert path == kernel
        assert began - 1 <= at <= time.time()
        assert cache.written(at + 60) == []
        assert in_container(name, "/nowhere", began) is None
    finally:
        await box.driver.stop(box.instances[0])
        docker("volume", "rm", f"{PROJECT}_{VOLUME}")
    assert cache.written(began) is None, "it does not run any more"
