"""The gateway as an aiohttp application."""

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from sparkwell.core.errors import SparkwellError
from sparkwell.gateway.backend import Backend, Model
from sparkwell.gateway.docs import docs_page, openapi_document
from sparkwell.gateway.envelope import error_response, from_error, from_http
from sparkwell.gateway.relay import Relay
from sparkwell.gateway.request import read_model_request

logger = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gateway:
    """Routes of the OpenAI port. ``max_body`` is in bytes."""

    def __init__(self, backend: Backend, max_body: int) -> None:
        self._backend = backend
        self._max_body = max_body
        self._relay = Relay()
        self._started = int(time.time())

    def application(self) -> web.Application:
        """The application to serve; closing it closes the connections to engines."""
        app = web.Application(middlewares=[errors_in_envelope], client_max_size=self._max_body)
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/v1/models/{model:.+}", self.model)
        app.router.add_post("/v1/chat/completions", self.relay)
        app.router.add_post("/v1/completions", self.relay)
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/openapi.json", self.openapi)
        app.router.add_get("/docs", self.docs)
        app.router.add_get("/", self.root)
        app.on_cleanup.append(self._close)
        return app

    async def relay(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/…: the engine that serves the body's model answers."""
        asked = await read_model_request(request, self._max_body)
        model = self._backend.resolve(asked.model)
        lease = self._backend.ensure_ready(model.name)
        try:
            name = asked.model if asked.model in model.aliases else model.name
            name = model.engine_name or name
            return await self._relay.forward(request, lease.endpoint, asked.naming(name))
        finally:
            lease.release()

    async def models(self, _request: web.Request) -> web.Response:
        """GET /v1/models: what can be started here, and what is loaded now."""
        entries = [self._entry(model) for model in self._backend.listed()]
        return web.json_response({"object": "list", "data": entries})

    async def model(self, request: web.Request) -> web.Response:
        """GET /v1/models/NAME."""
        return web.json_response(self._entry(self._backend.resolve(request.match_info["model"])))

    async def health(self, _request: web.Request) -> web.Response:
        """GET /health: 200 while requests can be served."""
        able, state = self._backend.health()
        body = {"status": "ok" if able else "error", **state}
        return web.json_response(body, status=200 if able else 503)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """GET /metrics: those of the engine that is ready."""
        listed = self._backend.listed()
        ready = next((m for m in listed if m.state == "ready" and m.has_metrics), None)
        if ready is None:
            return web.Response(text="# No model is loaded whose engine has metrics.\n")
        lease = self._backend.ensure_ready(ready.name)
        try:
            return await self._relay.forward(request, lease.endpoint, None)
        finally:
            lease.release()

    async def openapi(self, _request: web.Request) -> web.Response:
        """GET /openapi.json."""
        return web.json_response(openapi_document())

    async def docs(self, request: web.Request) -> web.Response:
        """GET /docs: the endpoints, for people."""
        base = f"{request.scheme}://{request.host}"
        names = [model.name for model in self._backend.listed()]
        return web.Response(text=docs_page(base, names), content_type="text/html")

    async def root(self, _request: web.Request) -> web.Response:
        """GET /: where to go from here."""
        raise web.HTTPFound("/docs")

    async def _close(self, _app: web.Application) -> None:
        await self._relay.close()

    def _entry(self, model: Model) -> dict[str, object]:
        entry: dict[str, object] = {
            "id": model.name,
            "object": "model",
            "created": self._started,
            "owned_by": "sparkwell",
            "root": model.aliases[-1],
            "aliases": list(model.aliases),
            "state": model.state,
        }
        return {**entry, **({"max_model_len": model.context} if model.context else {})}


@web.middleware
async def errors_in_envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong, the client gets OpenAI's envelope and never a traceback."""
    try:
        return await handler(request)
    except SparkwellError as error:
        return from_error(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return from_http(error, request.path)
    except (ConnectionError, TimeoutError):
        raise
    except Exception:
        logger.exception("A request failed: %s %s", request.method, request.path)
        message = "Sparkwell made a mistake; its log has the details (`sparkwell logs --daemon`)."
        return error_response(message, status=500, code="internal_error")
