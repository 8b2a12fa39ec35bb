"""Errors in OpenAI's envelope, so that every OpenAI client can read them."""

import json

from aiohttp import web

from sparkwell.core.errors import SparkwellError, UnknownModelError


def error_body(message: str, *, status: int, code: str, param: str | None = None) -> bytes:
    """``{"error": {message, type, param, code}}`` as JSON."""
    kind = "invalid_request_error" if 400 <= status < 500 else "server_error"
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json.dumps({"error": error}).encode()


def error_response(
    message: str, *, status: int, code: str, param: str | None = None
) -> web.Response:
    """An HTTP response with the envelope."""
    body = error_body(message, status=status, code=code, param=param)
    headers = {"Retry-After": "5"} if status == 503 else None
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def from_error(error: SparkwellError) -> web.Response:
    """The response for one of our own errors."""
    param = "model" if isinstance(error, UnknownModelError) else None
    return error_response(str(error), status=error.http_status, code=error.code, param=param)


def from_http(error: web.HTTPException, path: str) -> web.Response:
    """The response for an error of the HTTP layer: no such path, wrong method, too large."""
    match error:
        case web.HTTPNotFound():
            message = f"There is no endpoint {path}; /docs lists those that exist."
            return error_response(message, status=404, code="not_found")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            message = f"{path} does not take {error.method}; it takes {allowed}."
            response = error_response(message, status=405, code="method_not_allowed")
            response.headers["Allow"] = allowed
            return response
        case _:
            return error_response(error.reason, status=error.status, code="http_error")
