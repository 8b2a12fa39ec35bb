"""The README's examples: right in themselves. The acceptance tests run them."""

import ast
import json
import shlex

import pytest

from sparkwell.app.settings.config import Settings
from sparkwell.core.documents import parse_document
from sparkwell.gateway.docs import openapi_document
from tests.docs.examples import (
    MODEL,
    WRITTEN_BASE,
    curl_commands,
    python_programs,
    settings_documents,
)

OTHER_BASE = "http://127.0.0.1:9"


def path_of(command: str) -> str:
    return next(word for word in shlex.split(command) if "://" in word).removeprefix(WRITTEN_BASE)


def test_the_guides_calls_are_there() -> None:
    assert [path_of(command) for command in curl_commands()] == [
        "/health",
        "/v1/models",
        "/v1/chat/completions",
        "/v1/chat/completions",
    ]
    assert len(python_programs()) == 1


@pytest.mark.parametrize("command", curl_commands(), ids=path_of)
def test_curl_commands_fit_the_endpoint(command: str) -> None:
    words = shlex.split(command)
    method = "post" if "POST" in words else "get"
    assert method in openapi_document()["paths"][path_of(command)]
    if method == "post":
        assert "Content-Type: application/json" in words
        assert json.loads(words[words.index("-d") + 1])["model"] == MODEL


def test_one_of_them_streams() -> None:
    assert sum('"stream": true' in command for command in curl_commands()) == 1


def test_python_programs_compile() -> None:
    for program in python_programs():
        ast.parse(program)
        assert f'model="{MODEL}"' in program


def test_the_address_can_be_replaced() -> None:
    for text in [*curl_commands(OTHER_BASE), *python_programs(OTHER_BASE)]:
        assert OTHER_BASE in text
        assert "localhost" not in text


def test_settings_are_valid() -> None:
    for text in settings_documents():
        parse_document(text, Settings, "README.md")
