"""The routes of /api, with Ollama's own answers and refusals."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sparkwell.testing.fake_ollama.arguments import VERSION, FakeArguments
from sparkwell.testing.fake_ollama.bodies import JSON_LINES, ApiError, name_in, read_body
from sparkwell.testing.fake_ollama.durations import keep_alive_s
from sparkwell.testing.fake_ollama.library import FakeModel, Library
from sparkwell.testing.fake_ollama.pulls import Pulls
from sparkwell.testing.fake_ollama.scheduler import LoadError, Runner, Scheduler

_MODIFIED = "2025-10-03T23:34:03.409490317-07:00"


class Native:
    """Answers /api; ``/fake/state`` is the tests' own."""

    def __init__(self, arguments: FakeArguments, stored: Library, scheduler: Scheduler) -> None:
        self._stored, self._scheduler = stored, scheduler
        self._pulls = Pulls(arguments, stored)

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/", self.root),
            web.get("/api/version", self.version),
            web.get("/api/tags", self.tags),
            web.get("/api/ps", self.ps),
            web.post("/api/show", self.show),
            web.post("/api/pull", self._pulls.answer),
            web.post("/api/create", self.create),
            web.post("/api/generate", self.generate),
            web.delete("/api/delete", self.delete),
            web.get("/fake/state", self.state),
        ]

    async def root(self, _: web.Request) -> web.Response:
        """Say that somebody is here."""
        return web.Response(text="Ollama is running")

    async def version(self, _: web.Request) -> web.Response:
        """GET /api/version."""
        return web.json_response({"version": VERSION})

    async def tags(self, _: web.Request) -> web.Response:
        """GET /api/tags."""
        return web.json_response({"models": [_stored(model) for model in self._stored]})

    async def ps(self, _: web.Request) -> web.Response:
        """GET /api/ps."""
        return web.json_response({"models": [_loaded(each) for each in self._scheduler]})

    async def show(self, request: web.Request) -> web.Response:
        """POST /api/show."""
        model = self._model(await read_body(request))
        said = "\n".join(f"{name:<30} {value}" for name, value in model.parameters.items())
        details = _details(model)
        return web.json_response(
            {"parameters": said, "details": details, "model_info": model.metadata}
        )

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /api/create, from another model."""
        body = await read_body(request)
        if not body.get("from"):
            raise ApiError(400, "neither 'from' or 'files' was specified")
        source = self._model({"model": body["from"]})
        self._stored.derive(name_in(body), source, body.get("parameters") or {})
        return _said(body, {"status": "success"})

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE /api/delete."""
        model = self._model(await read_body(request))
        self._stored.remove(model)
        return web.Response()

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """POST /api/generate: without a prompt it loads and unloads."""
        body = await read_body(request)
        model = self._model(body)
        keep = _keep_alive(body)
        if not body.get("prompt") and keep == 0:
            self._scheduler.unload(model)
            return web.json_response(_generated(body, "unload"))
        options = body.get("options") or {}
        try:
            async with self._scheduler.use(model, options.get("num_ctx"), keep):
                reason = "stop" if body.get("prompt") else "load"
                return web.json_response(_generated(body, reason))
        except LoadError as error:
            raise ApiError(500, str(error)) from None

    async def state(self, _: web.Request) -> web.Response:
        """Say what was asked of the fake; this is not Ollama's."""
        loads, held = self._scheduler.loads, self._scheduler.held_bytes
        return web.json_response({"pulls": self._pulls.asked, "loads": loads, "held_bytes": held})

    def _model(self, body: Mapping[str, Any]) -> FakeModel:
        name = name_in(body)
        model = self._stored.find(name)
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        return model


def _keep_alive(body: Mapping[str, Any]) -> float | None:
    if body.get("keep_alive") is None:
        return None
    try:
        return keep_alive_s(body["keep_alive"])
    except ValueError as error:
        raise ApiError(400, str(error)) from None


def _said(body: Mapping[str, Any], event: dict[str, Any]) -> web.StreamResponse:
    """An event as a line, unless the client wants none."""
    if body.get("stream") is False:
        return web.json_response(event)
    return web.Response(text=f"{json.dumps(event)}\n", content_type=JSON_LINES)


def _generated(body: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {
        "model": body["model"],
        "created_at": _MODIFIED,
        "response": "word" if reason == "stop" else "",
        "done": True,
        "done_reason": reason,
    }


def _details(model: FakeModel) -> dict[str, object]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "qwen3",
        "families": ["qwen3"],
        "parameter_size": f"{model.size_bytes / 1e9:.1f}B",
        "quantization_level": "Q4_K_M",
    }


def _stored(model: FakeModel) -> dict[str, object]:
    name = f"{model.name.short}:latest" if model.name.tag == "latest" else model.name.short
    return {
        "name": name,
        "model": name,
        "modified_at": _MODIFIED,
        "size": model.size_bytes,
        "digest": model.digest,
        "details": _details(model),
    }


def _loaded(runner: Runner) -> dict[str, object]:
    return {
        **{key: _stored(runner.model)[key] for key in ("name", "model", "digest", "details")},
        "size": runner.held_bytes,
        "size_vram": runner.held_bytes,
        "expires_at": runner.until.isoformat(),
        "context_length": runner.num_ctx,
    }
