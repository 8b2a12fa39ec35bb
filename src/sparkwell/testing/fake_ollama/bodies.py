"""Requests and refusals as Ollama reads and writes them."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from sparkwell.core.errors import UsageError

JSON_LINES = "application/x-ndjson"


class ApiError(Exception):
    """A refusal: ``{"error": message}`` with a status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write errors as Ollama does."""
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response({"error": error.message}, status=error.status)
    except UsageError:
        return web.json_response({"error": "invalid model name"}, status=400)


async def read_body(request: web.Request) -> dict[str, Any]:
    """The JSON object, whatever the content type says: curl -d sends none."""
    try:
        body = json.loads(await request.read() or b"null")
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    if body is None:
        raise ApiError(400, "missing request body")
    if not isinstance(body, dict):
        raise ApiError(400, "json: cannot unmarshal into Go value")
    return body


def name_in(body: Mapping[str, Any]) -> str:
    """The model that a body names."""
    name = body.get("model") or body.get("name")
    if not isinstance(name, str):
        raise ApiError(400, "invalid model name")
    return name
