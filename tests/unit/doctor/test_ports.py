"""Ports: free, held by a process, published by a container, not allowed."""

import os
import socket
import subprocess
import sys

from sparkwell.checks.host_parts import Port
from sparkwell.doctor.docker import ContainerSeen
from sparkwell.doctor.ports import Holder, holder, look_at_port, with_containers

LISTEN = """
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True); time.sleep(60)
"""


def test_a_free_port_stays_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    for _ in range(2):
        assert look_at_port("127.0.0.1", number) == Port("127.0.0.1", number)


def test_nobody_holds_a_free_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert holder(probe.getsockname()[1]) == Holder()


def test_another_process_is_named() -> None:
    command = [sys.executable, "-c", LISTEN]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        number = int(process.stdout.readline())
        found = look_at_port("127.0.0.1", number)
        process.kill()
    assert found.problem == "it is in use"
    assert found.pid == process.pid
    assert (found.holder or "").startswith("python")
    assert not found.ours


def test_our_own_daemon_is_told() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        found = look_at_port("127.0.0.1", listening.getsockname()[1], daemon_pid=os.getpid())
    assert found.ours


def test_an_address_that_this_host_has_not() -> None:
    assert "assign" in (look_at_port("192.0.2.1", 8000).problem or "")


def test_ipv6() -> None:
    assert look_at_port("::", 0).problem is None


def test_a_container_is_named_instead_of_dockers_proxy() -> None:
    port = Port("0.0.0.0", 8000, "it is in use", "docker-proxy", 5)
    web = ContainerSeen("f00", "web", "nginx", frozenset({8000}))
    assert with_containers(port, [web]).container == "web"
    assert with_containers(port, []).container is None


def test_a_container_can_publish_without_a_listener() -> None:
    web = ContainerSeen("f00", "web", "nginx", frozenset({8000}))
    assert with_containers(Port("0.0.0.0", 8000), [web]).problem == "published by a container"


def test_a_container_on_the_hosts_network() -> None:
    inside = "ab" * 32
    port = Port("0.0.0.0", 8000, "it is in use", "python3", 5, container=inside)
    assert with_containers(port, [ContainerSeen(inside, "vllm", "i")]).container == "vllm"
    assert with_containers(port, []).container == inside[:12]
