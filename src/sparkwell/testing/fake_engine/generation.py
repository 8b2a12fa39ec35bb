"""What to answer, decided from the request alone: words that say who heard what."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sparkwell.testing.fake_engine.arguments import EngineArguments

_COMPLETION_TOKENS = 16  # the default of /v1/completions


class ProblemError(Exception):
    """Why a request is refused."""

    def __init__(
        self, status: int, message: str, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.param = status, message, kind, param

    def envelope(self) -> dict[str, object]:
        """Give the body of the response."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.status,
            }
        }


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer to give. A token is a word here, with the space before it."""

    model: str
    prompt_tokens: int
    tokens: tuple[str, ...]
    finish_reason: str
    stream: bool
    include_usage: bool

    @property
    def usage(self) -> dict[str, int]:
        """OpenAI's usage object."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + len(self.tokens),
            "completion_tokens": len(self.tokens),
        }


def plan(
    body: bytes, *, chat: bool, arguments: EngineArguments, reply_tokens: int | None
) -> Generation:
    """Decide what to generate; ProblemError is raised as vLLM would refuse the request."""
    request = _parsed(body)
    model = _known_model(request, arguments)
    prompt = _messages_text(request) if chat else _prompt_text(request)
    prompt_tokens = len(" ".join(prompt).split())
    limit = _limit(request, chat, arguments.max_model_len, prompt_tokens)
    exactly = limit if request.get("ignore_eos") else reply_tokens
    words = list(_reply(model, prompt[-1] if prompt else "", exactly))
    return Generation(
        model=model,
        prompt_tokens=prompt_tokens,
        tokens=tuple(word if at == 0 else f" {word}" for at, word in enumerate(words[:limit])),
        finish_reason="length" if len(words) >= limit else "stop",
        stream=bool(request.get("stream")),
        include_usage=bool((request.get("stream_options") or {}).get("include_usage")),
    )


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except ValueError as error:
        raise ProblemError(400, f"JSON decode error: {error}", "Bad Request") from error
    if not isinstance(request, dict):
        raise ProblemError(400, "Input should be a valid dictionary", "Bad Request")
    return request


def _known_model(request: dict[str, Any], arguments: EngineArguments) -> str:
    name = request.get("model") or arguments.served_names[0]
    if name not in arguments.served_names:
        message = f"The model `{name}` does not exist."
        raise ProblemError(404, message, kind="NotFoundError", param="model")
    return str(name)


def _messages_text(request: dict[str, Any]) -> list[str]:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ProblemError(400, "[{'type': 'missing', 'loc': ('body', 'messages')}]", "Bad Request")
    return [_content_text(message.get("content")) for message in messages]


def _content_text(content: object) -> str:
    """Read a message's content: a string, or parts of which some are text."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _prompt_text(request: dict[str, Any]) -> list[str]:
    """Read a prompt: a string, token ids, or a list of either."""
    prompt = request.get("prompt")
    if prompt is None:
        raise ProblemError(400, "[{'type': 'missing', 'loc': ('body', 'prompt')}]", "Bad Request")
    if isinstance(prompt, list):
        return [" ".join(str(part) for part in prompt)]
    return [str(prompt)]


def _limit(request: dict[str, Any], chat: bool, max_model_len: int, prompt_tokens: int) -> int:
    room = max_model_len - prompt_tokens
    asked = request.get("max_completion_tokens") or request.get("max_tokens")
    if request.get("max_tokens") == 0 or (asked is not None and asked < 1):
        message = f"max_tokens must be at least 1, got {asked or 0}."
        raise ProblemError(400, message, param="max_tokens")
    if room < 1 or (asked or 0) > room:
        raise ProblemError(400, _too_large(asked, max_model_len, prompt_tokens), param="max_tokens")
    return int(asked or (room if chat else min(room, _COMPLETION_TOKENS)))


def _too_large(asked: int | None, max_model_len: int, prompt_tokens: int) -> str:
    return (
        f"'max_tokens' or 'max_completion_tokens' is too large: {asked}. This model's maximum "
        f"context length is {max_model_len} tokens and your request has {prompt_tokens} input "
        f"tokens ({asked} > {max_model_len} - {prompt_tokens})."
    )


def _reply(model: str, heard: str, exactly: int | None) -> Iterator[str]:
    """``MODEL heard: WORDS``, cut or padded with counted words where a length is wanted."""
    words = itertools.chain([model, "heard:"], heard.split())
    if exactly is None:
        return words
    padding = (f"word{at}" for at in itertools.count(1))
    return itertools.islice(itertools.chain(words, padding), exactly)
