"""Ports of this machine for containers: the same one for an instance, whoever asks."""

import hashlib
import socket
from collections.abc import Callable, Container

from sparkwell.core.errors import EnvironmentFault

COUNT = 1000


def choose(instance: str, first: int, taken: Container[int], is_free: Callable[[int], bool]) -> int:
    """Choose a port from ``first`` on for an instance: by its id, then the next that is free.

    Raises EnvironmentFault when all are taken.
    """
    guess = int.from_bytes(hashlib.sha256(instance.encode()).digest()[:4]) % COUNT
    for step in range(COUNT):
        port = first + (guess + step) % COUNT
        if port not in taken and is_free(port):
            return port
    raise EnvironmentFault(
        f"None of the ports {first} to {first + COUNT - 1} is free on 127.0.0.1.",
        hint="End what holds them (`ss -ltnp`), or set containers.first_port.",
    )


def is_free(port: int) -> bool:
    """Whether the port can be bound on the loopback address now."""
    with socket.socket() as probe:
        # As Docker's proxy does it: connections that are winding up are not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
