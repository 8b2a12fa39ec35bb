"""Errors in OpenAI's envelope, or in Anthropic's on its paths, so that clients can read them."""

import json
import math
from collections.abc import Mapping

from sparkwell.core.errors import SparkwellError, UnknownModelError
from sparkwell.gateway import headers

USUAL_RETRY_S = 5
"""What a client is told that may come again when nobody knows when."""

# Of a 401 that is called an invalid request LiteLLM makes a bad request.
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error_object(
    message: str, *, status: int, code: str | int, param: str | None = None
) -> dict[str, object]:
    """``{message, type, param, code}``: what stands under ``error``."""
    return {"message": message, "type": kind(status), "param": param, "code": code}


def kind(status: int) -> str:
    """OpenAI's type of an error with that HTTP status."""
    if status in _OPENAI_TYPES:
        return _OPENAI_TYPES[status]
    return "invalid_request_error" if 400 <= status < 500 else "server_error"


def error_event(error: Mapping[str, object], status: int, path: str) -> bytes:
    """The error as one event of a stream. JSON without line breaks is one line of data."""
    named = b"event: error\n" if is_anthropic(path) else b""
    return named + b"data: " + error_body(error, status, path) + b"\n\n"


def error_body(error: Mapping[str, object], status: int, path: str) -> bytes:
    """The JSON document for an error on a path."""
    if not is_anthropic(path):
        return json.dumps({"error": error}).encode()
    type_ = _ANTHROPIC_TYPES.get(status, "api_error")
    inner = {"type": type_, "message": error["message"]}
    return json.dumps({"type": "error", "error": inner}).encode()


def is_anthropic(path: str) -> bool:
    """Whether a path is one of Anthropic's API."""
    return path == "/v1/messages" or path.startswith("/v1/messages/")


def object_of(error: SparkwellError) -> dict[str, object]:
    """One of our own errors as OpenAI's clients read it."""
    param = "model" if isinstance(error, UnknownModelError) else None
    return error_object(str(error), status=error.http_status, code=error.code, param=param)


def headers_of(error: SparkwellError) -> dict[str, str]:
    """What an answer with one of our errors says beside its body."""
    said = {"content-type": "application/json; charset=utf-8"}
    said.update(getattr(error, "headers", {}))
    retry_s = _retry_after_s(error)
    if retry_s is not None:
        said["retry-after"] = str(retry_s)
    if error.http_status == 401:
        said["www-authenticate"] = "Bearer"
    return said


def with_model(said: Mapping[str, str], model: str | None) -> dict[str, str]:
    """The same headers with the model that the error is about, if it is known."""
    return {**said, headers.MODEL: model} if model is not None else dict(said)


def _retry_after_s(error: SparkwellError) -> int | None:
    """Whole seconds, as the header wants them; not sooner than the error says."""
    if error.retry_after_s is not None:
        return max(1, math.ceil(error.retry_after_s))
    return USUAL_RETRY_S if error.http_status in (429, 503) else None
