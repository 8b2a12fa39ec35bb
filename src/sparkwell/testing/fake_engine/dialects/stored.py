"""Responses that are kept: asked for again by their id, made in the background, cancelled.

As vLLM where VLLM_ENABLE_RESPONSES_API_STORE is 1. What is streamed is not kept here.
"""

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from sparkwell.testing.fake_engine.answering import Answering
from sparkwell.testing.fake_engine.asked import Json, parsed
from sparkwell.testing.fake_engine.dialects.response_body import body
from sparkwell.testing.fake_engine.dialects.responses import RESPONSES
from sparkwell.testing.fake_engine.problems import ProblemError

_MOST = 1000


class Stored:
    """The routes of /v1/responses."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._kept: dict[str, Json] = {}
        self._made: dict[str, asyncio.Task[None]] = {}

    def routes(self) -> list[web.RouteDef]:
        """All three."""
        return [
            web.post("/v1/responses", self.create),
            web.get("/v1/responses/{id}", self.retrieve),
            web.post("/v1/responses/{id}/cancel", self.cancel),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Answer, and keep the answer; or say only that it will be made."""
        asked = parsed(await request.read())
        if asked.get("background"):
            return self._in_background(asked)
        answer = await self._answering.answer(request, RESPONSES)
        if isinstance(answer, web.Response) and answer.text and asked.get("store", True):
            self._keep(json.loads(answer.text))
        return answer

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        """The response as it is now."""
        return web.json_response(self._found(request))

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """End what is made in the background."""
        found = self._found(request)
        if found["id"] not in self._made:
            said = "Cannot cancel a synchronous response."
            raise ProblemError(400, said, "invalid_request_error", "response_id")
        self._made[found["id"]].cancel()
        if found["status"] in ("queued", "in_progress"):
            found["status"] = "cancelled"
        return web.json_response(found)

    def _in_background(self, asked: Json) -> web.Response:
        generation = self._answering.plan(asked, RESPONSES)
        request_id = self._answering.new_id(RESPONSES)
        queued = body(None, request_id, int(time.time()), asked, generation.model, "queued")
        self._keep(queued)

        async def make() -> None:
            queued["status"] = "in_progress"
            given = await self._answering.generate(generation)
            queued.update(body(given, request_id, queued["created_at"], asked))

        self._made[request_id] = asyncio.create_task(make())
        return web.json_response({**queued})

    def _keep(self, response: Json) -> None:
        self._kept[response["id"]] = response
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def _found(self, request: web.Request) -> dict[str, Any]:
        wanted = request.match_info["id"]
        if wanted not in self._kept:
            said = f"Response with id '{wanted}' not found."
            raise ProblemError(404, said, "invalid_request_error", "response_id")
        return self._kept[wanted]
