"""The control API as an aiohttp application."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Literal, Protocol

from aiohttp import web

from sparkwell.admin import API_VERSION, VERSION_HEADER
from sparkwell.admin.bodies import Body, read_body
from sparkwell.admin.keys import KeyControl, add_key_routes
from sparkwell.core.errors import ConflictError, SparkwellError, UsageError
from sparkwell.core.events import Event

logger = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Json = Mapping[str, Any]


class Control(Protocol):
    """What the control API asks of the daemon."""

    def version(self) -> Json:
        """Version and process of the daemon."""
        ...

    def status(self) -> Json:
        """What runs, and how far it is."""
        ...

    def snapshot(self) -> Json:
        """What only the daemon knows of this host, for a diagnosis."""
        ...

    async def up(self, body: "UpBody") -> Json:
        """Begin to serve models; returns at once. ``force`` starts also what does not fit."""
        ...

    async def down(self, model: str | None) -> Json:
        """End the model, or whatever runs; returns when nothing of it is left."""
        ...

    async def restart(self, model: str | None) -> Json:
        """End what runs and begin to serve it again, with the same flags."""
        ...

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        ...

    def ui_link(self) -> Json:
        """A link that opens the dashboard once, and for how many seconds it is good."""
        ...

    def shut_down(self, *, stop_engines: bool) -> None:
        """End the daemon soon; engines go on unless they are to be stopped."""
        ...


class UpBody(Body):
    """POST /admin/up. No models means those that the settings start.

    ``flags`` are written FLAG=VALUE and are the first model's; ``force`` starts also what does
    not fit; ``switch`` makes others leave for the one model that is named, when their requests are
    done. ``folder`` is where the command was typed: a ``.env`` there may have a token.
    """

    models: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    profile: str | None = None
    driver: Literal["process", "compose"] | None = None
    image: str | None = None
    force: bool = False
    switch: bool = False
    folder: str | None = None


class ModelBody(Body):
    """POST /admin/down and /admin/restart; no model means whatever runs."""

    model: str | None = None


class ShutdownBody(Body):
    """POST /admin/shutdown."""

    stop_engines: bool = False


def admin_application(control: Control, keys: KeyControl | None = None) -> web.Application:
    """The application to serve on the Unix socket."""
    app = web.Application(middlewares=[_same_version, _errors_as_json])
    routes = _Routes(control)
    app.router.add_get("/admin/version", routes.version)
    app.router.add_get("/admin/status", routes.status)
    app.router.add_get("/admin/snapshot", routes.snapshot)
    app.router.add_get("/admin/events", routes.events)
    app.router.add_post("/admin/up", routes.up)
    app.router.add_post("/admin/down", routes.down)
    app.router.add_post("/admin/restart", routes.restart)
    app.router.add_post("/admin/ui-link", routes.ui_link)
    app.router.add_post("/admin/shutdown", routes.shutdown)
    if keys is not None:
        add_key_routes(app, keys)
    return app


class _Routes:
    def __init__(self, control: Control) -> None:
        self._control = control

    async def version(self, _request: web.Request) -> web.Response:
        return web.json_response(self._control.version())

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._control.status())

    async def snapshot(self, _request: web.Request) -> web.Response:
        return web.json_response(self._control.snapshot())

    async def up(self, request: web.Request) -> web.Response:
        return web.json_response(await self._control.up(await read_body(request, UpBody)))

    async def down(self, request: web.Request) -> web.Response:
        body = await read_body(request, ModelBody)
        return web.json_response(await self._control.down(body.model))

    async def restart(self, request: web.Request) -> web.Response:
        body = await read_body(request, ModelBody)
        return web.json_response(await self._control.restart(body.model))

    async def ui_link(self, request: web.Request) -> web.Response:
        await read_body(request, Body)
        return web.json_response(self._control.ui_link())

    async def shutdown(self, request: web.Request) -> web.Response:
        body = await read_body(request, ShutdownBody)
        self._control.shut_down(stop_engines=body.stop_engines)
        return web.json_response({"ending": True})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """One JSON object a line, from the cursor ``after`` on, without end."""
        cursor = _cursor(request.query.get("after", "0"))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        with suppress(ConnectionError):  # who follows may leave at any time
            await response.prepare(request)
            async for event in self._control.events(cursor):
                await response.write(json.dumps(asdict(event)).encode() + b"\n")
        return response


def _cursor(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"The cursor `after` is a whole number, not {text!r}.") from None


@web.middleware
async def _same_version(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An older or newer CLI must not guess: it is told to restart the daemon instead."""
    spoken = request.headers.get(VERSION_HEADER, str(API_VERSION))
    if spoken != str(API_VERSION):
        error = ConflictError(
            f"This daemon speaks version {API_VERSION} of the control API, not {spoken}.",
            hint="Restart it: SIGTERM ends it and leaves the engines; then `sparkwell serve`.",
        )
        return _error(error)
    return await handler(request)


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except SparkwellError as error:
        return _error(error)
    except web.HTTPException as error:
        return _error(_RouteError(error.reason, error.status))
    except (ConnectionError, TimeoutError):
        raise
    except Exception as error:
        logger.exception("A control request failed: %s %s", request.method, request.path)
        return _error(_RouteError(f"Sparkwell made a mistake: {error!r}.", 500))


class _RouteError(SparkwellError):
    """No such route, wrong method, or a mistake of ours."""

    code = "control_api"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, hint="`sparkwell logs --daemon` may say more.")
        self.http_status = status


def _error(error: SparkwellError) -> web.Response:
    body = {"code": error.code, "message": error.message, "hint": error.hint}
    return web.json_response({"error": body}, status=error.http_status)
