"""Reading a request as far as the gateway needs it: its size, that it is JSON, its model."""

import json
from dataclasses import dataclass

from aiohttp import web

from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.core.units import MB

LONGEST_NAME = 256


class TooLargeError(UsageError):
    """The body is larger than the gateway takes."""

    code = "request_too_large"
    http_status = 413


class MediaTypeError(UsageError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"
    http_status = 415


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request body, untouched, and the model that it names."""

    body: bytes
    model: str

    def naming(self, model: str) -> bytes:
        """The body with another model name; the same bytes when the name is the same."""
        if model == self.model:
            return self.body
        return json.dumps({**json.loads(self.body), "model": model}).encode()


async def read_model_request(request: web.Request, limit: int) -> ModelRequest:
    """Read a body of at most ``limit`` bytes; raises UsageError that says what is wrong."""
    if request.content_type != "application/json":
        raise MediaTypeError(
            f"The body is declared as {request.content_type}, not as JSON.",
            hint="Send the header `Content-Type: application/json`.",
        )
    body = await _read(request, limit)
    return ModelRequest(body, _model_of(body))


async def _read(request: web.Request, limit: int) -> bytes:
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise UsageError(f"The body cannot be read: {error}.") from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(limit) from None


def _too_large(limit: int) -> SparkwellError:
    return TooLargeError(
        f"The request body is larger than {limit / MB:.0f} MB.",
        hint="The setting gateway.max_body_mb allows more.",
    )


def _model_of(body: bytes) -> str:
    try:
        data = json.loads(body)
    except RecursionError:
        raise UsageError("The body is nested too deeply.") from None
    except ValueError as error:
        raise UsageError(f"The body is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise UsageError(f"The body must be a JSON object, not {_kind(data)}.")
    model = data.get("model")
    if model is None:
        raise UsageError(
            "The body names no model.", hint='Add "model": NAME; /v1/models lists the names.'
        )
    if not isinstance(model, str):
        raise UsageError(f"The field model must be a text, not {_kind(model)}.")
    if len(model) > LONGEST_NAME:
        raise UsageError(
            f"The field model is {len(model):,} characters long: no model is called so."
        )
    return model


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", dict: "an object"}
    return names.get(type(value), "null" if value is None else "a number")
