"""Reading a request as far as the gateway needs it: JSON, the model, whether it streams."""

import json
import zlib
from dataclasses import dataclass
from typing import Any

import msgspec

from sparkwell.checks.serving_repeats import END_BYTES, Ends, ends_of
from sparkwell.core.errors import UsageError
from sparkwell.gateway.splicing import depth, spliced
from sparkwell.gateway.wire.incoming import too_large

LONGEST_NAME = 256
DEEPEST = 128
"""How deep a body may be nested: engines read it with parsers that call themselves."""


_Options = msgspec.Raw | msgspec.UnsetType


class _Asked(msgspec.Struct):
    """The few fields that are read; what stands beside them is passed over."""

    model: str | None = None
    stream: Any = None
    stream_options: _Options = msgspec.UNSET


class _AskedMore(_Asked):
    """Those of a body that may have a long prompt."""

    messages: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()


class _Edited(msgspec.Struct):
    """The fields that may be edited, as they stand there."""

    model: msgspec.Raw = msgspec.Raw()
    stream_options: msgspec.Raw = msgspec.Raw()


_SHORT = msgspec.json.Decoder(_Asked)
_LONG = msgspec.json.Decoder(_AskedMore)
_FOUND = msgspec.json.Decoder(_Edited)


@dataclass(slots=True)  # frozen would take three times as long to make, once a request
class ModelRequest:
    """A request body, untouched, the model that it names, and whether it asks for events.

    ``ends`` are the first and the last KiB of what is asked, where it is as long as that: by them
    it is counted whether prompts repeat. ``wants_usage``: it asks for a last event that says how
    many tokens were used.
    """

    body: bytes
    model: str
    stream: bool = False
    wants_usage: bool = False
    ends: Ends | None = None

    def edited(self, model: str, *, with_usage: bool = False) -> bytes:
        """The body with another model name, and with the wish for a last event about tokens.

        The same bytes where neither is to change.
        """
        if model == self.model and not with_usage:
            return self.body
        name, options = _found(self.body)
        values: dict[str, tuple[bytes, object]] = {}
        if model != self.model:
            values["model"] = name, model
        if with_usage:
            values["stream_options"] = options, {**_object(options), "include_usage": True}
        return spliced(self.body, values)


def read_model_request(body: bytes) -> ModelRequest:
    """Read a body; raises UsageError that says what is wrong."""
    asked = _asked(body)
    if body.count(b"[") + body.count(b"{") > DEEPEST and depth(body) > DEEPEST:
        raise _too_deep()
    model = asked.model
    if model is None or len(model) > LONGEST_NAME:
        raise _wrong_model(model)
    return ModelRequest(
        body,
        model,
        asked.stream is True,
        _wants_usage(asked.stream_options),
        _ends(asked) if isinstance(asked, _AskedMore) else None,
    )


def _asked(body: bytes) -> _Asked:
    try:
        return (_SHORT if len(body) < END_BYTES else _LONG).decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, ValueError):
        return _asked_by_python(body)


def _wants_usage(options: _Options) -> bool:
    if isinstance(options, msgspec.UnsetType):
        return False
    return _object(bytes(options)).get("include_usage") is True


def _ends(asked: _AskedMore) -> Ends | None:
    return ends_of(bytes(asked.messages) or bytes(asked.prompt))


def _found(body: bytes) -> tuple[bytes, bytes]:
    """The JSON of the fields model and stream_options; empty for one that is missing."""
    try:
        found = _FOUND.decode(body)
    except (msgspec.MsgspecError, ValueError):  # see _asked_by_python
        data = json.loads(body.decode())
        model, options = (
            json.dumps(data[name]).encode() if name in data else b""
            for name in ("model", "stream_options")
        )
        return model, options
    return bytes(found.model), bytes(found.stream_options)


def _object(text: bytes) -> dict[str, object]:
    value = json.loads(text) if text else None
    return value if isinstance(value, dict) else {}


def unpacked(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The body as it was before it was compressed; raises UsageError for what cannot be read.

    It is unpacked no further than ``limit`` bytes: a few kilobytes can stand for gigabytes.
    """
    match (encoding or "identity").strip().lower():
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        case "deflate":
            reader = zlib.decompressobj(zlib.MAX_WBITS if body[:1] == b"\x78" else -zlib.MAX_WBITS)
        case _:
            raise UsageError(
                f"The body is compressed by {encoding!r}, which is not understood here.",
                hint="Send it as it is, or compressed by gzip or deflate.",
            )
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise UsageError(f"The compressed body cannot be read: {error}.") from None
    if len(plain) > limit:
        raise too_large(limit)
    if not reader.eof:
        raise UsageError("The compressed body is not whole.")
    return plain


def _asked_by_python(body: bytes) -> _Asked:
    """What msgspec refuses: wrong in words that say more, or passed on all the same.

    NaN and half a surrogate pair are no JSON, but engines take them, or say what is wrong.
    """
    try:
        data = json.loads(body.decode())  # as bytes it might be taken for UTF-16
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise UsageError(f"The body is not JSON: {error}.") from None
    if not isinstance(data, dict):
        raise UsageError(f"The body must be a JSON object, not {_kind(data)}.")
    model = data.get("model")
    if model is not None and not isinstance(model, str):
        raise UsageError(f"The field model must be a text, not {_kind(model)}.")
    options = json.dumps(data["stream_options"]).encode() if "stream_options" in data else None
    raw = msgspec.UNSET if options is None else msgspec.Raw(options)
    return _Asked(model, data.get("stream"), raw)


def _too_deep() -> UsageError:
    return UsageError("The body is nested too deeply.")


def _wrong_model(model: str | None) -> UsageError:
    if model is None:
        return UsageError(
            "The body names no model.", hint='Add "model": NAME; /v1/models lists the names.'
        )
    return UsageError(f"The field model is {len(model):,} characters long: no model is called so.")


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", dict: "an object"}
    return names.get(type(value), "null" if value is None else "a number")
