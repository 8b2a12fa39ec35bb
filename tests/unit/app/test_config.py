"""sparkwell.yaml: the example is the reference, and mistakes are told with their line."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from sparkwell.app.models import check_start, host_changes
from sparkwell.app.settings.config import (
    EXAMPLE,
    ContainerSettings,
    EngineSettings,
    FolderSettings,
    GatewaySettings,
    ModelSettings,
    Settings,
    load_settings,
    schema,
)
from sparkwell.app.settings.forms import is_image, parse_mount, parse_start
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import DocumentError, SparkwellError, UsageError
from sparkwell.core.launch import Mount

EXAMPLE_DATA: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
SECTIONS = (GatewaySettings, EngineSettings, ContainerSettings, FolderSettings, ModelSettings)
ALL_KEYS = {name for section in SECTIONS for name in section.model_fields}
CATALOG = load_catalog()
NOT_DEFAULTS = {"recipes", "model_folders", "models"}  # the example says so of them


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sparkwell.yaml"


def refusal(file: Path, text: str) -> str:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        load_settings(file)
    return caught.value.message.removeprefix(f"{file}:")


def test_the_example_loads() -> None:
    settings = load_settings(EXAMPLE, required=True)
    assert settings.recipes == ("/srv/sparkwell/recipes",)
    assert settings.models["demo-qwen3"].flags == {"max_num_seqs": 8}


def test_the_example_validates_against_the_schema() -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator(schema()).validate(EXAMPLE_DATA)


def test_the_schema_refuses_what_loading_refuses() -> None:
    validator = Draft202012Validator(schema())
    assert not validator.is_valid({"gatway": {}})
    assert not validator.is_valid({"gateway": {"port": 0}})
    assert not validator.is_valid({"engines": {"keep_logs": "three"}})


def fields(model: type[BaseModel], data: dict[str, Any], where: str = "") -> list[str]:
    """The settings that the example does not show."""
    missing = []
    for name, field in model.model_fields.items():
        if name not in data:
            missing.append(where + name)
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            missing += fields(field.annotation, data[name], f"{where}{name}.")
    return missing


def test_every_setting_is_in_the_example() -> None:
    assert fields(Settings, EXAMPLE_DATA) == []
    assert "flags" in EXAMPLE_DATA["models"]["demo-qwen3"]


def test_the_example_shows_the_defaults() -> None:
    shown = {key: value for key, value in EXAMPLE_DATA.items() if key not in NOT_DEFAULTS}
    defaults = Settings().model_dump(mode="json", exclude=NOT_DEFAULTS)
    assert shown == defaults


def test_every_setting_of_the_example_has_a_comment() -> None:
    text = EXAMPLE.read_text(encoding="utf-8").partition("  ollama/qwen3")[0]
    lines = text.splitlines()
    for number, line in enumerate(lines):
        key = line.strip().partition(":")[0]
        if line.startswith(" ") and key in ALL_KEYS:
            assert lines[number - 1].strip().startswith("#"), line


def test_the_example_warns_of_an_open_port() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    before = text[: text.index("  host:")]
    assert "0.0.0.0" in before
    assert "sparkwell keys add" in before


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}"])
def test_an_empty_file_means_defaults(file: Path, text: str) -> None:
    file.write_text(text)
    assert load_settings(file) == Settings()


def test_a_missing_file_means_defaults_unless_it_was_named(file: Path) -> None:
    assert load_settings(file) == Settings()
    with pytest.raises(DocumentError) as caught:
        load_settings(file, required=True)
    assert caught.value.message == f"There is no configuration file {file}."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gateway:\n  prot: 1\n", "2: gateway.prot: unknown key; did you mean 'port'?"),
        ("gatewy: {}\n", "1: gatewy: unknown key; did you mean 'gateway'?"),
        (
            "zzz: 1\n",
            "1: zzz: unknown key; expected one of: gateway, engines, containers, folders, "
            "switching, guard, preload, start, recipes, model_folders, models",
        ),
        ("gateway:\n  port: 70000\n", "2: gateway.port: input should be less than"),
        ("gateway:\n\n  port: x\n", "3: gateway.port: input should be a valid integer"),
        ("gateway:\n  auth: token\n", "2: gateway.auth: input should be 'keys' or 'none'"),
        ("gateway:\n  access_log: xml\n", "2: gateway.access_log: input should be 'off', 'text'"),
        ("gateway:\n  workers: 0\n", "2: gateway.workers: input should be greater than"),
        ("gateway:\n  head_s: 0\n", "2: gateway.head_s: input should be greater than 0"),
        ("gateway:\n  names: [https://x]\n", "2: gateway.names[0]: expected a host name alone"),
        ("gateway:\n  names: ['x:80']\n", "2: gateway.names[0]: expected a host name alone"),
        ("gateway:\n  cors_origins: ['*']\n", "2: gateway.cors_origins[0]: expected scheme and"),
        ("gateway:\n  cors_origins: ['null']\n", "2: gateway.cors_origins[0]: expected scheme"),
        ("gateway:\n  cors_origins: [a.example]\n", "2: gateway.cors_origins[0]: expected scheme"),
        ("gateway:\n  tls: {key: k}\n", "2: gateway.tls.certificate: this field is required"),
        ("gateway:\n  tls: {certificate: c, key: ''}\n", "2: gateway.tls.key: expected a file"),
        ("engines:\n  keep_logs: 0\n", "2: engines.keep_logs: input should be greater than 0"),
        ("recipes: /one\n", "1: recipes: input should be a valid tuple"),
        ("models:\n  m:\n    flag: {}\n", "3: models.m.flag: unknown key; did you mean 'flags'?"),
        ("- a\n", "1: document: expected a mapping"),
        ("gateway: [\n", "1: this is not YAML: "),
        ("gateway: {}\ngateway: {}\n", "2: gateway: this key is there twice, first in line 1"),
        ("engines:\n  driver: docker\n", "2: engines.driver: input should be 'auto', 'process'"),
        ("containers:\n  first_port: 80\n", "2: containers.first_port: input should be greater"),
        ("containers:\n  images:\n    vlm: a/b\n", "3: containers.images.vlm: input should be"),
        ("containers:\n  images:\n    vllm: A b\n", "3: containers.images.vllm: expected an image"),
        ("containers:\n  mounts:\n  - /a\n", "3: containers.mounts[0]: expected SOURCE:TARGET"),
        ("containers:\n  mounts:\n  - v:/a\n", "3: containers.mounts[0]: the source is a folder"),
        ("containers:\n  mounts:\n  - /a:b\n", "3: containers.mounts[0]: the target is an"),
        ("folders:\n  ollama: ''\n", "2: folders.ollama: expected a folder"),
        ("start:\n- a=20GiB\n", "2: start[0]: only Ollama's models take a size"),
        ("start:\n- ollama/a=much\n", "2: start[0]: 'much' is no size"),
        ("start:\n- ollama/a:b:c\n", "2: start[0]: 'ollama/a:b:c' is no name of a model"),
        ("models:\n  m:\n    profile: fast\n", "3: models.m.profile: input should be 'balanced'"),
        ("models:\n  m:\n    image: '-x'\n", "3: models.m.image: expected an image, such as"),
        ("models:\n  m:\n    driver: auto\n", "3: models.m.driver: input should be 'process'"),
    ],
)
def test_mistakes_name_line_and_field(file: Path, text: str, message: str) -> None:
    assert refusal(file, text).startswith(message)


def test_all_mistakes_come_at_once(file: Path) -> None:
    said = refusal(file, "gateway:\n  port: 0\n  host: 5\nengine: {}\n")
    assert len(said.splitlines()) == 3


def test_folders_are_meant_from_the_settings_file(file: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir("/")
    file.write_text("recipes: [mine, ~/r, /srv/r]\nmodel_folders: [../hf, ~/hf]\n")
    settings = load_settings(file)
    assert settings.recipes == (f"{file.parent}/mine", "/home/me/r", "/srv/r")
    assert settings.model_folders == (f"{file.parent}/../hf", "/home/me/hf")


def test_a_relative_settings_file_has_an_absolute_folder(file: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(file.parent)
    file.write_text("recipes: [mine]\n")
    assert load_settings(Path(file.name)).recipes == (f"{file.parent}/mine",)


def test_all_folders_are_absolute(file: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    file.write_text(
        "folders: {models: hf, ollama: ~/o}\n"
        "containers:\n  mounts: ['./data:/data:ro', '~/x:/x', '/a:/a:rw']\n"
    )
    settings = load_settings(file)
    assert settings.folders == FolderSettings(models=f"{file.parent}/hf", ollama="/home/me/o")
    mounts = (f"{file.parent}/data:/data:ro", "/home/me/x:/x", "/a:/a")
    assert settings.containers.mounts == mounts


def test_weights_are_looked_for_where_they_are_downloaded_to(file: Path) -> None:
    file.write_text("folders: {models: /opt/hf}\nmodel_folders: [/srv/hf, /opt/hf]\n")
    assert load_settings(file).weight_folders == ("/opt/hf", "/srv/hf")
    assert Settings().weight_folders == ()


def test_the_gateway_keeps_off_the_engines_ports(file: Path) -> None:
    text = "containers:\n  first_port: 8000\ngateway:\n  port: 8999\n"
    assert refusal(file, text).startswith("4: gateway.port: 8999 is one of the ports 8000 to 8999")
    file.write_text(text.replace("8999", "9000"))
    assert load_settings(file).gateway.port == 9000
    said = refusal(file, "engines:\n  ollama_port: 18999\n")
    assert said.startswith("2: engines.ollama_port: 18999 is one of the ports 18000 to 18999")
    said = refusal(file, "gateway: {port: 11434}\n")
    assert said == "1: gateway.port: 11434 is engines.ollama_port as well"


def test_settings_are_equal_wherever_they_stand(file: Path) -> None:
    file.write_text("\n\nstart: [qwen3-8b-fp8]\n")
    settings = load_settings(file)
    assert settings == Settings(start=("qwen3-8b-fp8",))
    assert settings.places.where("start", 0) == f"{file}:3: start[0]"
    assert Settings().places.where("start", 0) == "sparkwell.yaml: start[0]"


def test_the_home_of_nobody(file: Path) -> None:
    said = refusal(file, "model_folders: [~nobody-of-that-name/hf]\n")
    assert said == " model_folders: ~nobody-of-that-name/hf: there is no such home folder"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="this file cannot be read"):
        load_settings(tmp_path)


def test_bytes_that_are_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00gateway")
    with pytest.raises(DocumentError, match="cannot be read"):
        load_settings(file)


@pytest.mark.parametrize(
    "image",
    [
        "ollama/ollama",
        "nvcr.io/nvidia/vllm:25.09-py3",
        "localhost:5000/a/b_c.d-e:V1",
        "sparkwell-test/base:bookworm",
        f"vllm/vllm-openai@sha256:{'a' * 64}",
        f"vllm/vllm-openai:v0.11.0@sha256:{'a' * 64}",
        "busybox",
    ],
)
def test_images(image: str) -> None:
    assert is_image(image)


@pytest.mark.parametrize(
    "image",
    ["", "A", "a b", "a:", "a@sha256:1", "-a", "a/../b", "a:b:c", "$(x)", "--rm", "a\n", "a" * 256],
)
def test_what_is_no_image(image: str) -> None:
    assert not is_image(image)


def test_a_mount() -> None:
    assert parse_mount("/a:/b:ro") == Mount("/a", "/b", read_only=True)
    assert parse_mount("~/a:/b") == Mount("~/a", "/b")


@pytest.mark.parametrize(
    "text", ["", "/a", "/a:/", "/a:/b:z", "/a:/b:ro:x", "data:/b", "/a:b", ":/b", "/a:/b/../../c"]
)
def test_what_is_no_mount(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|source|target"):
        parse_mount(text)


def test_what_start_takes() -> None:
    assert parse_start("qwen3-8b-fp8") == ("qwen3-8b-fp8", None)
    assert parse_start("ollama/qwen3:8b=20GiB") == ("ollama/qwen3:8b", 20 * 2**30)
    for wrong in ("ollama/qwen3=0GiB", "ollama/qwen3=", "ollama/", "ollama/x=-1GiB"):
        with pytest.raises(ValueError, match=r"size|name"):
            parse_start(wrong)


def loaded(file: Path, text: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def test_start_names_what_there_is(file: Path) -> None:
    settings = loaded(file, "start: [Qwen/Qwen3-8B-FP8, 'ollama/llama3.2:latest=2GiB']\n")
    assert check_start(settings, CATALOG) == {"qwen3-8b-fp8": None, "ollama/llama3.2": 2 * 2**30}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("start:\n- qwen3-8b-fp8\n- qwen3-9b\n", ":3: start[1]: There is no model 'qwen3-9b'"),
        (
            "start: [qwen3-8b-fp8, Qwen/Qwen3-8B-FP8]",
            ":1: start[1]: the model qwen3-8b-fp8 is there twice",
        ),
        ("start: [ollama/a, 'ollama/a:latest']", ":1: start[1]: the model ollama/a is there twice"),
    ],
)
def test_mistakes_in_start(file: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        check_start(loaded(file, text), CATALOG)
    assert said in caught.value.message


def test_changes_of_this_host_by_recipe(file: Path) -> None:
    text = (
        "models:\n  Qwen/Qwen3-32B-FP8: {profile: guide, image: 'a/b:1', driver: compose}\n"
        "  ollama/qwen3:latest: {flags: {num_ctx: 8192}}\n"
        "  qwen3-8b-fp8: {flags: {seed: 1}}\n"
    )
    settings = loaded(file, text)
    changes = host_changes(settings, CATALOG)
    assert list(changes) == ["qwen3-32b-fp8", "ollama/qwen3", "qwen3-8b-fp8"]
    assert changes["qwen3-32b-fp8"].profile == "guide"
    assert changes["ollama/qwen3"].flags == {"num_ctx": 8192}
    flags = {name: each.flags for name, each in host_changes(settings, CATALOG).items()}
    assert flags == {
        "qwen3-32b-fp8": {},
        "qwen3-8b-fp8": {"seed": 1},
        "ollama/qwen3": {"num_ctx": 8192},
    }


def test_a_flag_of_the_images_version_is_taken(file: Path) -> None:
    """swap_space was gone by the recorded version, and the image of the recipe has it."""
    settings = loaded(file, "models: {qwen3-32b: {flags: {swap_space: 0}}}")
    assert host_changes(settings, CATALOG)["qwen3-32b"].flags == {"swap_space": 0}
    newer = "models: {qwen3-32b: {image: 'vllm/vllm-openai:v0.33.0', flags: {swap_space: 0}}}"
    with pytest.raises(UsageError, match="swap_space"):
        host_changes(loaded(file, newer), CATALOG)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models:\n  nothing: {}\n", ":2: models.nothing: There is no model 'nothing'"),
        (
            "models:\n\n  qwen3-8b-fp8: {flags: {max_num_seq: 1}}\n",
            ":3: models.qwen3-8b-fp8: vLLM",
        ),
        (
            "models:\n  qwen3-32b-awq: {profile: guide}\n",
            ":2: models.qwen3-32b-awq: qwen3-32b-awq has no guide",
        ),
        ("models:\n  ollama/a: {flags: {seed: 1}}", "takes num_ctx alone, not 'seed'"),
        ("models:\n  ollama/a: {flags: {num_ctx: many}}", "takes a whole number from 1 to"),
        ("models:\n  ollama/a: {flags: {num_ctx: true}}", "takes a whole number from 1 to"),
        ("models:\n  ollama/a: {image: x}", ":2: models.ollama/a.image: this is for vLLM's"),
        ("models:\n  ollama/: {}", "models.ollama/: 'ollama/' is no name of a model"),
        ("models: {ollama/a: {}, 'ollama/a:latest': {}}", "the model ollama/a is there twice"),
    ],
)
def test_mistakes_in_models(file: Path, text: str, said: str) -> None:
    with pytest.raises(SparkwellError) as caught:
        host_changes(loaded(file, text), CATALOG)
    assert said in caught.value.message


def test_the_gateway_settings_are_read_as_they_are_used(file: Path) -> None:
    file.write_text(
        "gateway:\n"
        "  access_log: off\n"
        "  names: [Spark.Home.Example.]\n"
        "  cors_origins: ['HTTPS://Chat.Example:443/', 'http://[::1]:3000', 'app://obsidian.md']\n"
        "  tls: {certificate: full.pem, key: /etc/key.pem}\n"
    )
    gateway = load_settings(file).gateway
    assert gateway.access_log == "off"  # which YAML takes for false
    assert gateway.names == ("spark.home.example",)
    assert gateway.cors_origins == (
        "https://chat.example",
        "http://[::1]:3000",
        "app://obsidian.md",
    )
    assert gateway.tls is not None
    assert gateway.tls.certificate == str(file.parent / "full.pem")
    assert gateway.tls.key == "/etc/key.pem"
