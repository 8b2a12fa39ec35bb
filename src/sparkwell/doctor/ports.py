"""Who listens on a port of this host."""

import errno
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import psutil

from sparkwell.checks.host_parts import Port
from sparkwell.doctor.docker import ContainerSeen
from sparkwell.doctor.processes import container_id


class Holder(NamedTuple):
    """A process that listens; both None where the system does not tell this user."""

    name: str | None = None
    pid: int | None = None


def look_at_port(address: str, port: int, daemon_pid: int | None = None) -> Port:
    """Whether the port can be listened on, and who does.

    It is bound for a moment, without listening: nobody can connect to it.
    """
    problem = _try_to_bind(address, port)
    found = Port(address, port, problem)
    if problem is None:
        return found
    who = holder(port)
    ours = who.pid is not None and who.pid == daemon_pid
    inside = container_id(who.pid) if who.pid else None
    return replace(found, holder=who.name, pid=who.pid, ours=ours, container=inside)


def with_containers(port: Port, containers: Iterable[ContainerSeen]) -> Port:
    """The port with the container that publishes it, by name: else it is Docker's own proxy."""
    for container in containers:
        if port.port in container.ports:
            problem = port.problem or "published by a container"
            return replace(port, problem=problem, container=container.name)
        if container.id == port.container:
            return replace(port, container=container.name)
    return replace(port, container=port.container[:12]) if port.container else port


def holder(port: int) -> Holder:
    """The process that listens on a TCP port."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr:
                continue
            if connection.laddr.port == port and connection.pid:
                return Holder(psutil.Process(connection.pid).name(), connection.pid)
    return Holder()


def _try_to_bind(address: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        return "it is in use" if in_use else error.strerror or str(error)
    return None
