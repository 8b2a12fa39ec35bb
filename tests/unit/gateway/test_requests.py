"""What the gateway refuses, and in which words: always OpenAI's envelope, never a traceback."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web
from tests.unit.gateway.conftest import MAX_BODY, QUICK, Client, Engine, FakeBackend

from sparkwell.core.launch import Endpoint
from sparkwell.drivers.process.shim.ending import LEFTOVER_GRACE_S
from sparkwell.gateway.comments import Pace

CHAT = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}


async def refused(
    client: Client,
    *,
    method: str = "POST",
    path: str = CHAT,
    data: object = None,
    headers: Mapping[str, str] = JSON,
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """The status, the error, and the headers of an answer in the envelope."""
    async with client.request(method, path, data=data, headers=headers) as response:
        assert response.content_type == "application/json"
        body = await response.json()
        assert list(body) == ["error"]
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return response.status, body["error"], response.headers


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not JSON: Expecting value: line 1 column 1 (char 0)."),
        (b"{", "The body is not JSON: Expecting property name enclosed in double quotes"),
        (b'{"model": "a"', "The body is not JSON: "),
        (b"\xff\xfe\xfa", "The body is not JSON: "),
        (b'{"model": "\xff"}', "The body is not JSON: "),
        (b"9" * 5000, "The body is not JSON: "),
        (b"[]", "The body must be a JSON object, not a list."),
        (b'"text"', "The body must be a JSON object, not a text."),
        (b"1.5", "The body must be a JSON object, not a number."),
        (b"true", "The body must be a JSON object, not true or false."),
        (b"null", "The body must be a JSON object, not null."),
        (b"{}", 'The body names no model. Add "model": NAME; /v1/models lists the names.'),
        (b'{"model": null}', "The body names no model."),
        (b'{"model": 5}', "The field model must be a text, not a number."),
        (b'{"model": true}', "The field model must be a text, not true or false."),
        (b'{"model": ["a"]}', "The field model must be a text, not a list."),
        (b'{"model": {}}', "The field model must be a text, not an object."),
        (b"[" * 200_000, "The body is nested too deeply."),
        (b'{"model": "a", "x": ' + b"[" * 200_000, "The body is nested too deeply."),
    ],
    ids=lambda value: repr(value[:24]),
)
async def test_wrong_bodies(
    client: Client, engine: Engine, backend: FakeBackend, body: bytes, message: str
) -> None:
    status, error, _ = await refused(client, data=body)
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == ("invalid_request", None)
    assert error["message"].startswith(message)
    assert engine.asked == []
    assert backend.granted == 0


async def test_any_depth_is_relayed_or_refused_but_never_a_mistake_of_ours(
    client: Client,
) -> None:
    """The name has to be rewritten here, so the body is read and written again."""
    for depth in (10, 300, 600, *range(880, 1000), 2000):
        body = b'{"model": "QWEN3-8B-FP8", "x": ' + b"[" * depth + b"]" * depth + b"}"
        async with client.post(CHAT, data=body, headers=JSON) as response:
            assert response.status in (200, 400), depth


@pytest.mark.parametrize(
    "declared", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
async def test_a_body_that_is_not_declared_as_json(client: Client, declared: str) -> None:
    headers = {"Content-Type": declared}
    status, error, _ = await refused(client, data=b'{"model": "a"}', headers=headers)
    assert (status, error["code"]) == (415, "unsupported_media_type")
    assert "Send the header `Content-Type: application/json`." in error["message"]


@pytest.mark.parametrize("declared", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_is_json_however_it_is_written(client: Client, declared: str) -> None:
    data = b'{"model": "qwen3-8b-fp8"}'
    async with client.post(CHAT, data=data, headers={"Content-Type": declared}) as response:
        assert response.status == 200


TOO_LARGE = "The request body is larger than 32 MB. The setting gateway.max_body_mb allows more."


async def large(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 10**6):
        yield bytes(10**6)


async def test_a_large_body_with_its_length_said(client: Client, engine: Engine) -> None:
    """The answer comes at once: the client may still be sending when it is told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {50 * 10**6}\r\n\r\n".encode())
    said = await asyncio.wait_for(reader.readuntil(b"}}"), 5)
    writer.close()
    assert said.startswith(b"HTTP/1.1 413 ")
    error = json.loads(said.split(b"\r\n\r\n")[1])["error"]
    assert (error["message"], error["code"]) == (TOO_LARGE, "request_too_large")
    assert engine.asked == []


async def test_a_large_body_without_a_length(client: Client, engine: Engine) -> None:
    status, error, _ = await refused(client, data=large(50 * 10**6))
    assert (status, error["message"], error["code"]) == (413, TOO_LARGE, "request_too_large")
    assert engine.asked == []


async def test_a_body_just_below_the_limit_goes_through(client: Client, engine: Engine) -> None:
    head, tail = b'{"model": "qwen3-8b-fp8", "x": "', b'"}'
    body = head + b"x" * (MAX_BODY - len(head) - len(tail) - 1) + tail
    async with client.post(CHAT, data=io.BytesIO(body), headers=JSON) as response:
        assert response.status == 200
    assert engine.asked[0].body == body
    assert engine.asked[0].headers["Content-Length"] == str(len(body))


async def test_an_unknown_model_gets_the_names_that_exist(client: Client) -> None:
    status, error, _ = await refused(client, data=b'{"model": "gpt-4"}')
    assert status == 404
    assert error == {
        "message": "There is no model 'gpt-4'. There are: qwen3-8b-fp8, demo-qwen3.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }


async def test_a_model_that_is_not_ready_says_what_to_do(
    client: Client, backend: FakeBackend
) -> None:
    status, error, headers = await refused(client, data=b'{"model": "demo-qwen3"}')
    assert (status, headers["Retry-After"]) == (503, "5")
    assert error == {
        "message": "The model demo-qwen3 is not loaded. Run `sparkwell up demo-qwen3`.",
        "type": "server_error",
        "param": None,
        "code": "model_not_ready",
    }
    assert backend.granted == 0


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/load_lora_adapter", "/sleep", "/nothing", "/v1/chat/completions/"]
)
async def test_an_unknown_path(client: Client, path: str) -> None:
    status, error, _ = await refused(client, path=path, data=b"{}")
    assert (status, error["code"]) == (404, "not_found")
    message = f"There is no endpoint {path}; /docs lists those that exist."
    assert error["message"] == message


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("DELETE", CHAT, "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("PUT", "/health", "GET, HEAD"),
    ],
)
async def test_a_wrong_method(client: Client, method: str, path: str, allowed: str) -> None:
    status, error, headers = await refused(client, method=method, path=path)
    assert (status, error["code"]) == (405, "method_not_allowed")
    assert error["message"] == f"{path} does not take {method}; it takes {allowed}."
    assert headers["Allow"] == allowed


async def test_a_mistake_of_ours_is_logged_and_not_shown(
    client: Client, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.models = [None]  # type: ignore[list-item]
    status, error, _ = await refused(client, data=b'{"model": "a"}')
    assert (status, error["type"], error["code"]) == (500, "server_error", "internal_error")
    assert "AttributeError" not in error["message"]
    assert "A request failed: POST /v1/chat/completions" in caplog.messages
    assert "AttributeError" in caplog.text


async def test_a_lease_is_given_back_when_the_engine_is_gone(
    client: Client, backend: FakeBackend
) -> None:
    backend.endpoint = Endpoint(uds="/nowhere/e.sock")
    status, _, _ = await refused(client, data=b'{"model": "qwen3-8b-fp8"}')
    assert status == 503
    assert backend.granted == 1 + len(QUICK.pauses_s)  # each try asks for a lease of its own
    assert backend.leases == 0


def test_tries_go_on_for_longer_than_an_engines_last_process_may_take() -> None:
    """Until that has gone nobody knows of the end: who comes meanwhile shall wait as well."""
    assert sum(Pace().pauses_s) > LEFTOVER_GRACE_S + 2


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("POST", "/cancel")])
async def test_a_response_that_no_engine_kept_says_how_one_keeps_them(
    client: Client, engine: Engine, method: str, end: str
) -> None:
    async def unknown(_request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "not found"}}, status=404)

    engine.handler = unknown
    path = f"/v1/responses/resp_1{end}"
    async with client.request(method, path, headers=JSON) as response:
        assert response.status == 404
        error = (await response.json())["error"]
    assert error["code"] == "response_not_found"
    assert "VLLM_ENABLE_RESPONSES_API_STORE=1" in error["message"]
    assert [(each.method, each.path) for each in engine.asked] == [(method, path)]
