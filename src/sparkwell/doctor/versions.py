"""The versions of what matters here, by name."""

import platform

from sparkwell.checks.snapshot import Snapshot


def versions_of(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """Those that the parts of a snapshot tell, and this process itself; the unknown left out."""
    docker, gpu, system = snapshot.docker, snapshot.gpu, snapshot.system
    known = (
        ("sparkwell", snapshot.sparkwell),
        ("python", platform.python_version()),
        ("kernel", system.kernel if system else None),
        ("nvidia driver", gpu.driver_version if gpu else None),
        ("cuda of the driver", gpu.cuda_version if gpu else None),
        ("docker", docker.server_version if docker else None),
        ("docker compose", docker.compose_version if docker else None),
    )
    return tuple((name, version) for name, version in known if version)
