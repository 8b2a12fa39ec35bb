"""The checks before a start, in the order in which a start would stumble."""

from sparkwell.checks import (
    docker,
    docker_gpu,
    engines,
    environment,
    folders,
    gpu,
    hub,
    image,
    memory,
    port,
    weights,
)
from sparkwell.checks.check import NOT_LOOKED_AT, Check, run
from sparkwell.checks.say import info
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding


def not_looked_at(snapshot: Snapshot) -> list[Finding]:
    """Everything that should be looked at could be."""
    lines = [f"{gap.part}: {gap.why}" for gap in snapshot.gaps]
    return [info(NOT_LOOKED_AT, "Some things could not be looked at", *lines)] if lines else []


CHECKS: tuple[Check, ...] = (
    *environment.CHECKS,
    *gpu.CHECKS,
    *docker.CHECKS,
    *docker_gpu.CHECKS,
    *image.CHECKS,
    *port.CHECKS,
    *weights.CHECKS,
    *hub.CHECKS,
    *folders.CHECKS,
    *memory.CHECKS,
    *engines.CHECKS,
    Check(NOT_LOOKED_AT, "Could everything be looked at?", not_looked_at),
)


def preflight(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Everything that can be said before a start; good news too."""
    return run(CHECKS, snapshot)
