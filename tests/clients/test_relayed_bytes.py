"""What an engine refuses reaches the client as the engine said it: status, kind, every byte."""

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Home
from tests.clients.record import UnixConnection

PIXEL = "data:image/png;base64,iVBORw0KGgo="
VISION = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}]
SEEN = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
USER = [{"role": "user", "content": "hi"}]
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "vision": ("/v1/chat/completions", {"messages": VISION}),
    "vision in a stream": ("/v1/chat/completions", {"messages": VISION, "stream": True}),
    "vision in a message": (
        "/v1/messages",
        {
            "max_tokens": 9,
            "messages": [{"role": "user", "content": [{"type": "image", "source": SEEN}]}],
        },
    ),
    "vision in a response": (
        "/v1/responses",
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PIXEL}]}]},
    ),
    "too few tokens": ("/v1/chat/completions", {"messages": USER, "max_tokens": 0}),
    "too many tokens": ("/v1/completions", {"prompt": "hi", "max_tokens": 100_000}),
    "no messages": ("/v1/chat/completions", {}),
    "no max_tokens": ("/v1/messages", {"messages": USER}),
    "no input": ("/v1/embeddings", {}),
    "a tool that is not there": (
        "/v1/chat/completions",
        {"messages": USER, "tool_choice": {"type": "function", "function": {"name": "nothing"}}},
    ),
}
Told = tuple[int, str | None, bytes]


def told(connection: http.client.HTTPConnection, path: str, body: bytes) -> Told:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], content


def socket_of(home: Home) -> str:
    """The engine's own socket, past the gateway."""
    (launch,) = (home.paths.state / "instances").glob("*/launch.json")
    return str(Path(json.loads(launch.read_text())["sockets"]) / "engine.sock")


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_relayed_as_it_is(served: Home, name: str) -> None:
    path, asked = REFUSED[name]
    body = json.dumps({"model": "demo-qwen3", **asked}).encode()
    engines = told(UnixConnection(socket_of(served)), path, body)
    gateways = told(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60), path, body)
    assert engines[0] == 400
    assert gateways == engines
