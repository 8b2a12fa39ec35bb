"""Ports that somebody else has."""

from dataclasses import replace

import pytest
from tests.unit.checks.diagnosis.ask import asked, of_log

from sparkwell.checks.diagnosis.downloads.port_in_use import CHECK
from sparkwell.checks.host_parts import Port

VERSION = (
    "(APIServer pid=1) INFO 11-03 09:14:04 [api_server.py:1755] vLLM API server version 0.10.2\n"
)
ARGS = "INFO 11-03 09:14:05 [u.py:1] non-default args: {'model': 'a', 'port': 8010}\n"
BARE = "OSError: [Errno 98] Address already in use"


@pytest.mark.parametrize(
    ("log", "title"),
    [
        ("ERROR: [Errno 98] error while attempting to bind on address ('0.0.0.0', 8011): address",
         "Port 8011 is held"),
        ("Error: listen tcp 127.0.0.1:11434: bind: address already in use", "Port 11434 is held"),
        ("Bind for 0.0.0.0:8000 failed: port is already allocated", "Port 8000 is held"),
        (VERSION + ARGS + BARE, "Port 8010 is held"),
        (VERSION + BARE, "Port 8000 is held"),
        (BARE, "The port is held"),
    ],
)  # fmt: skip
def test_the_port_is_found(log: str, title: str) -> None:
    [finding] = asked(CHECK, log)
    assert finding.title.startswith(title)


def test_who_has_it_is_said_and_how_that_ends() -> None:
    held = Port("0.0.0.0", 8000, "in use", "vllm", 4711, "vllm-old")
    snapshot = replace(of_log(VERSION + BARE), ports=(held,))
    [finding] = CHECK.look(snapshot)
    assert finding.title == "Port 8000 is held by the container vllm-old"
    assert [each.command for each in finding.remedies] == [
        "docker stop vllm-old",
        "sparkwell up MODEL --port 8001",
    ]


def test_a_second_ollama_is_not_sent_to_another_port_of_ours() -> None:
    [finding] = asked(CHECK, "Error: listen tcp 127.0.0.1:11434: bind: address already in use")
    assert [each.command for each in finding.remedies] == [
        "sudo ss -ltnp 'sport = :11434'",
        "systemctl status ollama",
    ]


def test_a_port_that_was_listened_on_is_well() -> None:
    assert (
        asked(CHECK, "INFO 11-03 [a.py:1] Starting vLLM API server 0 on http://0.0.0.0:8000") == []
    )


def test_another_port_does_not_help_the_engines_own_processes() -> None:
    line = (
        "(Worker_TP0 pid=9) RuntimeError: The server socket has failed to listen on any local "
        "network address. port: 29500, useIpv6: false, code: -98, name: EADDRINUSE"
    )
    [finding] = asked(CHECK, line)
    assert not any("--port" in (each.command or "") for each in finding.remedies)
