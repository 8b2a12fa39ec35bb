"""Several gateway processes on one port: the same service, whoever of them dies or ends."""

import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

import psutil
import pytest

from tests.acceptance.conftest import Home, end, wait_for
from tests.certificates import make_certificate

MODEL = "demo-qwen3"
CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture
def two(home: Home) -> Home:
    """A home whose gateway is two processes."""
    home.configure({"gateway": {"workers": 2, "drain_s": 5.0}})
    return home


def workers(home: Home) -> list[psutil.Process]:
    return [each for each in home.processes() if "sparkwell.app.workers" in words_of(each)]


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def connect(home: Home) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", home.port, timeout=30)


def ask(connection: HTTPConnection, secret: str | None = None, **more: object) -> tuple[int, Any]:
    """Status and document of an answer."""
    headers = {"Content-Type": "application/json"}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    body = json.dumps({"model": MODEL, "messages": HELLO, **more})
    connection.request("POST", CHAT, body, headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def asked(home: Home, secret: str | None = None, **more: object) -> tuple[int, Any]:
    """The same on a connection of its own, which the kernel gives to either."""
    connection = connect(home)
    try:
        return ask(connection, secret, **more)
    finally:
        connection.close()


class Stream:
    """An answer that has begun, on a connection of its own; to be read to its end."""

    def __init__(self, home: Home) -> None:
        self.connection = connect(home)
        body = json.dumps({"model": MODEL, "messages": HELLO, "stream": True})
        self.connection.request("POST", CHAT, body, {"Content-Type": "application/json"})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200
        self.answer.readline()

    def end(self) -> str:
        """Whether it was whole or cut."""
        try:
            return "whole" if self.answer.read().rstrip().endswith(b"[DONE]") else "cut"
        except (HTTPException, OSError, ValueError):
            return "cut"
        finally:
            self.answer.close()
            self.connection.close()


def server_of(home: Home, client_port: int) -> int:
    """The process that has the other end of a connection."""
    for each in workers(home):
        for found in each.net_connections("tcp"):
            if found.raddr and found.raddr.port == client_port and found.status == "ESTABLISHED":
                return each.pid
    raise AssertionError("nobody serves it")


def requests_running(home: Home) -> int:
    return int(home.json("status")["requests_running"])


def used(home: Home) -> Counter[str]:
    """What `sparkwell usage` tells of all requests together."""
    rows: list[dict[str, Any]] = home.json("usage")["usage"]
    counts = ("requests", "errors", "uncounted")
    return Counter({name: sum(row[name] for row in rows) for name in counts})


def test_two_processes_share_the_port_and_the_daemon_does_not_listen(two: Home) -> None:
    daemon = two.serve()
    two.ok("up", MODEL)
    connections = [connect(two) for _ in range(24)]
    try:
        assert {ask(each)[0] for each in connections} == {200}
        ports = [each.sock.getsockname()[1] for each in connections]
        shares = Counter(server_of(two, port) for port in ports)
    finally:
        for each in connections:
            each.close()
    assert sorted(shares) == sorted(each.pid for each in workers(two))
    assert len(shares) == 2
    listening = psutil.Process(daemon.pid).net_connections("tcp")
    assert [each for each in listening if each.status == "LISTEN"] == []
    mode = (two.paths.state / "gateway.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert requests_running(two) == 0


def test_keys_limits_and_usage_are_one_for_all(two: Home) -> None:
    two.serve()
    two.ok("up", MODEL)
    assert asked(two)[0] == 200
    secret = two.ok("keys", "add", "bob", "--rpm", "6").strip()
    assert {asked(two)[0] for _ in range(8)} == {401}  # each of them knows at once
    answers = [asked(two, secret) for _ in range(8)]
    assert [status for status, _ in answers] == [200] * 6 + [429] * 2
    assert answers[-1][1]["error"]["code"] == "rate_limit_exceeded"
    rows = two.json("usage", "--key", "bob")["usage"]
    assert [(row["requests"], row["errors"]) for row in rows] == [(6, 0)]
    two.ok("keys", "revoke", "bob")
    refused = [asked(two, secret) for _ in range(8)]
    assert {status for status, _ in refused} == {401}
    assert {"was revoked" in said["error"]["message"] for _, said in refused} == {True}


def test_a_request_starts_its_model_and_errors_are_as_ever(two: Home) -> None:
    two.serve()
    status, said = asked(two)
    assert (status, said["choices"][0]["message"]["role"]) == (200, "assistant")
    status, said = asked(two, model="demo-qwen4")
    assert (status, said["error"]["code"], said["error"]["param"]) == (
        404,
        "model_not_found",
        "model",
    )
    assert "Did you mean demo-qwen3" in said["error"]["message"]
    assert asked(two, model="default")[1]["model"] == MODEL
    connection = connect(two)
    connection.request("GET", "/v1/models")
    listed = json.loads(connection.getresponse().read())
    connection.close()
    assert MODEL in [each["id"] for each in listed["data"]]


def test_a_worker_that_is_killed_leaves_nothing_behind(
    two: Home, script: Callable[..., None]
) -> None:
    script(tokens_per_s=10, reply_tokens=200)
    two.serve()
    two.ok("up", MODEL)
    answers = [Stream(two) for _ in range(8)]
    wait_for(lambda: requests_running(two) == 8)
    before = workers(two)
    before[0].kill()
    ends = [each.end() for each in answers]
    assert set(ends) <= {"whole", "cut"}
    wait_for(lambda: requests_running(two) == 0)
    wait_for(lambda: used(two)["requests"] == 8)
    assert used(two)["errors"] == ends.count("cut")
    assert used(two)["uncounted"] >= ends.count("cut")  # a stream without a key may not tell either
    wait_for(lambda: len(workers(two)) == 2)
    assert before[0].pid not in [each.pid for each in workers(two)]
    assert asked(two, max_tokens=1)[0] == 200


def test_sigterm_lets_answers_end(two: Home, script: Callable[..., None]) -> None:
    script(tokens_per_s=20, reply_tokens=40)
    daemon = two.serve()
    two.ok("up", MODEL)
    answers = [Stream(two) for _ in range(4)]
    ends: list[str] = []
    readers = [threading.Thread(target=lambda a=a: ends.append(a.end())) for a in answers]
    for each in readers:
        each.start()
    assert end(daemon, signal.SIGTERM) == 0
    for each in readers:
        each.join(30)
    assert ends == ["whole"] * 4
    assert workers(two) == []


def test_sigterm_does_not_wait_longer_than_it_was_told(
    two: Home, script: Callable[..., None]
) -> None:
    script(tokens_per_s=1, reply_tokens=200)
    two.configure({"gateway": {"workers": 2, "drain_s": 0.5}})
    daemon = two.serve()
    two.ok("up", MODEL)
    answer = Stream(two)
    began = time.monotonic()
    assert end(daemon, signal.SIGTERM) == 0
    assert time.monotonic() - began < 5
    assert answer.end() == "cut"
    assert workers(two) == []


def test_ctrl_c_twice_leaves_no_process(two: Home, script: Callable[..., None]) -> None:
    script(tokens_per_s=1, reply_tokens=200, ignore_sigterm=True)
    daemon = two.serve()
    two.ok("up", MODEL)
    answer = Stream(two)
    # As a terminal does it: the whole process group gets it.
    os.killpg(daemon.pid, signal.SIGINT)
    time.sleep(0.5)
    os.killpg(daemon.pid, signal.SIGINT)
    daemon.wait(30)
    assert workers(two) == []
    assert answer.end() == "cut"


def test_without_the_daemon_answers_end_and_nothing_new_begins(
    two: Home, script: Callable[..., None]
) -> None:
    script(tokens_per_s=20, reply_tokens=60)
    daemon = two.serve()
    two.ok("up", MODEL)
    answer = Stream(two)
    daemon.kill()
    daemon.wait(10)
    wait_for(lambda: not accepts(two))
    assert answer.end() == "whole"
    wait_for(lambda: workers(two) == [])
    assert two.serve().poll() is None  # the port is free for the next one
    assert asked(two, max_tokens=1)[0] == 200


def accepts(home: Home) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", home.port)) == 0


def test_a_port_that_somebody_has_is_refused(two: Home) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", two.port))
        other.listen()
        done: subprocess.CompletedProcess[str] = two.run("serve")
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{two.port}" in done.stderr
    assert workers(two) == []


def test_of_certificates_and_wrong_keys_is_spoken_once(two: Home) -> None:
    certificate, key = make_certificate(two.root, "first", days=10)
    files = {"certificate": str(certificate), "key": str(key)}
    two.configure({"gateway": {"workers": 2, "tls": files}})
    two.ok("keys", "add", "bob")
    two.serve()
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    for _ in range(12):
        connection = HTTPSConnection("127.0.0.1", two.port, timeout=30, context=trusting)
        assert ask(connection, "sk-sw-wrong")[0] == 401
        connection.close()
    log = two.root / "serve.log"
    wait_for(lambda: "not valid, from 127.0.0.1" in log.read_text())
    for new, there in zip(make_certificate(two.root, "other"), (certificate, key), strict=True):
        shutil.copy(new, there)
    wait_for(lambda: "is in use from now on" in log.read_text(), 15)
    time.sleep(0.5)
    said = log.read_text()
    for words in ("valid until", "is in use from now on", "key that is not valid"):
        assert said.count(words) == 1, words


def test_the_access_log_is_one(two: Home) -> None:
    two.configure({"gateway": {"workers": 2, "access_log": "json"}})
    two.serve()
    two.ok("up", MODEL)
    for _ in range(12):
        asked(two, max_tokens=1)

    def logged() -> list[str]:
        return [each for each in (two.root / "serve.log").read_text().splitlines() if CHAT in each]

    wait_for(lambda: len(logged()) >= 12)  # a line is written when its answer has gone
    lines = [json.loads(line[line.index("{") :]) for line in logged()]
    assert [(line["status"], line["model"], line["key"]) for line in lines] == [
        (200, MODEL, None)
    ] * 12
