"""Whether containers can be started here."""

from collections.abc import Iterator

from sparkwell.checks.check import Check
from sparkwell.checks.docker_parts import Docker
from sparkwell.checks.say import major, ok
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

UNREACHABLE, COMPOSE, INIT = "docker-unreachable", "compose-missing", "docker-init-missing"
_TITLES = {
    "missing": "Docker is not installed",
    "denied": "This user may not talk to Docker",
    "unreachable": "Docker does not answer: its daemon is not there",
    "no answer": "Docker does not answer in time",
}
_JOIN = Remedy(
    "Join the group docker, then log in again. Its members can become root on this host.",
    'sudo usermod -aG docker "$USER" && newgrp docker',
)
_REMEDIES = {
    "missing": Remedy(
        "Install Docker and its Compose plugin (Ubuntu; on Debian the plugin is docker-compose).",
        "sudo apt-get install -y docker.io docker-compose-v2",
    ),
    "denied": _JOIN,
    "unreachable": Remedy("Start the daemon.", "sudo systemctl start docker"),
    "no answer": Remedy("See what it is doing.", "systemctl status docker"),
}


def _containers(snapshot: Snapshot) -> Docker | None:
    """Docker, where the start needs it and something is known of it."""
    wanted = snapshot.request is not None and snapshot.request.driver == "compose"
    return snapshot.docker if wanted else None


def answering(snapshot: Snapshot) -> Docker | None:
    """Docker, where the start needs it and it answers."""
    docker = _containers(snapshot)
    return docker if docker and docker.trouble is None else None


def docker_unreachable(snapshot: Snapshot) -> Iterator[Finding]:
    """Docker is there, this user may use it, and it answers."""
    docker = _containers(snapshot)
    if docker is None:
        return
    if docker.trouble is None:
        yield ok(UNREACHABLE, f"Docker {docker.server_version or ''} answers".replace("  ", " "))
        return
    remedy = _REMEDIES[docker.trouble]
    if docker.host and docker.trouble != "missing":
        remedy = Remedy(
            f"DOCKER_HOST is {docker.host}: correct it, or go back to this host's own daemon.",
            "unset DOCKER_HOST",
        )
    yield Finding(
        UNREACHABLE,
        Severity.ERROR,
        _TITLES[docker.trouble],
        evidence=(docker.said,) if docker.said else (),
        remedies=(remedy,),
    )


def compose_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """Compose v2 is there; the old docker-compose (v1) does not count."""
    docker = _containers(snapshot)
    if docker is None or docker.trouble == "missing":
        return
    version = docker.compose_version
    if version and (major(version) or 0) >= 2:
        yield ok(COMPOSE, f"Docker Compose {version}")
        return
    old = (f"found version {version}",) if version else ()
    yield Finding(
        COMPOSE,
        Severity.ERROR,
        "Docker has no Compose plugin of version 2 or newer",
        evidence=old,
        remedies=(
            Remedy(
                "Install it (Ubuntu's package; Debian's is docker-compose, Docker's own "
                "docker-compose-plugin).",
                "sudo apt-get install -y docker-compose-v2",
            ),
        ),
    )


def docker_init_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """Docker has the small init process that Sparkwell's containers ask for."""
    docker = answering(snapshot)
    if docker is None or docker.init_works is None:
        return
    if docker.init_works:
        yield ok(INIT, f"Docker has an init process ({docker.init_binary or 'docker-init'})")
        return
    yield Finding(
        INIT,
        Severity.WARNING,
        "Docker does not find its init process",
        evidence=(f"docker info says N/A for {docker.init_binary or 'docker-init'}",),
        cause="Engines start several processes; without an init the dead ones stay behind, and a "
        "container that asks for one does not start.",
        remedies=(
            Remedy(
                "Install tini where Docker looks for it.",
                "sudo apt-get install -y tini && sudo ln -s /usr/bin/tini /usr/bin/docker-init",
            ),
        ),
    )


CHECKS = (
    Check(UNREACHABLE, "Is Docker installed, may this user use it, does it answer?",
          docker_unreachable),
    Check(COMPOSE, "Has Docker the Compose plugin, version 2?", compose_missing),
    Check(INIT, "Has Docker an init process for containers?", docker_init_missing),
)  # fmt: skip
