"""What the gateway's port has beside models' answers, as an aiohttp application.

It listens on a socket that only the gateway's server opens. That server has let a request in
before it comes here, and says who sent it: see ``forwarding``.
"""

import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from sparkwell.core.errors import SparkwellError
from sparkwell.core.hosts import scheme_asked
from sparkwell.gateway.backend import Backend, Model
from sparkwell.gateway.docs import docs_page, openapi_document
from sparkwell.gateway.envelope import error_object, headers_of, object_of
from sparkwell.gateway.forwarding import MODELS, PEER, SCHEME, SEES
from sparkwell.gateway.keys.errors import model_not_allowed
from sparkwell.gateway.metrics import metrics_response
from sparkwell.gateway.naming import listed, meant

logger = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MOST_BODY = 1024 * 1024


class Pages:
    """The pages. ``home`` is where a browser is sent that asks for the port alone.

    ``keyed`` says whether models answer nobody without a key.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        home: str = "/docs",
        keyed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._backend = backend
        self._keyed = keyed
        self._home = home
        self._started = int(time.time())

    def application(self) -> web.Application:
        """The application to serve; others may be added to it below paths of their own."""
        app = web.Application(middlewares=[errors_in_envelope], client_max_size=_MOST_BODY)
        app.router.add_get("/v1/models", self.models)
        app.router.add_get("/v1/models/{model:.+}", self.model)
        app.router.add_get("/health", self.health)
        app.router.add_get("/metrics", self.metrics)
        app.router.add_get("/openapi.json", self.openapi)
        app.router.add_get("/docs", self.docs)
        app.router.add_get("/", self.root)
        return app

    async def models(self, request: web.Request) -> web.Response:
        """GET /v1/models: what can be started here, and what is loaded now."""
        entries = [self._entry(model) for model in self._listed(request)]
        return web.json_response({"object": "list", "data": entries})

    async def model(self, request: web.Request) -> web.Response:
        """GET /v1/models/NAME."""
        allowed = _allowed(request)
        model = meant(self._backend, request.match_info["model"], allowed)
        if allowed and model.name not in allowed:
            raise model_not_allowed("This key", model.name, allowed)
        return web.json_response(self._entry(model))

    async def health(self, request: web.Request) -> web.Response:
        """GET /health: 200 while requests can be served; how it goes, to those who may know."""
        able, state = self._backend.health()
        body = {"status": "ok" if able else "error", **(state if SEES in request.headers else {})}
        return web.json_response(body, status=200 if able else 503)

    async def metrics(self, _request: web.Request) -> web.Response:
        """GET /metrics: the engines', Sparkwell's own, and the machine's."""
        return await metrics_response(self._backend)

    async def openapi(self, _request: web.Request) -> web.Response:
        """GET /openapi.json."""
        return web.json_response(openapi_document())

    async def docs(self, request: web.Request) -> web.Response:
        """GET /docs: the endpoints, for people."""
        page = docs_page(_base(request), self._listed(request), keyed=self._keyed())
        return web.Response(text=page, content_type="text/html")

    async def root(self, _request: web.Request) -> web.Response:
        """GET /: where to go from here."""
        raise web.HTTPFound(self._home)

    def _listed(self, request: web.Request) -> list[Model]:
        """The models that the client's key is for."""
        return listed(self._backend, _allowed(request))

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


def _allowed(request: web.Request) -> list[str]:
    """The models that the client's key is for; none where it is for all."""
    names = request.headers.get(MODELS)
    return names.split(",") if names else []


def peer_of(request: web.Request) -> str | None:
    """The address of the client, as the gateway's server has seen it."""
    return request.headers.get(PEER)


def _base(request: web.Request) -> str:
    """The URL of this host as the client has it, behind a proxy too."""
    own, forwarded = request.headers.get(SCHEME), request.headers.get("x-forwarded-proto")
    return f"{scheme_asked(own, forwarded)}://{request.host}"


@web.middleware
async def errors_in_envelope(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong, the client gets OpenAI's envelope and never a traceback."""
    try:
        return await handler(request)
    except SparkwellError as error:
        said = headers_of(error)
        said.pop("content-type")
        body = {"error": object_of(error)}
        return web.json_response(body, status=error.http_status, headers=said)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        said_object = error_object(error.reason, status=error.status, code="http_error")
        return web.json_response({"error": said_object}, status=error.status)
    except (ConnectionError, TimeoutError):
        raise
    except Exception:
        logger.exception("A request failed: %s %s", request.method, request.path)
        if request.writer.output_size:  # a second head would be taken for a part of the body
            raise
        message = "Sparkwell made a mistake; its log has the details (`sparkwell logs --daemon`)."
        mistake = error_object(message, status=500, code="internal_error")
        return web.json_response({"error": mistake}, status=500)
