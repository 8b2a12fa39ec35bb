"""An engine's error becomes OpenAI's, whatever its shape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.gateway.engine_errors import MOST_SHOWN, in_envelope

VLLM = {
    "error": {
        "message": "This model's maximum context length is 40960 tokens.",
        "type": "BadRequestError",
        "param": "input_tokens",
        "code": 400,
    }
}
VLLM_010 = {"object": "error", **VLLM["error"]}


@pytest.mark.parametrize("said", [VLLM, VLLM_010], ids=["0.25", "0.10"])
def test_vllms_own_words_stay(said: dict[str, object]) -> None:
    assert in_envelope(400, json.dumps(said).encode()) == VLLM["error"]


@pytest.mark.parametrize(
    ("status", "body", "message", "kind"),
    [
        (404, b'{"error": "model not found"}', "model not found", "invalid_request_error"),
        (500, b"Internal Server Error\n", "Internal Server Error", "server_error"),
        (502, b"", "The engine answered with status 502.", "server_error"),
        (429, b"{}", "{}", "rate_limit_error"),
        (400, b'{"detail": "There was an error"}', '{"detail": "There was an error"}', None),
        (400, b'{"error": {"message": 5, "code": true}}', None, None),
        (400, b'["x"]', '["x"]', None),
        (400, b"\xff", "�", None),
        (400, b"[" * 9999, None, None),
    ],
)
def test_other_shapes(status: int, body: bytes, message: str | None, kind: str | None) -> None:
    error = in_envelope(status, body)
    assert message is None or error["message"] == message
    assert kind is None or error["type"] == kind
    assert (error["code"], error["param"]) == (status, None)


def test_a_page_of_text_is_cut() -> None:
    assert in_envelope(500, b"x" * 9999)["message"] == "x" * MOST_SHOWN


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message"]), inner),
)


@given(st.integers(400, 599), st.binary() | values.map(lambda value: json.dumps(value).encode()))
def test_it_is_always_an_error_that_openais_clients_can_read(status: int, body: bytes) -> None:
    error = in_envelope(status, body)
    assert list(error) == ["message", "type", "param", "code"]
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert isinstance(error["code"], str | int)
    assert json.loads(json.dumps(error)) == error
