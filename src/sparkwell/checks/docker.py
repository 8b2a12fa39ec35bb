"""Whether containers can be started here."""

from collections.abc import Iterator

from sparkwell.checks import docker_about as known
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
_REMEDIES = {
    "missing": known.INSTALL,
    "denied": known.JOIN,
    "unreachable": known.START,
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
    yield known.COMPOSE.finding(*([f"found version {version}"] if version else []))


def docker_init_missing(snapshot: Snapshot) -> Iterator[Finding]:
    """Docker has the small init process that Sparkwell's containers ask for."""
    docker = answering(snapshot)
    if docker is None or docker.init_works is None:
        return
    if docker.init_works:
        yield ok(INIT, f"Docker has an init process ({docker.init_binary or 'docker-init'})")
        return
    yield known.INIT.finding(f"docker info says N/A for {docker.init_binary or 'docker-init'}")


CHECKS = (
    Check(UNREACHABLE, "Is Docker installed, may this user use it, does it answer?",
          docker_unreachable, known.UNREACHABLE),
    Check(COMPOSE, "Has Docker the Compose plugin, version 2?", compose_missing, known.COMPOSE),
    Check(INIT, "Has Docker an init process for containers?", docker_init_missing, known.INIT),
)  # fmt: skip
