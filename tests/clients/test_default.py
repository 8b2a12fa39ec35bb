"""The model's name `default`: whichever is loaded."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import Home, wait_for
from tests.clients.conftest import fake_home


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = fake_home(tmp_path_factory)
    yield place
    place.clean_up()


def ask(home: Home, model: str = "default", path: str = "/v1/chat/completions") -> tuple[int, Any]:
    """Status and answer."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
    request = urllib.request.Request(  # noqa: S310
        f"{home.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def answers(home: Home, path: str = "/v1/chat/completions") -> str:
    """Which model it was."""
    status, answer = ask(home, path=path)
    assert status == 200, answer
    return str(answer["model"])


def test_it_is_the_one_that_is_loaded(home: Home) -> None:
    home.serve()
    home.ok("up", "demo-llama")
    assert answers(home) == "demo-llama"
    assert answers(home, "/v1/messages") == "demo-llama"


def test_of_several_it_is_the_one_used_last(home: Home) -> None:
    home.serve()
    home.ok("up", "demo-llama")
    home.ok("up", "demo-qwen3")
    assert ask(home, "demo-llama")[0] == 200
    wait_for(lambda: answers(home) == "demo-llama", timeout=5)
    assert ask(home, "demo-qwen3")[0] == 200
    wait_for(lambda: answers(home) == "demo-qwen3", timeout=5)


@pytest.mark.parametrize("setting", ["preload", "start"])
def test_where_none_is_loaded_it_is_the_first_of_the_settings(home: Home, setting: str) -> None:
    home.configure({setting: ["demo-llama", "demo-qwen3"]})
    home.serve()
    if setting == "preload":
        wait_for(lambda: states(home) == ["ready", "ready"])
        home.ok("down", "demo-llama")
        home.ok("down", "demo-qwen3")
    assert answers(home) == "demo-llama"


def states(home: Home) -> list[str]:
    return [one["state"] for one in home.json("ps")["instances"]]


def test_else_it_says_so(home: Home) -> None:
    home.serve()
    status, answer = ask(home)
    assert 400 <= status < 500, answer
    assert "No model is loaded" in answer["error"]["message"]
    assert "sparkwell up" in answer["error"]["message"]


def test_it_is_told_by_its_own_name(home: Home) -> None:
    """A client that reads the answer's model sees what answered."""
    home.serve()
    home.ok("up", "demo-qwen3")
    assert ask(home)[1]["model"] == "demo-qwen3"
