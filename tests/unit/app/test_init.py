"""`sparkwell init`: a file for any machine that loads, says what was found, and holds no secret."""

import asyncio
import http.server
import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sparkwell.app import looking
from sparkwell.app.looking import Fit, Look, look
from sparkwell.app.models import check_start, host_changes
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.settings.config import load_settings
from sparkwell.app.settings.file import write_settings
from sparkwell.app.settings.merge import merged
from sparkwell.app.settings.written import in_words, settings_text
from sparkwell.catalog import load_catalog
from sparkwell.checks.docker_parts import Docker
from sparkwell.checks.host_parts import Folder, Port
from sparkwell.checks.model_parts import Token
from sparkwell.cli.main import cli
from sparkwell.core.errors import ConflictError, DocumentError, EnvironmentFault

CATALOG = load_catalog()
TOKEN = "hf_" + "abcdefghij" * 3
MACHINES = ("dgx-spark", "h100-80gb", "cpu")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a machine with Docker and the guides' folders below it."""

    async def docker(_environ: object) -> Docker:
        return Docker(server_version="28.1.0", runtimes=("nvidia", "runc"))

    async def containers(_environ: object) -> list[Any]:
        return []

    for name in ("hf", "ollama"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(looking, "look_at_docker", docker)
    monkeypatch.setattr(looking, "running_containers", containers)
    monkeypatch.setattr(looking, "look_at_port", Port)
    monkeypatch.setattr(looking, "_ollama_version", lambda: None)
    monkeypatch.setattr(looking, "SHARED", tmp_path / "hf")
    monkeypatch.setattr(looking, "OLLAMA", tmp_path / "ollama")
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def seen(host: Path, hardware: str = "dgx-spark") -> Look:
    environ = {"HOME": str(host), "SPARKWELL_HOME": str(host / "home")}
    planning = Planning(find_paths(environ), CATALOG, environ)
    return asyncio.run(look(planning, CATALOG, environ, host, hardware=hardware))


def weights(host: Path, repo: str) -> None:
    """A whole checkpoint in the folder that stands for /opt/hf, as --download-dir leaves it."""
    folder = host / "hf" / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    (folder / "model.safetensors").write_bytes(b"x")


# ── every machine ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("machine", MACHINES)
def test_the_file_loads_and_names_what_there_is(host: Path, machine: str) -> None:
    found = seen(host, machine)
    file = host / "sparkwell.yaml"
    assert write_settings(file, settings_text(found)) is None
    settings = load_settings(file, required=True)
    assert host_changes(settings, CATALOG) == {}
    assert found.recommended is not None
    assert check_start(settings, CATALOG) == {found.recommended.model: None}
    assert settings.folders.models == str(host / "hf")
    assert settings.gateway.host == "127.0.0.1"


@pytest.mark.parametrize("machine", MACHINES)
def test_every_setting_has_a_comment_above_it(host: Path, machine: str) -> None:
    lines = settings_text(seen(host, machine)).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("  ") and ": " in line and not line.strip().startswith("#"):
            assert lines[number - 1].strip().startswith("#"), line
    assert max(map(len, lines)) <= 100


def test_the_recommended_models(host: Path) -> None:
    first = {machine: seen(host, machine).fitting[0].model for machine in MACHINES}
    assert first == {
        "dgx-spark": "qwen3-30b-a3b-fp8",
        "h100-80gb": "qwen3-30b-a3b-fp8",
        "cpu": "demo-qwen3",
    }


def test_a_model_that_is_here_comes_first(host: Path) -> None:
    weights(host, "Qwen/Qwen3-8B-FP8")
    weights(host, "Qwen/Qwen3-32B")
    found = seen(host)
    assert found.recommended is not None
    assert (found.recommended.model, found.recommended.here) == ("qwen3-8b-fp8", True)
    text = settings_text(found)
    assert "start:\n  - qwen3-8b-fp8\n" in text
    assert dict(in_words(found))["Models"].endswith("here: qwen3-32b, qwen3-8b-fp8")


def test_demo_models_are_for_machines_without_a_gpu(host: Path) -> None:
    assert not any(fit.demo for fit in seen(host).models)
    assert all(fit.demo for fit in seen(host, "cpu").models)


def test_what_does_not_fit_says_why(host: Path) -> None:
    large = Fit("large-model", here=True, demo=False, why_not="It takes 200 GiB.")
    text = settings_text(replace(seen(host), models=(large,)))
    assert "#   large-model does not: It takes 200 GiB." in text
    assert "No model of the catalog fits here." in text
    assert yaml.safe_load(text)["start"] == []


# ── what is found ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("docker", "said"),
    [
        (Docker(trouble="missing"), "There is no Docker"),
        (Docker(trouble="denied"), "usermod -aG docker"),
        (Docker(trouble="unreachable"), "systemctl start docker"),
        (Docker(trouble="no answer"), "did not answer in time"),
        (Docker(server_version="28.1.0"), "no NVIDIA runtime"),
        (Docker(server_version="28.1.0", gpu_hook=True), "can give containers the GPU"),
    ],
)
def test_docker(host: Path, docker: Docker, said: str) -> None:
    found = replace(seen(host), docker=docker)
    assert said in dict(in_words(found))["Docker"]
    assert yaml.safe_load(settings_text(found))["engines"] == {"driver": "auto"}


def test_a_port_that_is_held(host: Path) -> None:
    port = Port("127.0.0.1", 8000, problem="in use", holder="nginx", pid=7)
    found = replace(seen(host), port=port)
    assert "held by nginx (process 7)" in settings_text(found)
    held = replace(port, container="vllm-qwen3-8b-fp8")
    assert "the container vllm-qwen3-8b-fp8" in settings_text(replace(found, port=held))
    unknown = Port("127.0.0.1", 8000, problem="in use")
    assert "held by another program" in settings_text(replace(found, port=unknown))


def test_a_folder_that_may_only_be_read_is_read(host: Path) -> None:
    folder = Folder("cache", str(host / "hf"), exists=True, writable=False)
    text = settings_text(replace(seen(host), weights=folder))
    data = yaml.safe_load(text)
    assert "models" not in data["folders"]
    assert data["model_folders"] == [str(host / "hf")]
    assert "chown" in text


def test_a_folder_that_is_not_there_is_not_set(host: Path) -> None:
    folder = Folder("cache", "/opt/hf", exists=False, writable=True)
    text = settings_text(replace(seen(host), weights=folder))
    assert yaml.safe_load(text)["folders"] == {"ollama": str(host / "ollama")}
    assert "There is no /opt/hf" not in text
    assert "  # models: /opt/hf" in text


def test_a_token_is_said_and_never_copied(host: Path) -> None:
    (host / ".env").write_text(f"HF_TOKEN={TOKEN}\n")
    found = seen(host)
    assert found.token.present
    assert f"found in {host}/.env" in dict(in_words(found))["Token"]
    assert TOKEN not in settings_text(found)
    assert TOKEN not in repr(found)
    odd = replace(found, token=Token(present=True, where="HF_TOKEN", problem="it is short"))
    assert "but it is short" in dict(in_words(odd))["Token"]


class Version(http.server.BaseHTTPRequestHandler):
    """An Ollama that says its version, or something else."""

    body = b'{"version": "0.12.6"}'

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def ollama() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Version)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("body", "version"),
    [
        (b'{"version": "0.12.6"}', "0.12.6"),
        (b"{}", None),
        (b"[]", None),
        (b"not json", None),
        (b"\xff", None),
    ],
)
def test_an_ollama_that_answers(
    ollama: int, body: bytes, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "OLLAMA_PORT", ollama)
    monkeypatch.setattr(Version, "body", body)
    assert looking._ollama_version() == version


def test_no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "OLLAMA_PORT", 1)
    assert looking._ollama_version() is None


def test_words_from_outside_cannot_end_a_comment(host: Path) -> None:
    found = replace(seen(host), ollama="1\nstart: [evil]\u2028x\x85y")
    data = yaml.safe_load(settings_text(found))
    assert data["start"] == ["qwen3-30b-a3b-fp8"]


def test_what_init_writes_takes_an_import(host: Path) -> None:
    more = {"folders": {"models": str(host / "hf")}, "models": {"qwen3-32b": {"profile": "guide"}}}
    text = settings_text(seen(host))
    result = yaml.safe_load(merged(text, more, "f"))
    assert result["models"] == {"qwen3-32b": {"profile": "guide"}}
    assert {**result, "models": {}} == yaml.safe_load(text)


# ── writing ─────────────────────────────────────────────────────────────────────────────────


def test_only_the_user_may_read_it_and_the_old_one_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "sparkwell.yaml"
    assert write_settings(file, "start: []\n") is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = write_settings(file, "recipes: []\n")
    assert kept == file.with_name("sparkwell.yaml.bak")
    assert kept is not None
    assert kept.read_text() == "start: []\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert sorted(each.name for each in file.parent.iterdir()) == [file.name, kept.name]


def test_a_text_that_does_not_load_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "sparkwell.yaml"
    file.write_text("start: []\n")
    with pytest.raises(DocumentError) as caught:
        write_settings(file, "gateway:\n  port: 0\n")
    assert caught.value.message.startswith(f"{file}:2: gateway.port")
    assert file.read_text() == "start: []\n"
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "sparkwell.yaml"
    real.write_text("start: []\n")
    link.symlink_to(real)
    write_settings(link, "recipes: []\n")
    assert link.is_symlink()
    assert real.read_text() == "recipes: []\n"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_settings(tmp_path / "file" / "sparkwell.yaml", "{}\n")


# ── the command ─────────────────────────────────────────────────────────────────────────────


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["init", *map(str, words)])


def test_the_command_writes_and_says_what_to_do_next(host: Path) -> None:
    result = run()
    assert result.exit_code == 0, result.exception
    file = host / "home" / "config" / "sparkwell.yaml"
    assert f"Wrote {file}" in result.output
    assert "sparkwell" in result.output.split("Next:")[1]
    assert load_settings(file, required=True).engines.driver == "auto"


def test_a_file_that_is_there_stays(host: Path) -> None:
    file = host / "mine.yaml"
    file.write_text("gateway: [broken\n")
    assert isinstance(run("-o", file).exception, ConflictError)
    assert file.read_text() == "gateway: [broken\n"
    result = run("-o", file, "--force")
    assert result.exit_code == 0, result.exception
    assert (host / "mine.yaml.bak").read_text() == "gateway: [broken\n"
    load_settings(file)


def test_print_writes_nothing(host: Path) -> None:
    result = run("--print")
    assert yaml.safe_load(result.output)["gateway"]["port"] == 8000
    assert not (host / "home" / "config").exists()
    assert run("--print", "--json").exit_code != 0


def test_json(host: Path) -> None:
    body = json.loads(run("--json").output)
    assert body["docker"]["server_version"] == "28.1.0"
    assert Path(body["file"]).is_file()
    assert body["recommended"] in {each["model"] for each in body["models"]} | {None}
    assert body["kept"] is None
