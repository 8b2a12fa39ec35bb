"""Anthropic's messages."""

import json
from collections.abc import Iterable
from typing import Any

from sparkwell.testing.fake_engine.asked import Asked, Json, Tool, words
from sparkwell.testing.fake_engine.contents import has_pictures, text_of
from sparkwell.testing.fake_engine.dialects import Dialect
from sparkwell.testing.fake_engine.generation import Generation
from sparkwell.testing.fake_engine.problems import missing
from sparkwell.testing.fake_engine.shapes import sse, tool_id

_REASONS = {"length": "max_tokens", "tool_calls": "tool_use", "stop": "end_turn"}


def asked(request: Json) -> Asked:
    """Read /v1/messages."""
    for field in ("messages", "max_tokens"):
        if request.get(field) is None:
            raise missing(field, len(request))
    tools = [
        Tool(name=one["name"], schema=one["input_schema"]) for one in request.get("tools") or ()
    ]
    return Asked(
        model=request.get("model"),
        texts=texts(request),
        limit=request["max_tokens"],
        stop=words(request.get("stop_sequences")),
        tools=tuple(tools),
        choice=_choice(request),
        answers_tool=_answers_tool(request["messages"][-1].get("content")),
        pictures=any(has_pictures(message.get("content")) for message in request["messages"]),
        stream=bool(request.get("stream")),
    )


def _choice(request: Json) -> str:
    choice = request.get("tool_choice") or {"type": "auto" if request.get("tools") else "none"}
    kind = str(choice["type"])
    return str(choice["name"]) if kind == "tool" else {"any": "required"}.get(kind, kind)


def texts(request: Json) -> tuple[str, ...]:
    """The system's words, and each message's."""
    system = [text_of(request["system"])] if request.get("system") else []
    return (*system, *(text_of(message.get("content")) for message in request["messages"]))


def _answers_tool(content: object) -> bool:
    return isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)


class Message:
    """One message, whole or in events."""

    def __init__(self, generation: Generation, request_id: str, _created: int, _request: Json):
        self._generation, self._id = generation, request_id

    def whole(self, given: Generation) -> dict[str, Any]:
        """Write the message."""
        return {
            **self._head(),
            "content": [self._block(given.text)],
            **_ended(given),
            "usage": _usage(given),
        }

    def first(self) -> bytes:
        """Begin the message, and the one block of its content."""
        begun = {
            **self._head(),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(self._generation.given([])),
        }
        block = {"content_block": self._block(""), "index": 0}
        return _event("message_start", {"message": begun}) + _event("content_block_start", block)

    def token(self, text: str) -> bytes:
        """One token."""
        delta = {"type": "text_delta", "text": text}
        if self._generation.tool:
            delta = {"type": "input_json_delta", "partial_json": text}
        return _event("content_block_delta", {"delta": delta, "index": 0})

    def last(self, given: Generation) -> Iterable[bytes]:
        """Say why it ends and what it cost."""
        yield _event("content_block_stop", {"index": 0})
        delta = {"stop_sequence": None, **_ended(given)}
        yield _event("message_delta", {"delta": delta, "usage": _usage(given)})
        yield _event("message_stop", {})

    def _head(self) -> dict[str, Any]:
        model = self._generation.model
        return {"id": self._id, "type": "message", "role": "assistant", "model": model}

    def _block(self, text: str) -> dict[str, Any]:
        if not self._generation.tool:
            return {"type": "text", "text": text}
        call = {"type": "tool_use", "id": tool_id(self._id), "name": self._generation.tool}
        return {**call, "input": _arguments(text)}


def _arguments(text: str) -> Any:
    """A call that was cut short has none."""
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _ended(given: Generation) -> dict[str, Any]:
    if given.stop_reason is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": given.stop_reason}
    reason = "tool_use" if given.tool else _REASONS.get(given.finish_reason, "end_turn")
    return {"stop_reason": reason}


def _usage(given: Generation) -> dict[str, int]:
    return {"input_tokens": given.prompt_tokens, "output_tokens": len(given.tokens)}


def _event(name: str, document: dict[str, Any]) -> bytes:
    return sse({"type": name, **document}, name)


MESSAGES = Dialect("chatcmpl-", asked, Message)
