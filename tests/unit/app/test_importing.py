"""`sparkwell import`: the guides' services are the same recipes, and nothing is lost silently."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sparkwell.app.importing.files import import_file
from sparkwell.app.importing.reading import Base, Imported, import_compose
from sparkwell.app.models import host_changes
from sparkwell.app.settings.config import Settings, load_settings
from sparkwell.catalog import load_catalog
from sparkwell.cli.main import cli
from sparkwell.core.errors import DocumentError
from sparkwell.engines.compose.reading_yaml import SECRET

CATALOG = load_catalog()
IMAGE = "nvcr.io/nvidia/vllm:25.09-py3"
TOKEN = "hf_" + "abcdefghij" * 3
BASE = Base("/opt/inference", "/home/me")

# What the guides' services say: figures in the order context, share, tokens of a step, sequences.
# The last two are the service's ipc and ulimits, which two of them do not have, and its profile.
GUIDES: dict[str, tuple[str, str, tuple[str, str, str, str], bool, str | None]] = {
    "llama33-70b-fp8": (
        "vllm-llama33-70b-fp8",
        "nvidia/Llama-3.3-70B-Instruct-FP8",
        ("65536", "0.80", "32768", "32"),
        True,
        None,
    ),
    "qwen3-30b-a3b-fp8": (
        "vllm-qwen3-30b-a3b-fp8",
        "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8",
        ("32768", "0.85", "16384", "64"),
        True,
        None,
    ),
    "qwen3-8b-fp8": (
        "vllm-qwen3-8b-fp8",
        "Qwen/Qwen3-8B-FP8",
        ("32768", "0.90", "16384", "64"),
        True,
        None,
    ),
    "qwen3-32b-fp8": (
        "vllm-qwen3-32b-fp8",
        "Qwen/Qwen3-32B-FP8",
        ("32000", "0.90", "16384", "64"),
        False,
        "fp8",
    ),
    "qwen3-32b": (
        "vllm-qwen3-32b",
        "Qwen/Qwen3-32B",
        ("24000", "0.85", "16384", "48"),
        False,
        None,
    ),
}
OLLAMA = {
    "image": "ollama/ollama:latest",
    "ports": ["11434:11434"],
    "environment": {"OLLAMA_KEEP_ALIVE": "30m"},
    "volumes": ["/opt/ollama:/root/.ollama"],
}


def guide_service(recipe: str) -> dict[str, Any]:
    """A service as the guide for that recipe prints it."""
    name, repo, figures, shares_memory, profile = GUIDES[recipe]
    options = ("--max-model-len", "--gpu-memory-utilization", "--max-num-batched-tokens",
               "--max-num-seqs")  # fmt: skip
    flags = [word for pair in zip(options, figures, strict=True) for word in pair]
    gpu = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    return {
        "image": IMAGE,
        "container_name": name,
        "restart": "unless-stopped",
        "ports": ["8000:8000"],
        "environment": {"HF_TOKEN": "${HF_TOKEN}", "HUGGING_FACE_HUB_TOKEN": "${HF_TOKEN}"},
        **({"ipc": "host", "ulimits": {"memlock": -1, "stack": 67108864}} if shares_memory else {}),
        "command": [
            *("vllm", "serve", repo, "--download-dir", "/root/.cache/huggingface"),
            *flags,
            *("--enable-prefix-caching", "--trust-remote-code"),
        ],
        "volumes": ["/opt/hf:/root/.cache/huggingface"],
        "deploy": {"resources": {"reservations": {"devices": [gpu]}}},
        **({"profiles": [profile]} if profile else {}),
    }


def imported(services: dict[str, Any] | str, **variables: str) -> Imported:
    whole = {"services": services}
    text = services if isinstance(services, str) else yaml.safe_dump(whole, sort_keys=False)
    return import_compose(text, "f.yml", CATALOG, variables=variables, base=BASE)


def left(found: Imported) -> dict[str, str]:
    every = [*found.left, *(each for service in found.services for each in service.left)]
    return {each.name: f"{each.why} {each.remedy or ''}" for each in every}


def served(repo: str, *flags: str, **fields: Any) -> dict[str, Any]:
    return {"image": IMAGE, "command": ["vllm", "serve", repo, *flags], **fields}


# ── the guides ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("recipe", list(GUIDES))
def test_a_guides_service_is_the_same_recipe_without_a_change(recipe: str) -> None:
    found = imported({GUIDES[recipe][0]: guide_service(recipe)}, HF_TOKEN=SECRET)
    profile = GUIDES[recipe][4]
    assert found.settings == {
        "folders": {"models": "/opt/hf"},
        **({} if profile else {"start": [recipe]}),
        "models": {recipe: {"profile": "guide"}},
    }
    (service,) = found.services
    assert (service.model, service.engine, service.left) == (recipe, "vllm", ())
    assert list(left(found)) == [f"services.{GUIDES[recipe][0]}.ports"]
    assert "gateway.host: 0.0.0.0" in next(iter(left(found).values()))


@pytest.mark.parametrize("recipe", list(GUIDES))
def test_the_recipe_then_has_the_guides_flags(recipe: str) -> None:
    """What the settings make of it is, flag by flag, what the service was started with."""
    found = imported({"a": guide_service(recipe)})
    changes = host_changes(Settings.model_validate(found.settings), CATALOG)[recipe]
    guide = CATALOG.get(recipe).guide
    assert guide is not None
    flags = {**guide.flags, **changes.flags}
    _, _, (context, share, tokens, sequences), _, _ = GUIDES[recipe]
    assert flags == {
        "download_dir": "/root/.cache/huggingface",
        "max_model_len": int(context),
        "gpu_memory_utilization": float(share),
        "max_num_batched_tokens": int(tokens),
        "max_num_seqs": int(sequences),
        "enable_prefix_caching": True,
        "trust_remote_code": True,
    }


def test_the_guides_whole_file() -> None:
    services = {GUIDES[recipe][0]: guide_service(recipe) for recipe in GUIDES}
    found = imported({**services, "ollama": OLLAMA})
    assert found.models == list(GUIDES)
    assert found.settings == {
        "folders": {"models": "/opt/hf", "ollama": "/opt/ollama"},
        "models": {recipe: {"profile": "guide"} for recipe in GUIDES},
    }
    assert "only one of them runs at a time" in left(found)["ports"]
    assert all(not service.left for service in found.services)


def test_a_guides_service_as_it_is_pasted() -> None:
    text = yaml.safe_dump({"vllm-llama33-70b-fp8": guide_service("llama33-70b-fp8")})
    assert imported(text).models == ["llama33-70b-fp8"]


# ── flags ───────────────────────────────────────────────────────────────────────────────────


def test_what_differs_from_the_guide_becomes_an_override() -> None:
    changed = guide_service("qwen3-8b-fp8")
    changed["command"] = [word.replace("32768", "16k") for word in changed["command"][:-1]]
    found = imported({"a": changed}).settings["models"]["qwen3-8b-fp8"]
    # The guide asks for remote code, this service does not: that must not come back.
    flags = {"max_model_len": 16_000, "trust_remote_code": False}
    assert found == {"profile": "guide", "flags": flags}


def test_a_switch_that_nobody_can_turn_back_is_said() -> None:
    changed = guide_service("qwen3-8b-fp8")
    changed["command"].remove("--enable-prefix-caching")
    found = imported({"a": changed})
    assert found.settings["models"]["qwen3-8b-fp8"] == {"profile": "guide"}
    assert "does not say enable_prefix_caching" in left(found)["services.a.command"]


def test_without_the_guides_figures_the_flags_are_set_one_by_one() -> None:
    found = imported({"a": served("Qwen/Qwen3-8B-FP8", "--max-num-seqs", "16", "--seed", "1")})
    assert found.settings["models"] == {"qwen3-8b-fp8": {"flags": {"max_num_seqs": 16, "seed": 1}}}


def test_flags_that_a_profile_computes_are_set_even_where_the_recipe_agrees() -> None:
    recipe = CATALOG.get("llama31-8b-fp8")
    assert recipe.serve.flags["max_num_seqs"] == 64
    repo = recipe.repo or ""
    found = imported({"a": served(repo, "--max-num-seqs", "64")})
    assert found.settings["models"] == {"llama31-8b-fp8": {"flags": {"max_num_seqs": 64}}}


def test_a_model_without_flags_is_there_all_the_same() -> None:
    found = imported({"a": served("qwen/qwen3-8b-fp8")})
    assert found.settings == {"start": ["qwen3-8b-fp8"], "models": {"qwen3-8b-fp8": {}}}


def test_another_image_is_kept() -> None:
    other = "vllm/vllm-openai:v0.11.0"
    found = imported({"a": served("Qwen/Qwen3-8B-FP8", image=other)})
    assert found.settings["models"]["qwen3-8b-fp8"] == {"image": other}
    wrong = imported({"a": served("Qwen/Qwen3-8B-FP8", image="my image")})
    assert wrong.settings["models"]["qwen3-8b-fp8"] == {}
    assert "no image that can be named" in left(wrong)["services.a.image"]


# ── ports, folders, what starts ─────────────────────────────────────────────────────────────


def test_ports() -> None:
    ports = {"qwen3-8b-fp8": "127.0.0.1:9000:8000", "qwen3-32b-fp8": "127.0.0.1:9001:8000"}
    services = {
        name: served(CATALOG.get(name).repo or "", ports=[port]) for name, port in ports.items()
    }
    found = imported(services)
    assert found.settings["gateway"] == {"port": 9000}
    assert found.settings["start"] == ["qwen3-8b-fp8", "qwen3-32b-fp8"]
    assert left(found) == {
        "ports": "all models answer on the gateway's port 9000, qwen3-32b-fp8 not on 9001 "
    }


def test_folders_are_absolute() -> None:
    volumes = ["./hf:/root/.cache/huggingface", "~/more:/models:ro", "../x:/x"]
    second = served("Qwen/Qwen3-32B", volumes=["/srv/hf:/root/.cache/huggingface", "/y:/x"])
    found = imported({"a": served("Qwen/Qwen3-8B-FP8", volumes=volumes), "b": second})
    assert found.settings["folders"] == {"models": "/opt/inference/hf"}
    assert found.settings["model_folders"] == ["/srv/hf"]
    mounts = ["/home/me/more:/models:ro", "/opt/x:/x"]
    assert found.settings["containers"] == {"mounts": mounts}
    assert "is mounted from another folder" in left(found)["services.b.volumes./x"]


def test_services_that_are_left_say_why() -> None:
    found = imported(
        {
            "web": {"image": "open-webui:1"},
            "new": served("org/new-model"),
            "local": served("/models/mine"),
            "none": {"image": IMAGE, "command": ["vllm", "serve"]},
            "first": served("Qwen/Qwen3-8B-FP8"),
            "again": served("Qwen/Qwen3-8B-FP8", "--seed", "1"),
        }
    )
    assert found.models == ["qwen3-8b-fp8"]
    said = left(found)
    assert "nothing here says that this is vLLM or Ollama" in said["services.web"]
    assert "`sparkwell plan hf:org/new-model`" in said["services.new"]
    assert "docs/recipes.md" in said["services.new"]
    assert "a folder in the container" in said["services.local"]
    assert "names no model" in said["services.none"]
    assert "as a service above does" in said["services.again"]


def test_every_field_is_taken_done_or_left() -> None:
    """Whatever a service has, its name appears somewhere in what is said of it."""
    fields = {
        "cap_add": ["X"], "cpus": 2, "devices": ["/dev/x"], "dns": "1.1.1.1", "healthcheck": {},
        "init": True, "labels": {"a": "b"}, "logging": {}, "mem_limit": "1g", "privileged": True,
        "user": "1000", "working_dir": "/x", "sysctls": {}, "develop": {}, "models": [],
    }  # fmt: skip
    (service,) = imported({"a": served("Qwen/Qwen3-8B-FP8", **fields)}).services
    named = {*service.own, *(each.field[2] for each in service.left)}
    assert set(fields) <= named


def test_five_thousand_lines() -> None:
    services = {f"s{n}": guide_service("qwen3-8b-fp8") for n in range(135)}
    text = yaml.safe_dump({"services": services})
    assert len(text.splitlines()) > 5000
    began = time.monotonic()
    assert imported(text).models == ["qwen3-8b-fp8"]
    assert time.monotonic() - began < 10


# ── files and the command ───────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path


def compose(folder: Path, services: dict[str, Any]) -> Path:
    file = folder / "docker-compose.yml"
    file.write_text(yaml.safe_dump({"services": services}, sort_keys=False))
    return file


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["import", *map(str, words)])


def test_variables_come_from_env_and_the_environment(folder: Path) -> None:
    (folder / ".env").write_text(f"DATA=/data\nHF_TOKEN={TOKEN}\nCONTEXT=1024\n")
    volumes = ["${DATA}/hf:/root/.cache/huggingface"]
    service = served("Qwen/Qwen3-8B-FP8", "--max-model-len", "${CONTEXT}", volumes=volumes)
    file = compose(folder, {"a": service})
    found = import_file(file, None, CATALOG, {"CONTEXT": "2048", "HF_TOKEN": TOKEN})
    assert found.settings["folders"] == {"models": "/data/hf"}
    assert found.settings["models"]["qwen3-8b-fp8"]["flags"] == {"max_model_len": 2048}


def test_no_token_is_anywhere(folder: Path) -> None:
    (folder / ".env").write_text(f"HF_TOKEN={TOKEN}\nMY_SECRET=xyzzy-secret\n")
    environment = {"HF_TOKEN": TOKEN, "A": "${HF_TOKEN}", "B": "${MY_SECRET}", TOKEN: "x"}
    flags = ("--hf-token", TOKEN, "--seed", "${MY_SECRET}", f"--{TOKEN}", TOKEN)
    service = served("Qwen/Qwen3-8B-FP8", *flags, environment=environment)
    service["volumes"] = ["/x/${MY_SECRET}:/root/.cache/huggingface"]
    services = {"a": service, TOKEN: served(f"org/{TOKEN}"), "c": {"image": f"x/{TOKEN}"}}
    file = compose(folder, services)
    output = folder / "sparkwell.yaml"
    for words in ((), ("--json",), ("-o", str(output))):
        result = run(file, *words)
        assert result.exit_code == 0, result.output
        assert TOKEN not in result.output
        assert "xyzzy" not in result.output
        assert "\ue000" not in result.output
        assert "ue000" not in result.output
    assert TOKEN not in output.read_text()
    assert "holds a token as text" in run(file).output


def test_no_token_in_a_complaint(folder: Path) -> None:
    file = folder / "c.yml"
    file.write_text(f"services:\n  {TOKEN}: {{image: a, ports: x}}\n  {TOKEN}: {{}}\n")
    result = run(file)
    assert result.exit_code != 0
    assert TOKEN not in f"{result.output}{result.exception}"


def test_settings_on_stdout_the_rest_on_stderr(folder: Path) -> None:
    file = compose(folder, {"a": guide_service("qwen3-8b-fp8"), "web": {"image": "w"}})
    result = run(file)
    settings = yaml.safe_load(result.stdout)
    assert settings["models"] == {"qwen3-8b-fp8": {"profile": "guide"}}
    assert "a: qwen3-8b-fp8" in result.stderr
    assert "web: not taken over" in result.stderr
    assert f"{file}:" in result.stderr


def test_json(folder: Path) -> None:
    file = compose(folder, {"a": guide_service("qwen3-8b-fp8"), "web": {"image": "w"}})
    body = json.loads(run(file, "--json").stdout)
    assert body["settings"]["folders"] == {"models": "/opt/hf"}
    first, second = body["services"]
    assert (first["model"], first["left"]) == ("qwen3-8b-fp8", [])
    assert "restart" in first["done_by_sparkwell"]
    assert second["model"] is None
    assert second["left"][0]["line"] == second["line"]
    assert body["written"] is None


def test_into_a_settings_file_that_stays_as_it_is(folder: Path) -> None:
    output = folder / "sparkwell.yaml"
    output.write_text("# mine\ngateway:\n  port: 9000  # not 8000\n")
    file = compose(folder, {"a": guide_service("qwen3-8b-fp8")})
    assert run(file, "-o", output, "--dry-run").stdout.startswith("# mine\n")
    assert "models" not in output.read_text()
    assert run(file, "-o", output).exit_code == 0
    assert output.read_text().startswith("# mine\ngateway:\n  port: 9000  # not 8000\n")
    settings = load_settings(output)
    assert settings.models["qwen3-8b-fp8"].profile == "guide"
    assert settings.folders.models == "/opt/hf"
    before = output.read_text()
    assert run(file, "-o", output).exit_code == 0
    assert output.read_text() == before  # a second time changes nothing


def test_a_conflict_changes_nothing(folder: Path) -> None:
    output = folder / "sparkwell.yaml"
    text = "folders:\n  models: /srv/hf\n"
    output.write_text(text)
    result = run(compose(folder, {"a": guide_service("qwen3-8b-fp8")}), "-o", output)
    assert "folders.models is /srv/hf here, and would be /opt/hf" in str(result.exception)
    assert f"{output}:2: " in str(result.exception)
    assert output.read_text() == text


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "c.yml:1: this file is empty"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "c.yml:1: this is not text in UTF-8"),
        (b"a: 1\n\xff", "c.yml:2: this is not text in UTF-8"),
        (b"- a", "c.yml:1: this is a list, not a mapping"),
        (b"services: {web: {image: nginx}}", "no service here runs vLLM or Ollama (web)"),
        (b"name: x", "c.yml:1: there are no services here"),
        (b"#" * 4_000_001, "this has more than 1,000,000 characters"),
    ],
)
def test_files_that_are_refused(folder: Path, raw: bytes, said: str) -> None:
    file = folder / "c.yml"
    file.write_bytes(raw)
    with pytest.raises(DocumentError) as caught:
        import_file(file, None, CATALOG, {})
    assert said in caught.value.message


def test_files_that_are_not_there(folder: Path) -> None:
    with pytest.raises(DocumentError, match="There is no file"):
        import_file(folder / "none.yml", None, CATALOG, {})
    with pytest.raises(DocumentError, match="cannot be read"):
        import_file(folder, None, CATALOG, {})
    file = compose(folder, {"a": guide_service("qwen3-8b-fp8")})
    with pytest.raises(DocumentError, match=r"There is no file .*other\.env"):
        import_file(file, folder / "other.env", CATALOG, {})


def test_a_dry_run_is_for_a_file(folder: Path) -> None:
    result = run(compose(folder, {"a": guide_service("qwen3-8b-fp8")}), "--dry-run")
    assert "--dry-run is for -o" in str(result.exception)


def test_an_ollama_of_another_port_and_version() -> None:
    other = {**OLLAMA, "image": "ollama/ollama:0.12.6", "ports": ["127.0.0.1:11435:11434"]}
    found = imported({"ollama": other})
    assert found.settings == {
        "engines": {"ollama_port": 11435},
        "containers": {"images": {"ollama": "ollama/ollama:0.12.6"}},
        "folders": {"ollama": "/opt/ollama"},
    }
    assert left(found) == {}
