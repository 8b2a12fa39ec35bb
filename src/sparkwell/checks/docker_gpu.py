"""Whether containers see the GPU."""

from collections.abc import Iterator

from sparkwell.checks import docker_about as known
from sparkwell.checks.check import Check
from sparkwell.checks.docker import answering
from sparkwell.checks.docker_parts import Docker
from sparkwell.checks.say import ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

WITHOUT_GPU, NOT_SEEN = "docker-without-gpu", "gpu-not-in-container"


def docker_without_gpu(snapshot: Snapshot) -> Iterator[Finding]:
    """Docker can hand NVIDIA's GPU to a container: by a runtime, a hook or CDI."""
    docker = answering(snapshot)
    if docker is None or not _wants_gpu(snapshot):
        return
    how = _how(docker)
    seen = snapshot.container_gpu and snapshot.container_gpu.gpus
    if how or seen:
        yield ok(WITHOUT_GPU, "Docker can hand the GPU to a container", *how)
        return
    yield Finding(
        WITHOUT_GPU,
        Severity.ERROR,
        known.WITHOUT_GPU.title,
        evidence=(f"runtimes: {', '.join(docker.runtimes) or 'none'}",),
        remedies=(_toolkit(docker),),
    )


def gpu_not_in_container(snapshot: Snapshot) -> Iterator[Finding]:
    """A throw-away container of the model's image sees the GPU."""
    seen = snapshot.container_gpu
    docker = answering(snapshot)
    if seen is None or docker is None or not _wants_gpu(snapshot):
        return
    if seen.gpus:
        yield ok(NOT_SEEN, "A container sees the GPU", *seen.gpus)
        return
    yield Finding(
        NOT_SEEN,
        Severity.ERROR,
        known.NOT_SEEN.title,
        evidence=(seen.problem,) if seen.problem else (),
        remedies=(
            _toolkit(docker),
            known.ON_THE_HOST,
        ),
    )


def _wants_gpu(snapshot: Snapshot) -> bool:
    request, machine = snapshot.request, snapshot.machine
    on_gpu = request is not None and request.device == "cuda"
    return on_gpu and machine is not None and machine.device == "cuda"


def _how(docker: Docker) -> tuple[str, ...]:
    ways = {
        "runtime nvidia": "nvidia" in docker.runtimes,
        "nvidia-container-runtime-hook": docker.gpu_hook,
        f"CDI: {', '.join(docker.gpu_devices)}": bool(docker.gpu_devices),
    }
    return tuple(name for name, there in ways.items() if there)


def _toolkit(docker: Docker) -> Remedy:
    """A rootless daemon has its settings in the user's home, and may not set up cgroups."""
    if docker.rootless:
        return Remedy(
            f"{known.TOOLKIT.text} Docker is rootless: its settings are the user's.",
            "sudo apt-get install -y nvidia-container-toolkit && nvidia-ctk runtime configure "
            "--runtime=docker "
            '--config="$HOME/.config/docker/daemon.json" && sudo nvidia-ctk config --set '
            "nvidia-container-cli.no-cgroups --in-place && systemctl --user restart docker",
        )
    return known.TOOLKIT


CHECKS = (
    Check(WITHOUT_GPU, "Can Docker hand the GPU to containers?", docker_without_gpu,
          known.WITHOUT_GPU),
    Check(NOT_SEEN, "Does a throw-away container of the image see the GPU?", gpu_not_in_container,
          known.NOT_SEEN),
)  # fmt: skip
