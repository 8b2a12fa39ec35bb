"""OpenAI's JSON shapes of chats and completions, filled as vLLM fills them."""

import json
from collections.abc import Iterator
from typing import Any

from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.generation import Generation
from sparkwell.testing.fake_engine.probabilities import chat_logprobs, completion_logprobs

DONE = b"data: [DONE]\n\n"


def whole(generation: Generation, request_id: str, created: int, *, chat: bool) -> dict[str, Any]:
    """Write the body of an answer that is not streamed."""
    message = {"message": _message(generation, request_id)}
    content: dict[str, Any] = message if chat else {"text": generation.text}
    logprobs = _logprobs(generation, generation.tokens, 0, chat=chat)
    choices = [
        {**_choice(at, content, generation.finish_reason, logprobs), **_reason(generation)}
        for at in range(generation.choices)
    ]
    return {
        **_head(generation, request_id, created, "chat.completion" if chat else "text_completion"),
        "choices": choices,
        "usage": generation.usage,
    }


class Chunks:
    """The events of one streamed answer, in their order: first, a token each, last."""

    def __init__(self, generation: Generation, request_id: str, created: int, *, chat: bool):
        self._generation, self._chat, self._created = generation, chat, created
        self._request_id = request_id
        kind = "chat.completion.chunk" if chat else "text_completion"
        self._head = _head(generation, request_id, created, kind)
        self._said: list[str] = []

    def whole(self, given: Generation) -> dict[str, Any]:
        """Write the body of the answer as it was given, not streamed."""
        return whole(given, self._request_id, self._created, chat=self._chat)

    def first(self) -> bytes:
        """Say whose turn it is, as chat does; a completion begins with its first token."""
        if not self._chat:
            return b""
        events = self._events({"delta": {"role": "assistant", "content": ""}})
        return events + (self._tool({"id": True}) if self._generation.tool else b"")

    def token(self, text: str) -> bytes:
        """One token."""
        self._said.append(text)
        if self._generation.tool:
            return self._tool({"arguments": text})
        offset = len("".join(self._said[:-1]))
        logprobs = _logprobs(self._generation, (text,), offset, chat=self._chat)
        return self._events(
            {"delta": {"content": text}} if self._chat else {"text": text}, logprobs
        )

    def last(self, given: Generation | None = None) -> Iterator[bytes]:
        """Say why it ends, what it cost if that was asked for, and that it has ended."""
        given = given or self._generation
        empty: dict[str, Any] = {"delta": {"content": ""}} if self._chat else {"text": ""}
        yield self._events({**empty, **_reason(given)}, None, given.finish_reason)
        if given.include_usage:
            yield sse({**self._head, "choices": [], "usage": given.usage})
        yield DONE

    def _tool(self, told: dict[str, Any]) -> bytes:
        """A piece of the call: first which tool, then its arguments."""
        call = {"index": 0, "function": told}
        if "id" in told:
            named = {"name": self._generation.tool}
            call = {"id": tool_id(self._request_id), "type": "function", **call, "function": named}
        return self._events({"delta": {"content": None, "tool_calls": [call]}})

    def _events(
        self,
        content: dict[str, Any],
        logprobs: dict[str, Any] | None = None,
        finish_reason: str | None = None,
    ) -> bytes:
        usage = {}
        if self._generation.continuous_usage:
            usage = {"usage": self._generation.given(self._said).usage}
        return b"".join(
            sse({**self._head, "choices": [_choice(at, content, finish_reason, logprobs)], **usage})
            for at in range(self._generation.choices)
        )


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


def tool_id(request_id: str) -> str:
    """Name the call of a tool, one for each answer."""
    return f"chatcmpl-tool-{request_id.rpartition('-')[2][-16:]}"


def sse(document: dict[str, Any], event: str = "") -> bytes:
    """Write one event; with its name where the dialect has names."""
    named = f"event: {event}\n".encode() if event else b""
    return named + b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _message(generation: Generation, request_id: str) -> dict[str, Any]:
    if not generation.tool:
        return {"role": "assistant", "content": generation.text}
    function = {"name": generation.tool, "arguments": generation.text}
    call = {"id": tool_id(request_id), "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _logprobs(
    generation: Generation, tokens: tuple[str, ...], offset: int, *, chat: bool
) -> dict[str, Any] | None:
    if generation.logprobs is None:
        return None
    alternatives = generation.logprobs
    if chat:
        return chat_logprobs(tokens, alternatives)
    return completion_logprobs(tokens, alternatives, offset)


def _reason(generation: Generation) -> dict[str, Any]:
    return {"stop_reason": generation.stop_reason} if generation.stop_reason else {}


def _head(generation: Generation, request_id: str, created: int, kind: str) -> dict[str, Any]:
    return {"id": request_id, "object": kind, "created": created, "model": generation.model}


def _choice(
    at: int, content: dict[str, Any], finish_reason: str | None, logprobs: dict[str, Any] | None
) -> dict[str, Any]:
    return {"index": at, **content, "logprobs": logprobs, "finish_reason": finish_reason}
