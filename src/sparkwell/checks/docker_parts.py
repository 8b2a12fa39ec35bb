"""Parts of a snapshot: the container engine, the image, the GPU in a container."""

from dataclasses import dataclass
from typing import Literal

DockerTrouble = Literal["missing", "denied", "unreachable", "no answer"]


@dataclass(frozen=True, slots=True)
class Docker:
    """The container engine. ``trouble`` is why it cannot be used, None when it answers.

    ``said`` are its own words then, ``host`` is DOCKER_HOST where that is set. ``runtimes`` are
    the registered ones, ``gpu_devices`` the NVIDIA devices that it found by CDI, ``gpu_hook``
    whether NVIDIA's hook for ``--gpus`` is on the host. ``init_works`` None is not known.
    """

    trouble: DockerTrouble | None = None
    said: str | None = None
    host: str | None = None
    client_version: str | None = None
    server_version: str | None = None
    compose_version: str | None = None
    architecture: str | None = None
    root_folder: str | None = None
    runtimes: tuple[str, ...] = ()
    gpu_devices: tuple[str, ...] = ()
    gpu_hook: bool = False
    init_binary: str | None = None
    init_works: bool | None = None
    rootless: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """The container image. ``present`` None means that Docker could not be asked.

    ``architecture`` is Go's name ("arm64"), ``digest`` the registry's, None for an image that
    was made here. ``cuda_version`` is what the image has inside, by its own word or as known.
    ``pullable`` None: nobody asked the registry. ``refusal`` says why this image cannot work on
    this machine, ``instead`` which one can, ``doubts`` what is not known of it.
    """

    name: str
    present: bool | None = None
    architecture: str | None = None
    digest: str | None = None
    size_bytes: int | None = None
    cuda_version: str | None = None
    pullable: bool | None = None
    refusal: str | None = None
    instead: str | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerGpu:
    """What a throw-away container saw: the GPUs' lines of ``nvidia-smi -L``, or ``problem``."""

    gpus: tuple[str, ...] = ()
    problem: str | None = None
