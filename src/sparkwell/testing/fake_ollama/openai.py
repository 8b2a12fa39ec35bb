"""The routes of /v1 as Ollama has them: no context can be asked for, nor how long to stay."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from sparkwell.core.errors import UsageError
from sparkwell.testing.fake_engine.generation import Generation
from sparkwell.testing.fake_engine.shapes import Chunks, whole
from sparkwell.testing.fake_ollama.bodies import ApiError, read_body
from sparkwell.testing.fake_ollama.library import FakeModel, Library
from sparkwell.testing.fake_ollama.scheduler import LoadError, Scheduler

_KINDS = {400: "invalid_request_error", 404: "not_found_error"}
_EVENTS = {"Content-Type": "text/event-stream"}


class OpenAi:
    """Answers /v1 with words that say who heard what."""

    def __init__(self, stored: Library, scheduler: Scheduler, token_s: float) -> None:
        self._stored, self._scheduler, self._token_s = stored, scheduler, token_s

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/v1/models", self.models),
            web.get("/v1/models/{model:.+}", self.model),
            web.post("/v1/chat/completions", self.chat),
            web.post("/v1/completions", self.completion),
        ]

    async def models(self, _: web.Request) -> web.Response:
        """GET /v1/models."""
        data = [_entry(model) for model in self._stored]
        return web.json_response({"object": "list", "data": data})

    async def model(self, request: web.Request) -> web.Response:
        """GET /v1/models/NAME."""
        return web.json_response(_entry(self._known(request.match_info["model"])))

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        body = await read_body(request)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise ApiError(400, "[] is too short - 'messages'")
        return await self._answer(request, body, str(messages[-1].get("content")), chat=True)

    async def completion(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/completions; a prompt is a text and nothing else."""
        body = await read_body(request)
        if not isinstance(body.get("prompt"), str):
            raise ApiError(400, "json: cannot unmarshal into Go struct field prompt of type string")
        return await self._answer(request, body, body["prompt"], chat=False)

    async def _answer(
        self, request: web.Request, body: dict[str, Any], heard: str, *, chat: bool
    ) -> web.StreamResponse:
        model = self._known(str(body.get("model") or ""))
        answer = _generation(body, heard)
        try:
            async with self._scheduler.use(model, None, None):
                if answer.stream:
                    return await self._stream(request, answer, chat=chat)
                async for _ in self._paced(answer):
                    pass
                return web.json_response(whole(answer, _id(chat), int(time.time()), chat=chat))
        except LoadError as error:
            raise ApiError(500, str(error)) from None

    async def _stream(
        self, request: web.Request, answer: Generation, *, chat: bool
    ) -> web.StreamResponse:
        chunks = Chunks(answer, _id(chat), int(time.time()), chat=chat)
        response = web.StreamResponse(headers=_EVENTS)
        await response.prepare(request)
        async for token in self._paced(answer):
            await response.write(chunks.token(token))
        await response.write(b"".join(chunks.last()))
        return response

    async def _paced(self, answer: Generation) -> AsyncIterator[str]:
        for token in answer.tokens:
            await asyncio.sleep(self._token_s)
            yield token

    def _known(self, name: str) -> FakeModel:
        model = self._stored.find(name)
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        return model


@web.middleware
async def envelopes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put refusals of /v1 into OpenAI's envelope."""
    try:
        return await handler(request)
    except (ApiError, UsageError) as error:
        if not request.path.startswith("/v1/"):
            raise
        status = error.status if isinstance(error, ApiError) else 400
        said = {
            "message": str(error),
            "type": _KINDS.get(status, "api_error"),
            "param": None,
            "code": None,
        }
        return web.json_response({"error": said}, status=status)


def _generation(body: dict[str, Any], heard: str) -> Generation:
    """``MODEL heard: WORDS``, cut at max_tokens."""
    words = [str(body["model"]), "heard:", *heard.split()]
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or len(words)
    tokens = tuple(word if at == 0 else f" {word}" for at, word in enumerate(words[:limit]))
    options = body.get("stream_options") or {}
    return Generation(
        model=str(body["model"]),
        prompt_tokens=len(heard.split()),
        tokens=tokens,
        finish_reason="length" if len(words) > limit else "stop",
        stream=bool(body.get("stream")),
        include_usage=bool(options.get("include_usage")),
    )


def _id(chat: bool) -> str:
    return f"{'chatcmpl' if chat else 'cmpl'}-{time.monotonic_ns() % 1000}"


def _entry(model: FakeModel) -> dict[str, object]:
    return {
        "id": model.name.short,
        "object": "model",
        "created": 1_759_559_643,
        "owned_by": model.name.namespace,
    }
