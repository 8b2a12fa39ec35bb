"""A strict reader of event streams, by the WHATWG's rules and then some.

Stricter than the rules where a client might be: no empty line that ends nothing (some clients
take it for an event without data), no field that is not known, nothing left over at the end.
"""

import json
from typing import Any

Part = tuple[str, str]  # ("comment", words) or ("data", text)

FIELDS = ("data", "event", "id", "retry")


def parse(stream: bytes) -> list[Part]:
    """Comments and events in their order; AssertionError for what no stream should have."""
    parts: list[Part] = []
    data: list[str] = []
    assert stream.endswith(b"\n"), stream[-40:]
    for line in stream.decode("utf-8").removesuffix("\n").split("\n"):
        assert "\r" not in line
        name, colon, value = line.partition(":")
        if not line:
            assert data, "an empty line that ends no event"
            parts.append(("data", "\n".join(data)))
            data = []
        elif not name:
            assert not data, "a comment inside an event"
            parts.append(("comment", value.removeprefix(" ")))
        else:
            assert name in FIELDS, line
            assert colon
            data += [value.removeprefix(" ")] if name == "data" else []
    assert not data, "an event without its end"
    return parts


def comments(parts: list[Part]) -> list[str]:
    """The comments."""
    return [text for kind, text in parts if kind == "comment"]


def events(parts: list[Part]) -> list[str]:
    """The data of the events."""
    return [text for kind, text in parts if kind == "data"]


def only_error(parts: list[Part]) -> dict[str, Any]:
    """The error of a stream that has no other event, in OpenAI's shape."""
    (text,) = events(parts)
    document = json.loads(text)
    assert set(document) == {"error"}
    error = document["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)
