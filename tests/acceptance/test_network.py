"""The port opened to others: addresses, keys, TLS, and the proxies of docs/network.md."""

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from tests.acceptance.conftest import Home, end, free_port, wait_for
from tests.certificates import make_certificate
from tests.contract.kinds import need_docker
from tests.docs.documents import DOCS, read

NAME = "llm.example"
CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "hello there"}]
BODY = {"model": "demo-qwen3", "messages": MESSAGES, "max_tokens": 2}
STREAM = {"model": "demo-qwen3", "messages": MESSAGES, "stream": True}
CADDY = """{
    admin off
    auto_https off
}
"""
NGINX = """daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
"""


# ── asking ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> object:
        return json.loads(self.body)["error"]["code"]


@dataclass(frozen=True)
class Place:
    """Where to ask: an address, in clear or not, and the Host that is sent."""

    port: int
    address: str = "127.0.0.1"
    tls: bool = False
    host: str | None = None

    def connect(self) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(self.address, self.port, timeout=30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(self.address, self.port, timeout=30, context=context)

    def headers(self, key: str | None, more: Mapping[str, str]) -> dict[str, str]:
        host = {"Host": self.host} if self.host else {}
        return host | ({"Authorization": f"Bearer {key}"} if key else {}) | dict(more)

    def get(self, path: str, key: str | None = None, **more: str) -> Answer:
        return self._ask("GET", path, None, self.headers(key, more))

    def post(self, path: str, body: object, key: str | None = None, **more: str) -> Answer:
        headers = {"Content-Type": "application/json", **self.headers(key, more)}
        return self._ask("POST", path, json.dumps(body).encode(), headers)

    def chat(self, key: str | None = None) -> Answer:
        return self.post(CHAT, BODY, key)

    def post_form(self, path: str, origin: str) -> Answer:
        """A form of a page of that origin, as a browser sends it."""
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
        return self._ask("POST", path, b"key=wrong", self.headers(None, form))

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        with closing(self.connect()) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())

    def events_at(self, key: str | None) -> list[float]:
        """When each event of a stream came, in seconds from the first."""
        headers = {"Content-Type": "application/json", **self.headers(key, {})}
        with closing(self.connect()) as connection:
            connection.request("POST", CHAT, json.dumps(STREAM), headers)
            response = connection.getresponse()
            assert response.status == 200, response.read()
            times = [time.monotonic() for line in response if line.startswith(b"data:")]
        return [each - times[0] for each in times]


def own_address() -> str:
    """An address of this machine that is not loopback's: who asks by it comes from there, too."""
    found = [
        each.address
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family.name == "AF_INET" and not each.address.startswith("127.")
    ]
    if not found:
        pytest.skip("this machine has no address but loopback's")
    return found[0]


def make_key(home: Home, name: str = "laptop") -> str:
    said = re.search(r"sk-sw-[\w-]{43}", home.ok("keys", "add", name))
    assert said is not None
    return said[0]


def serve_model(home: Home, *words: str) -> Place:
    home.serve(*words)
    home.ok("up", "demo-qwen3")
    return Place(home.port)


# ── addresses ───────────────────────────────────────────────────────────────────────────────


def test_other_machines_are_not_let_in_before_there_is_a_key(home: Home) -> None:
    """Of other addresses tests/unit/app/listener/test_exposure.py speaks."""
    done = home.run("serve", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "there are no keys" in done.stderr
    assert "sparkwell keys add NAME" in done.stderr
    assert "gateway.auth: none" in done.stderr
    assert home.run("status").returncode != 0


def test_with_a_key_other_machines_are_served_who_have_it(home: Home) -> None:
    address = own_address()
    key = make_key(home)
    here = serve_model(home, "--host", "0.0.0.0")
    there = Place(home.port, address)
    for place in (here, there):
        assert (place.chat().status, place.chat().code) == (401, "invalid_api_key")
        assert place.chat(key).status == 200
        assert place.post(CHAT, BODY, **{"x-api-key": key}).status == 200
        assert place.get("/v1/models", "sk-sw-wrong").status == 401
    for path in ("/metrics", "/docs", "/openapi.json"):
        assert here.get(path).status == 200
        assert there.get(path).status == 401
        assert there.get(path, key).status == 200
    assert b"demo-qwen3" in here.get("/health").body
    assert b"demo-qwen3" not in there.get("/health").body
    assert there.get("/health").status == 200
    log = (home.root / "serve.log").read_text()
    assert f"Ready on http://127.0.0.1:{home.port}. It listens on all IPv4 addresses" in log
    (other,) = re.findall(rf"others reach it at http://(\S+):{home.port}$", log, re.MULTILINE)
    assert Place(home.port, other).chat(key).status == 200
    assert log.count("in clear text") == 1
    assert log.count("A request with a key that is not valid, from ") == 2  # by both ways
    assert "wrong" not in log


@pytest.mark.parametrize("host", ["foo.example", "0.0.0.0.0", "192.0.2.9"])
def test_a_host_of_somebody_else_is_no_matter_of_keys(home: Home, host: str) -> None:
    done = home.run("serve", "--host", host)
    assert done.returncode == 2
    assert f"'{host}' is not an address of this machine" in done.stderr
    assert "keys" not in done.stderr


def test_auth_none_serves_everybody_and_says_so(home: Home) -> None:
    address = own_address()
    home.configure({"gateway": {"host": "0.0.0.0", "auth": "none"}})
    serve_model(home)
    there = Place(home.port, address)
    assert there.chat().status == 200
    assert there.chat("not-needed").status == 200
    assert there.post(CHAT, BODY, Origin="http://evil.example").code == "foreign_page"
    assert Place(home.port, address, host="evil.example").chat().code == "unknown_host"
    assert Place(home.port, address, host="host.docker.internal:8000").chat().status == 200
    assert "gateway.auth is none" in (home.root / "serve.log").read_text()
    assert "open-to-all" in [each["id"] for each in home.json("status")["findings"]]
    assert "may use the models" in home.ok("status")


def test_without_keys_a_request_that_is_not_direct_is_refused(home: Home) -> None:
    here = serve_model(home)
    assert here.chat().status == 200
    assert here.chat("not-needed").status == 200
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        refused = here.post(CHAT, BODY, **{header: "for=10.0.0.1"})
        assert (refused.status, refused.code) == (401, "invalid_api_key")
    assert here.post(CHAT, BODY, Host="evil.example").status == 421
    assert here.post(CHAT, BODY, Origin="http://evil.example").status == 403
    assert here.post(CHAT, BODY, **{"Content-Type": "text/plain"}).status == 415


# ── containers ──────────────────────────────────────────────────────────────────────────────

IMAGE = "sparkwell-test/base:bookworm"


def from_a_container(home: Home, host: str, *options: str, key: str | None = None) -> str:
    """The status that a program in a container gets, by curl's word."""
    url = f"http://{host}:{home.port}/v1/models"
    header = ("-H", f"Authorization: Bearer {key}") if key else ()
    curl = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", "10", *header, url)
    argv = ("docker", "run", "--rm", *options, IMAGE, *curl)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip() or done.stderr


@pytest.mark.docker
def test_a_program_in_a_container_is_served_as_the_page_says(home: Home) -> None:
    need_docker()
    bridged = ("--add-host", "host.docker.internal:host-gateway")
    home.serve()
    assert from_a_container(home, "127.0.0.1", "--network", "host") == "200"
    assert from_a_container(home, "host.docker.internal", *bridged) == "000"  # nobody listens
    key = make_key(home)
    assert from_a_container(home, "127.0.0.1", "--network", "host") == "401"
    end(home.spawned[-1])
    home.serve("--host", "0.0.0.0")
    assert from_a_container(home, "host.docker.internal", *bridged) == "401"
    assert from_a_container(home, "host.docker.internal", *bridged, key=key) == "200"


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────


def test_https_and_a_certificate_that_is_renewed(home: Home) -> None:
    first = make_certificate(home.root, "first")
    other = make_certificate(home.root, "other")
    files = (str(home.root / "first.pem"), str(home.root / "first.key"))
    home.serve("--tls-certificate", files[0], "--tls-key", files[1])
    home.ok("up", "demo-qwen3")
    here = Place(home.port, tls=True)
    assert here.chat().status == 200
    assert home.json("status")["gateway"] == f"https://127.0.0.1:{home.port}"
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        Place(home.port).get("/health")
    before = ssl.get_server_certificate(("127.0.0.1", home.port))
    for new, there in zip(other, first, strict=True):
        shutil.copy(new, there)
    wait_for(lambda: ssl.get_server_certificate(("127.0.0.1", home.port)) != before, 15)
    assert here.chat().status == 200


def test_a_certificate_that_is_none_is_refused_before_anything_starts(home: Home) -> None:
    bad = home.root / "bad.pem"
    bad.write_text("words")
    done = home.run("serve", "--tls-certificate", str(bad), "--tls-key", str(bad))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert str(bad) in done.stderr
    alone = home.run("serve", "--tls-key", str(bad))
    assert alone.returncode == 2
    assert "belong together" in alone.stderr


# ── proxies ─────────────────────────────────────────────────────────────────────────────────


@dataclass
class Proxies:
    """Starts the proxies of docs/network.md in front of a home, as their text has them."""

    home: Home
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def nginx(self) -> Place:
        port, folder = free_port(), self._folder("nginx")
        certificate, key = make_certificate(folder, "proxy")
        text = block("nginx")
        for written, meant in (
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("/etc/ssl/llm/fullchain.pem", str(certificate)),
            ("/etc/ssl/llm/privkey.pem", str(key)),
            ("127.0.0.1:8000", f"127.0.0.1:{self.home.port}"),
        ):
            assert written in text
            text = text.replace(written, meant)
        config = folder / "nginx.conf"
        config.write_text(f"{NGINX}{text}}}\n")
        self._run(folder, "nginx", "-p", str(folder), "-e", "stderr", "-c", str(config))
        return self._ready(Place(port, tls=True, host=f"{NAME}:{port}"), folder)

    def caddy(self) -> Place:
        port, folder = free_port(), self._folder("caddy")
        text = block("caddy")
        assert text.startswith(f"{NAME} {{\n")
        text = text.replace(f"{NAME} {{\n", f"http://{NAME}:{port} {{\n    bind 127.0.0.1\n")
        config = folder / "Caddyfile"
        config.write_text(CADDY + text.replace("127.0.0.1:8000", f"127.0.0.1:{self.home.port}"))
        argv = ("caddy", "run", "--adapter", "caddyfile", "--config", str(config))
        self._run(folder, *argv)
        return self._ready(Place(port, host=f"{NAME}:{port}"), folder)

    def start(self, name: str) -> Place:
        return self.nginx() if name == "nginx" else self.caddy()

    def end(self) -> None:
        for each in self.running:
            each.kill()
            each.wait(10)

    def _folder(self, name: str) -> Path:
        folder = self.home.root / name
        folder.mkdir()
        return folder

    def _run(self, folder: Path, *argv: str) -> None:
        if not shutil.which(argv[0], path=os.environ["PATH"] + ":/usr/sbin"):
            pytest.skip(f"{argv[0]} is not installed")
        environ = {**os.environ, "HOME": str(folder), "PATH": os.environ["PATH"] + ":/usr/sbin"}
        with (folder / "log").open("wb") as log:
            self.running.append(
                subprocess.Popen(argv, stdout=log, stderr=log, env=environ, cwd=folder)
            )

    def _ready(self, place: Place, folder: Path) -> Place:
        def answers() -> bool:
            assert self.running[-1].poll() is None, (folder / "log").read_text()
            try:
                return place.get("/health").status == 200
            except OSError:
                return False

        wait_for(answers, 20)
        return place

    def plain(self) -> Place:
        """nginx that only passes on."""
        port, folder = free_port(), self._folder("plain")
        config = folder / "nginx.conf"
        config.write_text(f"{NGINX}{PLAIN.format(port=port, to=self.home.port)}}}\n")
        self._run(folder, "nginx", "-p", str(folder), "-e", "stderr", "-c", str(config))
        return self._ready(Place(port, host=NAME), folder)


def block(language: str) -> str:
    """The one block of that language in the document."""
    pattern = rf"^```{language}\n(.*?)^```$"
    (found,) = re.findall(pattern, read(DOCS / "network.md"), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def proxies(home: Home) -> Iterator[Proxies]:
    found = Proxies(home)
    yield found
    found.end()


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
def test_through_a_proxy(
    home: Home, proxies: Proxies, proxy: str, script: Callable[..., None]
) -> None:
    script(tokens_per_s=20, reply_tokens=30)
    home.configure({"gateway": {"names": [NAME]}})
    here = serve_model(home)
    through = proxies.start(proxy)
    # Without keys: this machine is served, and nobody else.
    assert here.chat().status == 200
    for refused in (through.chat(), through.get("/v1/models"), through.get("/metrics")):
        assert (refused.status, refused.code) == (401, "invalid_api_key")
    assert b"sparkwell keys add NAME" in through.chat().body
    assert b"demo-qwen3" not in through.get("/health").body
    # With one: who has it.
    key = make_key(home)
    assert through.chat(key).status == 200
    assert through.get("/metrics", key).status == 200
    assert through.chat("sk-sw-wrong").status == 401
    assert here.chat().status == 401
    assert through.get("/ui/login").status == 200
    # A stream comes as it is made.
    times = through.events_at(key)
    assert len(times) >= 30
    assert times[-1] > 1.0
    assert sum(after - before > 0.01 for before, after in pairwise(times)) >= 10


def test_the_dashboard_is_signed_in_to_through_nginx(home: Home, proxies: Proxies) -> None:
    """Its forms are compared with the Host, so the port has to come through, too."""
    home.configure({"gateway": {"names": [NAME]}})
    home.serve()
    through = proxies.nginx()
    ours = through.post_form("/ui/login", f"https://{through.host}")
    assert b"sparkwell ui" in ours.body  # the key was wrong, and nothing else
    assert b"nothing was done" not in ours.body
    assert b"nothing was done" in through.post_form("/ui/login", "https://evil.example").body
    foreign = Place(through.port, tls=True, host="evil.example")
    assert foreign.get("/ui/login").status == 421


PLAIN = "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{to}; }} }}"


def test_a_proxy_that_says_nothing_of_itself_needs_a_key_too(home: Home, proxies: Proxies) -> None:
    """nginx as it is without any header set: until 1.29 it speaks HTTP/1.0."""
    home.serve()
    through = proxies.plain()
    assert (through.get("/v1/models").status, through.get("/health").status) == (401, 200)
