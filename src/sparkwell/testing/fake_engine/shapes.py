"""OpenAI's JSON shapes, filled as vLLM fills them."""

import json
from collections.abc import Iterator
from typing import Any

from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.generation import Generation

DONE = b"data: [DONE]\n\n"


def whole(generation: Generation, request_id: str, created: int, *, chat: bool) -> dict[str, Any]:
    """Write the body of an answer that is not streamed."""
    text = "".join(generation.tokens)
    content = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    return {
        **_head(generation, request_id, created, "chat.completion" if chat else "text_completion"),
        "choices": [_choice(content, generation.finish_reason)],
        "usage": generation.usage,
    }


class Chunks:
    """The events of one streamed answer, in their order: first, a token each, last."""

    def __init__(self, generation: Generation, request_id: str, created: int, *, chat: bool):
        self._generation = generation
        self._chat = chat
        kind = "chat.completion.chunk" if chat else "text_completion"
        self._head = _head(generation, request_id, created, kind)

    def first(self) -> bytes:
        """Say whose turn it is, as chat does; a completion begins with its first token."""
        return self._event({"delta": {"role": "assistant", "content": ""}}) if self._chat else b""

    def token(self, text: str) -> bytes:
        """One token."""
        return self._event({"delta": {"content": text}} if self._chat else {"text": text})

    def last(self) -> Iterator[bytes]:
        """Say why it ends, what it cost if that was asked for, and that it has ended."""
        empty: dict[str, Any] = {"delta": {"content": ""}} if self._chat else {"text": ""}
        yield self._event(empty, self._generation.finish_reason)
        if self._generation.include_usage:
            yield _sse({**self._head, "choices": [], "usage": self._generation.usage})
        yield DONE

    def _event(self, content: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return _sse({**self._head, "choices": [_choice(content, finish_reason)]})


def models(arguments: EngineArguments, created: int) -> dict[str, Any]:
    """Write the body of /v1/models: one entry for every served name."""
    return {
        "object": "list",
        "data": [
            {
                "id": name,
                "object": "model",
                "created": created,
                "owned_by": "vllm",
                "root": arguments.model,
                "parent": None,
                "max_model_len": arguments.max_model_len,
            }
            for name in arguments.served_names
        ],
    }


def _head(generation: Generation, request_id: str, created: int, kind: str) -> dict[str, Any]:
    return {"id": request_id, "object": kind, "created": created, "model": generation.model}


def _choice(content: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}


def _sse(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"
