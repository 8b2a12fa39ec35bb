"""The shipped Compose file, its pages, and what becomes of the guides' commands."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkwell.catalog.guide_claims import load_guides
from sparkwell.catalog.guide_commands import command_places, fated_commands
from sparkwell.cli.main import COMMANDS
from sparkwell.engines.compose.corrections import CHANGES
from sparkwell.gateway.docs import openapi_document
from tests.docs.documents import DOCS, ROOT, read

FILE = ROOT / "docker-compose.yml"
TOKEN = "hf_" + "t" * 34
FATED = fated_commands().commands
COMPOSE = [each for each in FATED if each.command.startswith("docker compose")]
# What follows the option in the guides' commands; all other options stand alone.
WITH_VALUE = {"--profile"}
VERBS = {"up", "down", "logs", "restart", "stop", "ps"}
PLACEHOLDER = "[service-name]"


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(read(FILE))
    return document


@pytest.mark.parametrize("tool", ["compose_file", "compose_docs"])
def test_the_written_files_are_fresh(tool: str) -> None:
    program = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ── the guides' commands ────────────────────────────────────────────────────────────────────


def test_every_command_of_the_guides_is_listed_once() -> None:
    listed = [each.command for each in FATED]
    assert len(listed) == len(set(listed))
    assert set(listed) == {each.command for guide in load_guides() for each in guide.commands}
    assert sum(map(len, command_places().values())) == sum(len(g.commands) for g in load_guides())


@pytest.mark.parametrize("each", FATED, ids=lambda each: each.command)
def test_what_replaces_a_command_exists(each: Any) -> None:
    """The command line itself is parsed by test_commands.py, which reads the page."""
    if each.sparkwell:
        assert shlex.split(each.sparkwell)[:1] == ["sparkwell"]
        assert shlex.split(each.sparkwell)[1] in COMMANDS
        assert f"`{each.sparkwell}`" in read(DOCS / "guide-commands.md")
    assert each.becomes == "runs" or each.note


@pytest.mark.parametrize("each", COMPOSE, ids=lambda each: each.command)
def test_compose_commands_fit_the_shipped_file(each: Any, file: Mapping[str, Any]) -> None:
    assert each.becomes == "runs"
    options, verb, names = split(each.command)
    assert verb in VERBS
    services = file["services"]
    profiles = {name for service in services.values() for name in service.get("profiles", ())}
    assert set(options.get("--profile", ())) <= profiles
    assert {name for name in names if name != PLACEHOLDER} <= services.keys()


def split(command: str) -> tuple[dict[str, list[str]], str, list[str]]:
    """The options, the verb and the services of a `docker compose` command line."""
    words = shlex.split(re.split(r"\s\|\s", command)[0])[2:]
    options: dict[str, list[str]] = {}
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            options.setdefault(word, []).extend([words.pop(0)] if word in WITH_VALUE else [])
        else:
            rest.append(word)
    return options, rest[0], rest[1:]


@pytest.mark.parametrize(
    "command", [each.command for each in FATED if re.search("docker (exec|stats)", each.command)]
)
def test_containers_have_the_names_that_commands_use(command: str, file: Mapping[str, Any]) -> None:
    named = set(re.findall(r"vllm-[\w-]+", command))
    containers = {service["container_name"] for service in file["services"].values()}
    assert named
    assert named <= containers


@pytest.mark.parametrize(
    "each", [each for each in FATED if each.command.startswith("curl")], ids=lambda e: e.command
)
def test_what_is_asked_by_http_is_answered_by_the_gateway_too(each: Any) -> None:
    words = shlex.split(re.split(r"\s\|\s", each.command)[0])
    url = next(word for word in words if "://" in word)
    method = "post" if "POST" in words else "get"
    assert method in openapi_document()["paths"][url.removeprefix("http://localhost:8000")]


# ── the pages ───────────────────────────────────────────────────────────────────────────────


def test_every_correction_is_on_the_page() -> None:
    named = re.findall(r"^\| `([\w-]+)` \|", read(DOCS / "compose.md"), re.MULTILINE)
    assert [name for name in named if name in CHANGES] == list(CHANGES)


def test_the_env_example_has_the_variable_of_the_secret(file: Mapping[str, Any]) -> None:
    (variable,) = {secret["environment"] for secret in file["secrets"].values()}
    assert re.findall(r"^(\w+)=(.*)$", read(ROOT / ".env.example"), re.MULTILINE) == [
        (variable, "")
    ]
    assert ".env" in read(ROOT / ".gitignore").splitlines()


# ── Compose itself ──────────────────────────────────────────────────────────────────────────


def config(file: Path, *words: str, token: str | None = TOKEN) -> str:
    """The raw output of `docker compose config` on that file."""
    docker = shutil.which("docker")
    version = docker and subprocess.run(
        [docker, "compose", "version"], capture_output=True, timeout=30, check=False
    )
    if not version or version.returncode != 0:
        pytest.skip("docker compose is not here: CI has it, `bash .ci/docker` installs it")
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        ["docker", "compose", *words, "-f", str(file), "config"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=file.parent,
        env={**environ, **({"HF_TOKEN": token} if token is not None else {})},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_compose_accepts_the_shipped_file_and_keeps_the_gpus() -> None:
    text = config(FILE, "--profile", "*")
    resolved = yaml.safe_load(text)
    assert len(resolved["services"]) == 8
    for service in resolved["services"].values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device == {"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}
    assert TOKEN not in text


def test_compose_starts_the_guides_two_by_default() -> None:
    assert sorted(yaml.safe_load(config(FILE))["services"]) == ["ollama", "vllm-qwen3-32b"]


@pytest.mark.parametrize(
    "words",
    [
        ("qwen3-32b-fp8", "--exact", "--hardware", "dgx-spark"),
        ("--hardware", "h100-80gb", "--publish", "0.0.0.0"),
        ("ollama", "qwen3-8b-fp8", "--hardware", "dgx-spark", "--without", "secret"),
    ],
    ids=" ".join,
)
def test_compose_accepts_what_is_rendered(words: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    (tmp_path / ".env").write_text(f"HF_TOKEN={TOKEN}\n")
    program = [sys.executable, "-m", "sparkwell", "compose", *words, "-o", str(file)]
    environ = {**os.environ, "SPARKWELL_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=120, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr
    text = config(file, "--profile", "*")
    assert "driver: nvidia" in text
    # As a variable, where that is asked for, the token is what Compose resolves it to.
    assert (TOKEN in text) == ("--exact" in words or "secret" in words)
    assert TOKEN not in file.read_text()
