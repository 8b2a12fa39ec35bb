"""POST /api/pull: a model from the library onto the disk, with progress, and ways to fail."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from sparkwell.testing.fake_ollama.arguments import FakeArguments
from sparkwell.testing.fake_ollama.bodies import JSON_LINES, ApiError, name_in, read_body
from sparkwell.testing.fake_ollama.library import FakeModel, Library

Event = dict[str, Any]

_STEPS = 20  # progress lines of a pull
_FAILURES = {
    "disk": "write /root/.ollama/models/blobs/sha256-partial: no space left on device",
    "network": 'pull model manifest: Get "https://registry": dial tcp: lookup registry: '
    "no such host",
}


class Pulls:
    """Downloads; those that are cut go on where they ended. ``asked`` are the names, in order."""

    def __init__(self, arguments: FakeArguments, stored: Library) -> None:
        self._arguments, self._stored = arguments, stored
        self._library = Library(list(arguments.library))
        self._cut = arguments.fail_pull == "cut"
        self._there: dict[str, float] = {}  # shares that pulls have brought so far
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Lines of progress, an error in the last one; or the last one alone."""
        body = await read_body(request)
        name = name_in(body)
        self.asked.append(name)
        if body.get("stream") is False:
            return await self._whole(name)
        response = web.StreamResponse(headers={"Content-Type": JSON_LINES})
        await response.prepare(request)
        async for event in self._pulled(name):
            if "cut" in event:
                _cut(request)
            await response.write(json.dumps(event).encode() + b"\n")
        return response

    async def _whole(self, name: str) -> web.Response:
        *_, last = [event async for event in self._pulled(name)]
        if "error" in last:
            raise ApiError(500, last["error"])
        return web.json_response(last)

    async def _pulled(self, name: str) -> AsyncIterator[dict[str, Any]]:
        yield {"status": "pulling manifest"}
        model = self._library.find(name) or self._stored.find(name)
        failure = _FAILURES.get(self._arguments.fail_pull or "")
        if model is None or failure:
            yield {"error": failure or "pull model manifest: file does not exist"}
            return
        async for event in self._downloaded(model):
            yield event
        for status in ("verifying sha256 digest", "writing manifest"):
            yield {"status": status}
        self._stored.add(model)
        yield {"status": "success"}

    async def _downloaded(self, model: FakeModel) -> AsyncIterator[dict[str, Any]]:
        key, total = model.name.key, model.size_bytes
        begun = round(self._there.get(key, 0.0) * _STEPS)
        for step in range(begun, _STEPS + 1):
            self._there[key] = step / _STEPS
            if self._cut and step >= _STEPS // 2:
                self._cut = False
                yield {"cut": True}
            done = {"completed": total * step // _STEPS} if step else {}
            yield {
                "status": f"pulling {model.blob[7:19]}",
                "digest": model.blob,
                "total": total,
                **done,
            }
            await asyncio.sleep(self._arguments.pull_s / _STEPS)
        small = {"status": "pulling 66b9ea09bd5b", "digest": "sha256:66b9ea09bd5b", "total": 68}
        yield {**small, "completed": 68}


def _cut(request: web.Request) -> None:
    """Break the connection off in the middle of an answer."""
    if request.transport:
        request.transport.abort()
    raise ConnectionResetError
