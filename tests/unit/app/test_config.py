"""sparkwell.yaml: the example is the reference, and mistakes are told with their line."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from sparkwell.app.config import EXAMPLE, Settings, load_settings, schema
from sparkwell.core.errors import DocumentError

EXAMPLE_DATA: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
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
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        key = line.strip().partition(":")[0]
        if key in {"host", "port", "max_body_mb", "drain_s", "start_timeout_s", "keep_logs"}:
            assert lines[number - 1].strip().startswith("#"), line


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
            "1: zzz: unknown key; expected one of: gateway, engines, recipes, model_folders, "
            "models",
        ),
        ("gateway:\n  port: 70000\n", "2: gateway.port: input should be less than"),
        ("gateway:\n\n  port: x\n", "3: gateway.port: input should be a valid integer"),
        ("engines:\n  keep_logs: 0\n", "2: engines.keep_logs: input should be greater than 0"),
        ("recipes: /one\n", "1: recipes: input should be a valid tuple"),
        ("models:\n  m:\n    flag: {}\n", "3: models.m.flag: unknown key; did you mean 'flags'?"),
        ("- a\n", "1: document: expected a mapping"),
        ("gateway: [\n", "1: this is not YAML: "),
        ("gateway: {}\ngateway: {}\n", "2: gateway: this key is there twice, first in line 1"),
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
