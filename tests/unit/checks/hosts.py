"""A host on which all is well, to be changed in one thing at a time."""

from dataclasses import replace
from typing import Any

from sparkwell.checks.docker_parts import ContainerGpu, Docker, Image
from sparkwell.checks.host_parts import Engine, Folder, Port, System
from sparkwell.checks.model_parts import Environment, PlanSummary, Repo, Request, Token, Weights
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.units import GB, GIB
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.facts import GpuFacts, MemoryFacts, NvmlFacts

IMAGE = "nvcr.io/nvidia/vllm:25.09-py3"
SPARK = find_machine("dgx-spark")
H100 = find_machine("h100-80gb")

DOCKER = Docker(
    client_version="28.2.2",
    server_version="28.2.2",
    compose_version="2.36.0",
    architecture="aarch64",
    root_folder="/var/lib/docker",
    runtimes=("nvidia", "runc"),
    init_binary="docker-init",
    init_works=True,
)
PLAN = PlanSummary(
    fits=True,
    basis="modelled",
    total_bytes=120 * GIB,
    held_bytes=90 * GIB,
    low_point_bytes=24 * GIB,
    floor_bytes=8 * GIB,
    startup_bytes=96 * GIB,
)


def memory(available: float, free: float | None = None) -> System:
    """A host with so many GiB available, and free without the page cache."""
    facts = MemoryFacts(
        total_bytes=120 * GIB,
        available_bytes=round(available * GIB),
        free_bytes=round((available if free is None else free) * GIB),
    )
    return System(facts, "6.11.0-nvidia", "aarch64")


def gpu(driver: str = "580.95.05", cuda: str = "13.0") -> NvmlFacts:
    """A GB10, which tells no memory."""
    return NvmlFacts(driver, cuda, (GpuFacts("NVIDIA GB10", (12, 1)),))


GOOD = Snapshot(
    taken_at=1_795_000_000.0,
    sparkwell="0.1.0",
    request=Request("qwen3-32b-fp8", "compose", "cuda", "vllm", engine_version="0.10.1.1"),
    system=memory(112),
    machine=SPARK,
    gpu=gpu(),
    docker=DOCKER,
    image=Image(IMAGE, True, "arm64", "nvcr.io/nvidia/vllm@sha256:1", 20 * GB, "13.0.1"),
    container_gpu=ContainerGpu(("GPU 0: NVIDIA GB10 (UUID: GPU-1)",)),
    ports=(Port("127.0.0.1", 8000),),
    token=Token(present=False),
    repo=Repo("Qwen/Qwen3-32B-FP8", gated=False, licence="Apache-2.0"),
    weights=Weights("/opt/hf/hub/models--Qwen--Qwen3-32B-FP8/snapshots/1", 34 * GB, 0),
    folders=(
        Folder("cache", "/opt/hf", True, True, 900 * GB, "ext4"),
        Folder("state", "/home/user/.local/state/sparkwell", True, True, 900 * GB, "ext4"),
        Folder("images", "/var/lib/docker", True, False, 900 * GB, "ext4"),
    ),
    engines=(Engine("vllm", ours=True, pid=812, model="qwen3-8b-fp8", memory_bytes=0),),
    environment=Environment("vllm", "0.25.0"),
    plan=PLAN,
)
MISSING = Weights(None, 34 * GB, 34 * GB)


def but(part: str, **changes: Any) -> Snapshot:
    """The good host with some fields of one part changed."""
    return replace(GOOD, **{part: replace(getattr(GOOD, part), **changes)})


def as_process(snapshot: Snapshot = GOOD) -> Snapshot:
    """The same start without a container."""
    assert snapshot.request
    return replace(snapshot, request=replace(snapshot.request, driver="process"))


def folder(role: str, **changes: Any) -> Snapshot:
    """The good host, weights still to come, with one folder changed."""
    assert GOOD.folders
    folders = tuple(
        replace(each, **changes) if each.role == role else each for each in GOOD.folders
    )
    return replace(GOOD, folders=folders, weights=MISSING)
