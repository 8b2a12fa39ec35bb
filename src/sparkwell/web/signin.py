"""Signing in: by the admin key, or by a link that works once."""

import logging

from aiohttp import web

from sparkwell.core.errors import EnvironmentFault, TooBusyError
from sparkwell.web.access import LIFE_S, SESSION, Access, cookie_name, cookie_of
from sparkwell.web.clients import peer_of, scheme_of
from sparkwell.web.rendering import Renderer
from sparkwell.web.shield import form_of
from sparkwell.web.stream import Streams
from sparkwell.web.throttle import Throttle

logger = logging.getLogger(__name__)
LONGEST_KEY = 512
UNUSABLE = (
    "The admin key of this machine cannot be used now; `sparkwell logs --daemon` says why. "
    "`sparkwell ui`, typed on this machine, prints a link that signs in."
)


class SignIn:
    """The routes of /login and /logout."""

    def __init__(
        self, access: Access, render: Renderer, streams: Streams, prefix: str, throttle: Throttle
    ) -> None:
        self._access = access
        self._render = render
        self._streams = streams
        self._prefix = prefix
        self._throttle = throttle

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [
            # A HEAD of a link must not use it up.
            web.get("/login", self.show, allow_head=False),
            web.post("/login", self.enter),
            web.post("/logout", self.leave),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """GET /login: the form; with a good ``token`` straight in."""
        token = request.query.get("token")
        if token is None:
            return self._to("/") if request.get(SESSION) else self._form(request)
        if "prefetch" in request.headers.get("Sec-Purpose", ""):
            return web.Response(status=204)  # the browser only guesses that somebody will go there
        if self._access.links.take(token):
            # No redirect: after a click elsewhere the new cookie would not be sent along.
            return self._let_in(request, self._render.page(request, "welcome.html"))
        return self._form(request, "This link has been used, or is too old.", status=403)

    async def enter(self, request: web.Request) -> web.Response:
        """POST /login with ``key``."""
        key = str((await form_of(request)).get("key", ""))[:LONGEST_KEY]
        try:
            await self._throttle.turn(peer_of(request))
        except TooBusyError as error:
            response = self._form(request, f"{error.message} {error.hint}", status=429)
            response.headers["Retry-After"] = str(round(error.retry_after_s or 1))
            return response
        try:
            is_right = self._access.keys.exists and self._access.keys.check(key)
        except EnvironmentFault as error:
            # Whoever asks is a stranger still: where the key is kept is told to the log alone.
            logger.warning("Nobody can sign in by the admin key: %s %s", error, error.hint)
            self._throttle.failed(peer_of(request))
            return self._form(request, UNUSABLE, status=503)
        if is_right:
            self._throttle.succeeded(peer_of(request))
            return self._let_in(request, self._to("/"))
        self._throttle.failed(peer_of(request))
        return self._form(request, "This is not the admin key.", status=403)

    async def leave(self, request: web.Request) -> web.Response:
        """POST /logout."""
        self._streams.end_of(request.get(SESSION))
        self._access.sessions.end(cookie_of(request))
        response = self._to("/login")
        response.del_cookie(cookie_name(request.headers.get("Host")), path="/")
        return response

    def _form(
        self, request: web.Request, problem: str | None = None, *, status: int = 200
    ) -> web.Response:
        has_key = self._access.keys.exists
        response = self._render.page(request, "login.html", problem=problem, has_key=has_key)
        response.set_status(status)
        return response

    def _let_in(self, request: web.Request, response: web.Response) -> web.Response:
        """A new session each time: one that somebody slipped in beforehand is worth nothing."""
        self._access.sessions.end(cookie_of(request))
        value, _ = self._access.sessions.begin()
        response.set_cookie(
            cookie_name(request.headers.get("Host")),
            value,
            max_age=int(LIFE_S),
            httponly=True,
            secure=scheme_of(request) == "https",
            samesite="Strict",
            path="/",  # the playground asks /v1 with it
        )
        return response

    def _to(self, path: str) -> web.Response:
        return web.Response(status=303, headers={"Location": f"{self._prefix}{path}"})
