"""What is known of the troubles with containers, whatever the host."""

from sparkwell.checks.about import About
from sparkwell.core.findings import Remedy, Severity

INSTALL = Remedy(
    "Install Docker and its Compose plugin (Ubuntu; on Debian the plugin is docker-compose).",
    "sudo apt-get install -y docker.io docker-compose-v2",
)
JOIN = Remedy(
    "Join the group docker, then log in again. Its members can become root on this host.",
    'sudo usermod -aG docker "$USER" && newgrp docker',
)
START = Remedy("Start the daemon.", "sudo systemctl start docker")
INSTALL_COMPOSE = Remedy(
    "Install it (Ubuntu's package; Debian's is docker-compose, Docker's own "
    "docker-compose-plugin).",
    "sudo apt-get install -y docker-compose-v2",
)
INSTALL_INIT = Remedy(
    "Install tini where Docker looks for it.",
    "sudo apt-get install -y tini && sudo ln -s /usr/bin/tini /usr/bin/docker-init",
)
TOOLKIT = Remedy(
    "Install NVIDIA's container toolkit and register its runtime; running containers end.",
    "sudo apt-get install -y nvidia-container-toolkit && sudo nvidia-ctk runtime configure "
    "--runtime=docker && sudo systemctl restart docker",
)
ON_THE_HOST = Remedy("See whether the host itself does.", "nvidia-smi -L")

UNREACHABLE = About(
    id="docker-unreachable",
    title="Containers cannot be started: Docker is missing, refuses, or does not answer",
    severity=Severity.ERROR,
    symptoms=(
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock",
        "permission denied while trying to connect to the Docker daemon socket",
    ),
    cause="Docker is not installed, its daemon does not run, this user is not in its group, or "
    "DOCKER_HOST names another machine.",
    remedies=(INSTALL, START, JOIN),
    reference="Docker's post-installation steps for Linux; tried with Docker 20.10",
)
COMPOSE = About(
    id="compose-missing",
    title="Docker has no Compose plugin of version 2 or newer",
    severity=Severity.ERROR,
    symptoms=("docker: 'compose' is not a docker command.",),
    cause="The plugin is a package of its own; the old docker-compose (v1) does not count.",
    remedies=(INSTALL_COMPOSE,),
    reference="Compose 2.26; packages of Debian 13 and Ubuntu 24.04",
)
INIT = About(
    id="docker-init-missing",
    title="Docker does not find its init process",
    severity=Severity.WARNING,
    symptoms=("exec: docker-init: executable file not found in $PATH",),
    cause="Engines start several processes; without an init the dead ones stay behind, and a "
    "container that asks for one does not start.",
    remedies=(INSTALL_INIT,),
    reference="docker info, InitBinary; seen with Debian's docker.io 20.10",
)
WITHOUT_GPU = About(
    id="docker-without-gpu",
    title="Docker has no NVIDIA runtime: containers would not see the GPU",
    severity=Severity.ERROR,
    symptoms=(
        'could not select device driver "" with capabilities: [[gpu]]',
        "unknown or invalid runtime name: nvidia",
    ),
    cause="Docker hands out a GPU only through NVIDIA's runtime, its hook, or CDI; none of them is "
    "registered.",
    remedies=(TOOLKIT,),
    reference="NVIDIA's container toolkit: nvidia-ctk runtime configure",
)
NOT_SEEN = About(
    id="gpu-not-in-container",
    title="A container does not see the GPU",
    severity=Severity.ERROR,
    symptoms=("Failed to initialize NVML", "No CUDA GPUs are available"),
    cause="The runtime is there, and yet a container of the image finds no GPU: driver and toolkit "
    "do not go together, or the host does not see it either.",
    remedies=(TOOLKIT, ON_THE_HOST),
    reference="docker run --rm --gpus all IMAGE nvidia-smi -L",
)
