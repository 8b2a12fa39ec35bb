"""The control API's routes for keys and what they used."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from sparkwell.admin.bodies import Body, read_body, read_query

Json = Mapping[str, Any]


class AddKeyBody(Body):
    """POST /admin/keys/add. ``expires_at`` is in seconds since 1970; None: no limit of that kind.

    Ranges are checked where keys are made.
    """

    name: str
    models: tuple[str, ...] = ()
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    priority: int = 0
    expires_at: float | None = None


class RotateKeyBody(Body):
    """POST /admin/keys/rotate. ``key`` is a name or an id; the old secret goes on for so long."""

    key: str
    overlap_s: float = 0.0


class RevokeKeyBody(Body):
    """POST /admin/keys/revoke. ``key`` is a name or an id."""

    key: str


class UsageWanted(Body):
    """GET /admin/usage?key=&model=&since=: all three may be left out.

    ``key`` is a name or an id, "-" for requests without one; ``since`` is in seconds since 1970.
    """

    key: str | None = None
    model: str | None = None
    since: float | None = None


class KeyControl(Protocol):
    """What the control API asks of who keeps the keys."""

    def keys(self) -> Json:
        """All keys, and whether there have ever been any."""
        ...

    def add_key(self, body: AddKeyBody) -> Json:
        """Make a key; the answer has its secret."""
        ...

    def rotate_key(self, body: RotateKeyBody) -> Json:
        """Give a key another secret; the answer has it."""
        ...

    def revoke_key(self, key: str) -> Json:
        """Have a key open nothing any more."""
        ...

    def reset_keys(self) -> Json:
        """Forget all keys, and that there have been any."""
        ...

    def usage(self, wanted: UsageWanted) -> Json:
        """What was used, by day, key and model."""
        ...


def add_key_routes(app: web.Application, control: KeyControl) -> None:
    """Have the application answer for keys."""
    routes = _Routes(control)
    app.router.add_get("/admin/keys", routes.keys)
    app.router.add_get("/admin/usage", routes.usage)
    app.router.add_post("/admin/keys/add", routes.add)
    app.router.add_post("/admin/keys/rotate", routes.rotate)
    app.router.add_post("/admin/keys/revoke", routes.revoke)
    app.router.add_post("/admin/keys/reset", routes.reset)


def add_own_key_route(app: web.Application, own_key: Callable[[], str]) -> None:
    """Have the application tell the daemon's own key to this user's programs.

    A POST, since answers to a GET may be kept somewhere.
    """

    async def tell(request: web.Request) -> web.Response:
        await read_body(request, Body)
        return web.json_response({"key": own_key()}, headers={"Cache-Control": "no-store"})

    app.router.add_post("/admin/own-key", tell)


class _Routes:
    def __init__(self, control: KeyControl) -> None:
        self._control = control

    async def keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self._control.keys())

    async def usage(self, request: web.Request) -> web.Response:
        return web.json_response(self._control.usage(read_query(request, UsageWanted)))

    async def add(self, request: web.Request) -> web.Response:
        return web.json_response(self._control.add_key(await read_body(request, AddKeyBody)))

    async def rotate(self, request: web.Request) -> web.Response:
        return web.json_response(self._control.rotate_key(await read_body(request, RotateKeyBody)))

    async def revoke(self, request: web.Request) -> web.Response:
        body = await read_body(request, RevokeKeyBody)
        return web.json_response(self._control.revoke_key(body.key))

    async def reset(self, request: web.Request) -> web.Response:
        await read_body(request, Body)
        return web.json_response(self._control.reset_keys())
