"""Models of Ollama beside those of vLLM: one gateway, one budget, over a fake of its server.

No Ollama could be had here: the fake follows its published API (docs/engines.md).
"""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from openai import NotFoundError, OpenAI

from sparkwell.testing.fake_ollama.running import RunningOllama, running_ollama
from tests.acceptance.conftest import Home, wait_for

SERVED = "sparkwell/qwen3:8b-ctx32768"


@pytest.fixture
def ollama(tmp_path: Path, home: Home) -> Iterator[RunningOllama]:
    """A server with one model on its disk, and another that it can pull."""
    flags = ["--models", "qwen3:8b=5GB@40960", "--library", "llama3.2=2GB", "--pull-s", "2"]
    with running_ollama(tmp_path, *flags) as server:
        home.configure({"engines": {"ollama_port": server.port}})
        yield server


def client(home: Home) -> OpenAI:
    return OpenAI(base_url=f"{home.url}/v1", api_key="not-needed", max_retries=0)


def test_up_loads_a_model_and_the_gateway_serves_it(home: Home, ollama: RunningOllama) -> None:
    done = home.run("up", "ollama/qwen3:8b")
    assert done.returncode == 0, done.stderr
    assert "ollama/qwen3:8b is ready" in done.stderr
    loaded = ollama.loaded()
    assert [each["context_length"] for each in loaded.values()] == [32768]
    with client(home) as openai:
        said = openai.completions.create(model="ollama/qwen3:8b", prompt="Hello", max_tokens=5)
        assert said.choices[0].text
        assert "ollama/qwen3:8b" in [model.id for model in openai.models.list()]
        stream = openai.chat.completions.create(
            model="ollama/qwen3:8b", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    [shown] = home.json("ps")["instances"]
    assert (shown["engine"], shown["driver"], shown["state"]) == ("ollama", "ollama", "ready")
    assert ollama.loaded().keys() == loaded.keys()  # the requests loaded nothing else
    home.ok("down")
    assert ollama.loaded() == {}


def test_vllm_and_ollama_run_beside_each_other(home: Home, ollama: RunningOllama) -> None:
    both = home.json("up", "demo-qwen3", "ollama/qwen3:8b")["instances"]
    assert [each["state"] for each in both] == ["ready", "ready"]
    assert all(each["held_bytes"] > 0 for each in both)
    with client(home) as openai:
        for model in ("demo-qwen3", "ollama/qwen3:8b"):
            assert openai.completions.create(model=model, prompt="Hello", max_tokens=5)
    home.ok("down", "ollama/qwen3:8b")
    assert ollama.loaded() == {}
    assert [each["model"] for each in home.json("ps")["instances"]] == ["demo-qwen3"]


def test_a_model_that_the_server_lacks_is_pulled_first(home: Home, ollama: RunningOllama) -> None:
    done = home.run("up", "ollama/llama3.2")
    assert done.returncode == 0, done.stderr
    assert "downloading the weights" in done.stderr
    assert any("llama3.2" in name for name in ollama.loaded())


def test_pull_fetches_without_loading(home: Home, ollama: RunningOllama) -> None:
    done = home.json("pull", "ollama/llama3.2")["models"]
    assert [each["model"] for each in done] == ["ollama/llama3.2"]
    assert done[0]["fetched_bytes"] == done[0]["bytes"] > 0
    assert ollama.loaded() == {}
    again = home.json("pull", "ollama/llama3.2")["models"]
    assert again[0]["fetched_bytes"] == 0


def test_what_exceeds_the_budget_is_refused(home: Home, ollama: RunningOllama) -> None:
    refused = home.run("up", "demo-qwen3", "ollama/qwen3:8b=900GiB")
    assert refused.returncode == 2
    assert "does not fit" in refused.stderr
    assert "ollama/qwen3:8b" in refused.stderr
    assert ollama.loaded() == {}


def test_a_killed_daemon_finds_its_model_again(home: Home, ollama: RunningOllama) -> None:
    home.ok("up", "ollama/qwen3:8b")
    before = home.json("ps")["instances"][0]["id"]
    psutil.Process(home.daemon_pid()).kill()
    daemon = home.serve()
    wait_for(lambda: home.json("ps")["instances"][0]["state"] == "ready")
    assert home.json("ps")["instances"][0]["id"] == before
    with client(home) as openai:
        assert openai.completions.create(model="ollama/qwen3:8b", prompt="Hello", max_tokens=5)
    daemon.terminate()
    daemon.wait(30)


def test_a_server_that_dies_is_noticed(home: Home, ollama: RunningOllama) -> None:
    home.ok("up", "ollama/qwen3:8b")
    ollama.kill()
    assert "ended by itself" in home.failure()["data"]["error"]


def test_a_name_that_nobody_configured_is_no_model_of_the_gateway(
    home: Home, ollama: RunningOllama
) -> None:
    home.ok("up", "ollama/qwen3:8b")
    with client(home) as openai, pytest.raises(NotFoundError, match="sparkwell up"):
        openai.completions.create(model="ollama/llama3.2", prompt="Hello")
    assert list(ollama.loaded()) != []


def test_only_the_context_can_be_set(home: Home, ollama: RunningOllama) -> None:
    refused = home.run("up", "ollama/qwen3:8b", "--set", "max_num_seqs=4")
    assert refused.returncode == 2
    assert "num_ctx" in refused.stderr
    home.ok("up", "ollama/qwen3:8b", "--set", "num_ctx=8192")
    assert [each["context_length"] for each in ollama.loaded().values()] == [8192]
