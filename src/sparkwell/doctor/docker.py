"""What Docker says of itself, its containers and an image, through its command line."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sparkwell.checks.docker_parts import ContainerGpu, Docker, DockerTrouble, Image
from sparkwell.doctor.ask import Answer, ask
from sparkwell.drivers.compose.seen import HOME, MODEL

LIMIT_S = 5.0
DEEP_LIMIT_S = 30.0
HOOK = "nvidia-container-runtime-hook"
_PUBLISHED = re.compile(r":(\d+)(?:-(\d+))?->")


@dataclass(frozen=True, slots=True)
class ContainerSeen:
    """A container that runs. ``ports`` are published on the host.

    ``home`` is the folder of the Sparkwell that manages it and ``model`` what it serves; both are
    empty for one that none manages.
    """

    id: str
    name: str
    image: str
    ports: frozenset[int] = frozenset()
    home: str = ""
    model: str = ""


async def look_at_docker(environ: Mapping[str, str]) -> Docker:
    """Docker as `docker info` shows it; no trouble is raised."""
    answer = await ask(["docker", "info", "--format", "{{json .}}"], environ, LIMIT_S)
    told = _object(answer.out)
    docker = docker_of(told, hook=_has_hook(environ), host=environ.get("DOCKER_HOST") or None)
    trouble = trouble_of(answer, told)
    if trouble is None:
        return docker
    return replace(docker, trouble=trouble, said=_said(answer, told))


def trouble_of(answer: Answer, told: Mapping[str, Any]) -> DockerTrouble | None:
    """Why Docker cannot be used, by its answer; None when it can."""
    if answer.trouble:
        return answer.trouble
    if told.get("ServerVersion"):
        return None
    return "denied" if "permission denied" in _said(answer, told).lower() else "unreachable"


def docker_of(told: Mapping[str, Any], *, hook: bool = False, host: str | None = None) -> Docker:
    """The values of `docker info`; what is not there stays unknown."""
    client = told.get("ClientInfo") or {}
    plugins = {each.get("Name"): each.get("Version") for each in client.get("Plugins") or ()}
    options = told.get("SecurityOptions") or ()
    found = told.get("DiscoveredDevices") or ()
    devices = [each.get("ID") or "" for each in found]
    init = (told.get("InitCommit") or {}).get("ID")
    return Docker(
        host=host,
        client_version=client.get("Version"),
        server_version=told.get("ServerVersion") or None,
        compose_version=plugins.get("compose"),
        architecture=told.get("Architecture") or None,
        root_folder=told.get("DockerRootDir") or None,
        runtimes=tuple(sorted(told.get("Runtimes") or ())),
        gpu_devices=tuple(each for each in devices if each.startswith("nvidia.com/gpu")),
        gpu_hook=hook,
        init_binary=told.get("InitBinary") or None,
        init_works=None if init is None else init != "N/A",
        rootless=any("rootless" in option for option in options),
    )


async def look_at_image(image: Image, environ: Mapping[str, str]) -> Image:
    """The image with what Docker knows of it."""
    argv = ["docker", "image", "inspect", "--format", "{{json .}}", image.name]
    answer = await ask(argv, environ, LIMIT_S)
    told = _object(answer.out)
    if told:
        return image_of(image, told)
    absent = answer.code == 1 and "no such image" in answer.err.lower()
    return replace(image, present=False) if absent else image


def image_of(image: Image, told: Mapping[str, Any]) -> Image:
    """The values of `docker image inspect`. Of its environment only CUDA's version is read."""
    variables = ((told.get("Config") or {}).get("Env")) or ()
    cuda = next((each.partition("=")[2] for each in variables if each.startswith("CUDA_VERSION=")),
                None)  # fmt: skip
    return replace(
        image,
        present=True,
        architecture=told.get("Architecture") or image.architecture,
        digest=next(iter(told.get("RepoDigests") or ()), None),
        size_bytes=told.get("Size"),
        cuda_version=cuda or image.cuda_version,
    )


async def running_containers(environ: Mapping[str, str]) -> list[ContainerSeen] | None:
    """The containers that run; None where Docker does not say."""
    fields = ["{{.ID}}", "{{.Names}}", "{{.Image}}", "{{.Ports}}"]
    labels = [f'{{{{.Label "{name}"}}}}' for name in (HOME, MODEL)]
    shape = "\t".join([*fields, *labels])
    answer = await ask(["docker", "ps", "--no-trunc", "--format", shape], environ, LIMIT_S)
    if answer.code != 0:
        return None
    return [container_of(line) for line in answer.out.splitlines() if line.count("\t") == 5]


def container_of(line: str) -> ContainerSeen:
    """One line of `docker ps` in the format above."""
    number, name, image, ports, home, model = line.split("\t")
    return ContainerSeen(number, name, image, published(ports), home, model)


def published(text: str) -> frozenset[int]:
    """Ports of the host in "0.0.0.0:8000->8000/tcp, :::9000-9001->9000-9001/tcp"."""
    found = _PUBLISHED.findall(text)
    return frozenset(
        port for first, last in found for port in range(int(first), int(last or first) + 1)
    )


async def gpu_in_container(image: str, environ: Mapping[str, str]) -> ContainerGpu:
    """Whether a container of the image sees a GPU; nothing is pulled, nothing stays."""
    name = f"sparkwell-preflight-{os.getpid()}"
    argv = ["docker", "run", "--rm", "--name", name, "--pull", "never", "--network", "none",
            "--gpus", "all", "--entrypoint", "nvidia-smi", image, "-L"]  # fmt: skip
    try:
        answer = await ask(argv, environ, DEEP_LIMIT_S)
    except asyncio.CancelledError:
        await _remove(name, environ)
        raise
    if answer.trouble:
        await _remove(name, environ)
        return ContainerGpu(problem=f"no answer within {DEEP_LIMIT_S:.0f} s")
    gpus = tuple(line.strip() for line in answer.out.splitlines() if line.startswith("GPU "))
    if answer.code == 0 and gpus:
        return ContainerGpu(gpus)
    return ContainerGpu(problem=answer.words or f"nvidia-smi ended with exit code {answer.code}")


async def _remove(name: str, environ: Mapping[str, str]) -> None:
    await ask(["docker", "rm", "--force", name], environ, LIMIT_S)


def _has_hook(environ: Mapping[str, str]) -> bool:
    return shutil.which(HOOK, path=environ.get("PATH", os.defpath)) is not None


def _said(answer: Answer, told: Mapping[str, Any]) -> str:
    errors = told.get("ServerErrors") or ()
    return answer.words if answer.err else " ".join(map(str, errors))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
