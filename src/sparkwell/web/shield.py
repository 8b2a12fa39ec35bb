"""What stands before every page: the host's name, the session, the origin of changes, headers."""

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDictProxy

from sparkwell.core.errors import SparkwellError, UsageError
from sparkwell.core.hosts import is_from_here, is_ours
from sparkwell.web.access import SESSION, Access, Session, cookie_of, same
from sparkwell.web.rendering import Renderer, is_part

logger = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CSRF_HEADER = "X-Csrf-Token"
"""Not one that begins with X-Sparkwell-: those are the gateway's own, and end there."""
CSRF_FIELD = "_token"
MAX_FORM_BYTES = 128 * 1024
OPEN = ("/login", "/static/")
"""What is there without a session: the sign-in page and what it is drawn with."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with that browsers send `Origin: null` with forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Shield:
    """The middleware of the dashboard. ``names`` are host names of this machine."""

    def __init__(
        self, access: Access, render: Renderer, prefix: str, names: Collection[str] = ()
    ) -> None:
        self._access = access
        self._render = render
        self._prefix = prefix
        self._names = frozenset(name.lower() for name in names)

    def middlewares(self) -> tuple[Callable[..., Awaitable[web.StreamResponse]], ...]:
        """In the order in which a request passes them."""
        return (self._with_headers, self._with_errors, self._only_ours)

    @web.middleware
    async def _with_headers(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Streams have sent their headers already: they call ``protect`` themselves."""
        try:
            response = await handler(request)
        except web.HTTPException as error:
            protect(error)
            raise
        if not response.prepared:
            protect(response)
        return response

    @web.middleware
    async def _with_errors(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Errors as pages, or as the part of one that was asked for."""
        try:
            return await handler(request)
        except SparkwellError as error:
            return self._error(request, error.message, error.hint, error.http_status)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            what = "There is no such page." if error.status == 404 else f"{error.reason}."
            return self._error(request, what, None, error.status)
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            logger.exception("A page failed: %s %s", request.method, request.path)
            if request.writer.output_size:
                raise
            hint = "`sparkwell logs --daemon` has the details."
            return self._error(request, "Sparkwell made a mistake.", hint, 500)

    @web.middleware
    async def _only_ours(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_ours(request.headers.get("Host"), self._names):
            return web.Response(text=_WRONG_HOST, status=421)
        session = self._access.sessions.of(cookie_of(request))
        if session:
            request[SESSION] = session
        path = request.path.removeprefix(self._prefix)
        if request.method not in ("GET", "HEAD"):
            await self._refuse_strangers(request, session)
        if session is None and not path.startswith(OPEN):
            return self._to_sign_in(request)
        return await handler(request)

    async def _refuse_strangers(self, request: web.Request, session: Session | None) -> None:
        """What changes something has to come from a page of ours, and carry its token."""
        headers = request.headers
        if request.content_length is None and request.can_read_body:
            raise web.HTTPLengthRequired  # else it would be read to know how long it is
        if (request.content_length or 0) > MAX_FORM_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_FORM_BYTES, request.content_length or 0)
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        if not is_from_here(origin, site, headers.get("Host")):
            raise ForeignError("This request came from another site, and nothing was done.")
        if session is None:
            return  # either the sign-in itself, or it is sent there
        token = headers.get(CSRF_HEADER) or str((await form_of(request)).get(CSRF_FIELD, ""))
        if not same(token, session.csrf):
            raise ForeignError("This page is too old, and nothing was done.")

    def _to_sign_in(self, request: web.Request) -> web.Response:
        where = f"{self._prefix}/login"
        if is_part(request):
            return web.Response(status=401, headers={"HX-Redirect": where})
        if request.headers.get("Accept", "").startswith("text/event-stream"):
            return web.Response(status=401)
        return web.Response(status=303, headers={"Location": where})

    def _error(
        self, request: web.Request, message: str, hint: str | None, status: int
    ) -> web.Response:
        page = "parts/problem.html" if is_part(request) else "error.html"
        response = self._render.page(request, page, message=message, hint=hint)
        response.set_status(status)
        if is_part(request):  # whatever was asked for, it stays as it was
            response.headers["HX-Retarget"] = "#told"
            response.headers["HX-Reswap"] = "innerHTML"
        return response


class ForeignError(SparkwellError):
    """A change that no page of ours asked for."""

    code = "foreign_request"
    http_status = 403

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="Load the page again and repeat what you did.")


async def form_of(request: web.Request) -> MultiDictProxy[Any]:
    """The fields of a form; raises UsageError for what is none."""
    try:
        return await request.post()
    except (ValueError, LookupError, AssertionError, HttpProcessingError):
        # Its text, its encoding, its parts: each fails in its own way.
        raise UsageError("This form cannot be read.") from None


def protect(response: web.StreamResponse | web.HTTPException) -> None:
    """Add the headers that keep browsers from doing what others want."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


_WRONG_HOST = (
    "This name is not known to be this machine's. Open the dashboard by its address or as "
    "localhost, or add the name to gateway.names in sparkwell.yaml.\n"
)
