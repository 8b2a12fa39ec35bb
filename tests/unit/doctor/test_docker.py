"""Docker as its command line shows it: answers of real versions, and every way to fail."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkwell.checks.docker_parts import Docker, Image
from sparkwell.doctor import docker as module
from sparkwell.doctor.ask import Answer
from sparkwell.doctor.docker import (
    container_of,
    docker_of,
    gpu_in_container,
    image_of,
    look_at_docker,
    look_at_image,
    published,
    running_containers,
    trouble_of,
)

ENVIRON = dict(os.environ)
REAL = pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker here")
# What `docker info` says on a DGX Spark with Docker 28, cut down to what is read.
INFO: dict[str, Any] = {
    "ServerVersion": "28.3.3",
    "Architecture": "aarch64",
    "DockerRootDir": "/var/lib/docker",
    "Runtimes": {"runc": {}, "nvidia": {"path": "nvidia-container-runtime"}},
    "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}, {"ID": "vendor/other=1"}],
    "InitBinary": "docker-init",
    "InitCommit": {"ID": "de40ad0"},
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"],
    "ClientInfo": {
        "Version": "28.3.3",
        "Plugins": [
            {"Name": "buildx", "Version": "v0.26"},
            {"Name": "compose", "Version": "v2.39"},
        ],
    },
}


def fake(folder: Path, script: str) -> dict[str, str]:
    """An environment in which `docker` is a shell script."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_docker_info_is_read() -> None:
    assert docker_of(INFO) == Docker(
        client_version="28.3.3",
        server_version="28.3.3",
        compose_version="v2.39",
        architecture="aarch64",
        root_folder="/var/lib/docker",
        runtimes=("nvidia", "runc"),
        gpu_devices=("nvidia.com/gpu=0",),
        init_binary="docker-init",
        init_works=True,
        rootless=True,
    )


def test_an_init_that_is_not_there() -> None:
    assert docker_of({"InitCommit": {"ID": "N/A"}}).init_works is False
    assert docker_of({}).init_works is None


@pytest.mark.parametrize(
    ("answer", "told", "trouble"),
    [
        (Answer(trouble="missing"), {}, "missing"),
        (Answer(trouble="no answer"), {}, "no answer"),
        (Answer(0), INFO, None),
        (Answer(1, err="permission denied while trying to connect"), {}, "denied"),
        (Answer(0), {"ServerErrors": ["Got permission denied while …"]}, "denied"),
        (Answer(1, err="Cannot connect to the Docker daemon"), {}, "unreachable"),
        (Answer(0, "no JSON"), {}, "unreachable"),
    ],
)
def test_why_docker_cannot_be_used(answer: Answer, told: dict[str, Any], trouble: str) -> None:
    assert trouble_of(answer, told) == trouble


def test_only_the_cuda_version_of_an_images_variables_is_read() -> None:
    told = {
        "Architecture": "arm64",
        "Size": 20,
        "RepoDigests": ["nvcr.io/nvidia/vllm@sha256:1"],
        "Config": {"Env": ["SECRET=hf_abcdefghijklmnopqrstuvwxyz", "CUDA_VERSION=13.0.1.012"]},
    }
    image = image_of(Image("a", cuda_version="12.0"), told)
    assert image == Image("a", True, "arm64", "nvcr.io/nvidia/vllm@sha256:1", 20, "13.0.1.012")
    assert "hf_" not in repr(image)
    assert image_of(Image("a", cuda_version="12.0"), {"Config": None}).cuda_version == "12.0"


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("0.0.0.0:8000->8000/tcp, :::8000->8000/tcp", {8000}),
        ("127.0.0.1:9000-9002->80-82/tcp", {9000, 9001, 9002}),
        ("8000/tcp", set()),
        ("", set()),
    ],
)
def test_published_ports(text: str, ports: set[int]) -> None:
    assert published(text) == ports


def test_a_line_of_docker_ps() -> None:
    seen = container_of("f00\tvllm-old\tvllm/vllm-openai:v0.11\t0.0.0.0:8000->8000/tcp\t\t")
    assert (seen.name, seen.ports, seen.home) == ("vllm-old", frozenset({8000}), "")


async def test_no_docker() -> None:
    found = await look_at_docker({"PATH": "/nowhere"})
    assert found.trouble == "missing"
    assert await running_containers({"PATH": "/nowhere"}) is None


async def test_a_docker_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMIT_S", 0.2)
    assert (await look_at_docker(fake(tmp_path, "exec sleep 60"))).trouble == "no answer"


async def test_a_user_who_may_not(tmp_path: Path) -> None:
    words = "permission denied while trying to connect to the Docker daemon socket"
    found = await look_at_docker(fake(tmp_path, f"echo '{words}' >&2; exit 1"))
    assert (found.trouble, found.said) == ("denied", words)


async def test_the_client_is_known_where_the_daemon_is_not(tmp_path: Path) -> None:
    told = {"ServerErrors": ["Cannot connect"], "ClientInfo": INFO["ClientInfo"]}
    found = await look_at_docker(fake(tmp_path, f"echo '{json.dumps(told)}'"))
    assert (found.trouble, found.compose_version) == ("unreachable", "v2.39")


async def test_a_container_that_sees_the_gpu(tmp_path: Path) -> None:
    words = "GPU 0: NVIDIA GB10 (UUID: GPU-1)"
    environ = fake(tmp_path, f'echo "$@" > {tmp_path}/words; echo "{words}"')
    assert (await gpu_in_container("an/image:1", environ)).gpus == (words,)
    typed = (tmp_path / "words").read_text()
    assert "run --rm" in typed
    assert "--pull never" in typed
    assert typed.endswith("--entrypoint nvidia-smi an/image:1 -L\n")


async def test_a_container_that_hangs_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEEP_LIMIT_S", 0.2)
    environ = fake(tmp_path, f'[ "$1" = run ] && exec sleep 60; echo "$@" > {tmp_path}/words')
    seen = await gpu_in_container("an/image:1", environ)
    assert "no answer" in (seen.problem or "")
    typed = (tmp_path / "words").read_text()
    assert typed == f"rm --force sparkwell-preflight-{os.getpid()}\n"


async def test_a_container_without_a_gpu(tmp_path: Path) -> None:
    environ = fake(tmp_path, "echo 'could not select device driver' >&2; exit 125")
    assert (await gpu_in_container("a", environ)).problem == "could not select device driver"


# ── the real one ────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """A tiny image that is made here."""
    name = f"h-d-preflight:{uuid.uuid4().hex[:8]}"
    command = ["docker", "import", "-", name]
    made = subprocess.run(command, input=b"\0" * 1024, capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"docker does not answer: {made.stderr.decode()}")
    yield name
    subprocess.run(["docker", "rmi", name], capture_output=True, check=True)


@REAL
async def test_the_real_docker_answers(image: str) -> None:
    found = await look_at_docker(ENVIRON)
    assert found.trouble is None
    assert found.server_version
    assert found.root_folder
    assert "runc" in found.runtimes
    assert await running_containers(ENVIRON) is not None
    here = await look_at_image(Image(image), ENVIRON)
    assert here.present
    assert here.architecture in ("amd64", "arm64")


@REAL
async def test_the_real_docker_without_the_image(image: str) -> None:
    assert (await look_at_image(Image(f"{image}-not"), ENVIRON)).present is False


@REAL
async def test_the_real_client_without_a_daemon() -> None:
    found = await look_at_docker({**ENVIRON, "DOCKER_HOST": "unix:///nowhere"})
    assert found.trouble == "unreachable"
    assert found.host == "unix:///nowhere"
    assert "unix:///nowhere" in (found.said or "")
    gone = await look_at_image(Image("a"), {**ENVIRON, "DOCKER_HOST": "unix:///nowhere"})
    assert gone.present is None


@REAL
async def test_the_real_docker_without_a_gpu(image: str) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("there is a GPU here")
    seen = await gpu_in_container(image, ENVIRON)
    assert seen.gpus == ()
    assert seen.problem


AS_NOBODY = """
import asyncio, json, os, sys
from sparkwell.doctor.docker import look_at_docker
os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = asyncio.run(look_at_docker(dict(os.environ)))
print(json.dumps([found.trouble, found.said]))
"""


@REAL
def test_the_real_docker_and_a_user_who_may_not(image: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    command = [sys.executable, "-c", AS_NOBODY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    trouble, said = json.loads(done.stdout)
    assert trouble == "denied"
    assert "permission denied" in said
