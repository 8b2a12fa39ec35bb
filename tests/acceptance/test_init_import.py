"""The commands that write the settings, as people type them: `init`, then `import`."""

import os
import shutil
import stat
import subprocess

import pytest

from tests.acceptance.conftest import Home

TOKEN = "hf_" + "abcdefghij" * 3
GUIDE = """services:
  vllm-qwen3-8b-fp8:
    image: nvcr.io/nvidia/vllm:25.09-py3
    container_name: vllm-qwen3-8b-fp8
    restart: unless-stopped
    ports:
      - "8000:8000"
    environment:
      HF_TOKEN: "${HF_TOKEN}"
    command:
      - vllm
      - serve
      - Qwen/Qwen3-8B-FP8
      - --download-dir
      - /root/.cache/huggingface
      - --max-model-len
      - "32768"
      - --gpu-memory-utilization
      - "0.90"
      - --max-num-batched-tokens
      - "16384"
      - --max-num-seqs
      - "64"
      - --enable-prefix-caching
      - --trust-remote-code
    volumes:
      - /opt/hf:/root/.cache/huggingface
"""
HAS_COMPOSE = (
    bool(shutil.which("docker"))
    and not subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    ).returncode
)


@pytest.fixture
def place(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home without settings, and a token where the guides have it."""
    home.paths.config_file.unlink()
    monkeypatch.chdir(home.root)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        home.environ.pop(name, None)
    (home.root / ".env").write_text(f"HF_TOKEN={TOKEN}\n")
    (home.root / "docker-compose.yml").write_text(GUIDE)
    return home


def test_init_then_import_then_in_force(place: Home) -> None:
    file = place.paths.config_file
    said = place.ok("init")
    assert f"found in {place.root}/.env" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.read_text()

    place.ok("import", "docker-compose.yml", "-o", str(file))
    settings = place.json("config", "show")["settings"]
    assert settings["models"]["qwen3-8b-fp8"]["profile"] == "guide"
    assert settings["folders"]["models"] == "/opt/hf"
    comments = [line for line in written.splitlines() if line.lstrip().startswith("#")]
    after = file.read_text().splitlines()
    assert [line for line in comments if line not in after] == []
    assert TOKEN not in said + file.read_text() + written


def test_init_overwrites_nothing(place: Home) -> None:
    place.paths.config_file.write_text("gateway: [\n")
    done = place.run("init")
    assert done.returncode == 2
    assert "--force replaces it" in done.stderr
    assert place.paths.config_file.read_text() == "gateway: [\n"
    place.ok("init", "--force")
    assert place.paths.config_file.with_name("sparkwell.yaml.bak").read_text() == "gateway: [\n"
    place.ok("models")


def test_settings_on_stdout_can_be_used_as_a_file(place: Home) -> None:
    file = place.root / "mine.yaml"
    file.write_text(place.ok("import", "docker-compose.yml"))
    shown = place.json("--config", str(file), "config", "show")["settings"]
    assert shown["start"] == ["qwen3-8b-fp8"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "docker-compose.yml:1: this file is empty"),
        (b"\x00\x01\xff", "docker-compose.yml:1: this is not text in UTF-8"),
        (b"- a\n", "docker-compose.yml:1: this is a list"),
        (b"a: &a [*a]\n", "docker-compose.yml:1: this contains itself"),
        (b"services: {a: {image: x}}\n", "no service here runs vLLM or Ollama (a)"),
        (b"services:\n  a: {}\n  a: {}\n", "docker-compose.yml:3: services.a: this key is there"),
        (f"{TOKEN}: [\n".encode(), "this is not YAML"),
    ],
)
def test_files_that_are_refused(place: Home, raw: bytes, said: str) -> None:
    (place.root / "docker-compose.yml").write_bytes(raw)
    done = place.run("import", "docker-compose.yml")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert TOKEN not in done.stderr + done.stdout


def test_what_compose_prints_as_the_guides_have_it_comes_back(place: Home) -> None:
    """Every guide's service is its recipe again, and nothing of it differs."""
    (place.root / "ours.yml").write_text(place.ok("compose", "--exact"))
    found = place.json("import", "ours.yml")
    recipes = {each["name"]: each for each in place.json("models")["models"]}
    assert len(found["settings"]["models"]) >= 7
    for name, changes in found["settings"]["models"].items():
        if recipes[name]["guide"]:
            assert changes == {"profile": "guide"}, name
        else:
            assert changes == {"flags": recipes[name]["serve"]["flags"]}, name
    assert [each["left"] for each in found["services"] if each["left"]] == []


def test_what_compose_prints_comes_back(place: Home) -> None:
    """With all corrections: the same models, and no field that nobody takes care of."""
    (place.root / "ours.yml").write_text(place.ok("compose"))
    place.ok("compose", "--exact", "-o", "exact.yml")
    exact = place.json("import", "exact.yml")["settings"]["models"]
    found = place.json("import", "ours.yml")
    assert list(found["settings"]["models"]) == list(exact)
    assert [each["left"] for each in found["services"] if each["left"]] == []
    assert found["left"] == []


@pytest.mark.skipif(not HAS_COMPOSE, reason="needs docker compose")
def test_what_docker_compose_config_makes_of_it_comes_back(place: Home) -> None:
    """Compose writes every field in its long form, and sorts the services."""
    (place.root / "ours.yml").write_text(place.ok("compose", "--exact"))
    words = ["docker", "compose", "--profile", "*", "-f", "ours.yml", "config", "--no-interpolate"]
    environ = {**os.environ, "HF_TOKEN": ""}
    done = subprocess.run(words, cwd=place.root, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (place.root / "long.yml").write_bytes(done.stdout)
    short, long = place.json("import", "ours.yml"), place.json("import", "long.yml")
    assert long["settings"] == short["settings"]
    assert [each["left"] for each in long["services"] if each["left"]] == []
