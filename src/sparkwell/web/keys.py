"""The page of keys and usage: made, given a new secret, revoked; a secret is shown this once."""

from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import web

from sparkwell.core.errors import SparkwellError
from sparkwell.web.clients import base_of
from sparkwell.web.fragments import COLOURS, Fragments, by_model
from sparkwell.web.key_forms import OVERLAPS, KeyForm, form_from, overlap_of, read_form
from sparkwell.web.key_parts import chart, curl, model_for, revoked
from sparkwell.web.key_values import MadeKey
from sparkwell.web.offers import in_order, with_strangers
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services
from sparkwell.web.shield import form_of

SPANS = (7, 30, 90)
"""Days that may be asked for."""


class Keys:
    """The routes of /keys. All of them are plain forms: nothing here needs a script."""

    def __init__(
        self, services: Services, render: Renderer, fragments: Fragments, prefix: str, api: str
    ) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments
        self._prefix = prefix
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [
            web.get("/keys", self.show),
            web.post("/keys/add", self.add),
            web.post("/keys/{key}/rotate", self.rotate),
            web.post("/keys/{key}/revoke", self.revoke),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """GET /keys?days=&revoked=: the keys, what was used, and the form of a new one."""
        return await self._page(request, KeyForm())

    async def add(self, request: web.Request) -> web.Response:
        """POST /keys/add: the answer is the page with the secret, or the form with what is wrong.

        It is no redirect: the page behind one would have to be told the secret.
        """
        form = form_from(await form_of(request))
        reading = read_form(form)
        if reading.wish is None:
            return await self._page(request, form, reading.problems, status=400)
        try:
            made = self._services.client_keys.add(reading.wish)
        except SparkwellError as error:
            said = " ".join(filter(None, (error.message, error.hint)))
            return await self._page(request, form, {"": said}, status=error.http_status)
        return self._made(request, made, is_new=True)

    async def rotate(self, request: web.Request) -> web.Response:
        """POST /keys/ID/rotate: the answer is the page with the new secret."""
        overlap_s = overlap_of(await form_of(request))
        made = self._services.client_keys.rotate(request.match_info["key"], overlap_s)
        return self._made(request, made, is_new=False)

    async def revoke(self, request: web.Request) -> web.Response:
        """POST /keys/ID/revoke."""
        key = request.match_info["key"]
        self._services.client_keys.revoke(key)
        where = f"{self._prefix}/keys?revoked={quote(key, safe='')}"
        return web.Response(status=303, headers={"Location": where})

    async def _page(
        self,
        request: web.Request,
        form: KeyForm,
        problems: Mapping[str, str] | None = None,
        *,
        status: int = 200,
    ) -> web.Response:
        days = _span(request.query.get("days", ""))
        shown = self._services.client_keys.shown(days)
        response = self._render.page(
            request,
            "keys.html",
            page="keys",
            shown=shown,
            living=[each for each in shown.keys if each.state == "active"],
            dead=[each for each in shown.keys if each.state != "active"],
            revoked=revoked(shown, request.query.get("revoked")),
            chart=chart(shown),
            colours=COLOURS,
            spans=SPANS,
            span=days,
            form=form,
            problems=problems or {},
            models=await self._models(form),
            overlaps=OVERLAPS,
            open_to_all=self._services.status().get("open_to_all"),
            parts=self._fragments.of("other"),
        )
        response.set_status(status)
        return response

    async def _models(self, form: KeyForm) -> list[str]:
        """What a key can be for: those that run first, and whatever was chosen already."""
        running = by_model(self._services.status())
        entries = in_order(with_strangers(await self._services.models(), running), running)
        return list(dict.fromkeys([*(each.name for each in entries), *form.models]))

    def _made(self, request: web.Request, made: MadeKey, *, is_new: bool) -> web.Response:
        status = self._services.status()
        base = f"{base_of(request)}{self._api}"
        return self._render.page(
            request,
            "key_made.html",
            page="keys",
            made=made,
            is_new=is_new,
            base=base,
            curl=curl(base, made.secret, model_for(made.key, by_model(status))),
            open_to_all=status.get("open_to_all"),
            parts=self._fragments.of("other"),
        )


def _span(text: str) -> int:
    return int(text) if text.isdecimal() and int(text) in SPANS else SPANS[1]
