"""The catalog with a plan for each model, and several side by side."""

from collections.abc import Sequence

from aiohttp import web

from sparkwell.core.errors import UnknownModelError
from sparkwell.web.access import csrf_of
from sparkwell.web.fragments import Fragments, by_model
from sparkwell.web.offers import in_order, offer, with_strangers
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services
from sparkwell.web.values import ModelEntry

COMPARED = 6


class Models:
    """The routes of /models and /compare."""

    def __init__(self, services: Services, render: Renderer, fragments: Fragments) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [web.get("/models", self.show), web.get("/compare", self.compare)]

    async def show(self, request: web.Request) -> web.Response:
        """GET /models: all of them; the page filters by itself."""
        entries = await self._services.models()
        status = self._services.status()
        running, csrf = by_model(status), csrf_of(request)
        self._fragments.learn(entries)
        entries = in_order(with_strangers(entries, running), running)
        return self._render.page(
            request,
            "models.html",
            page="models",
            entries=entries,
            offers={each.name: offer(each) for each in entries},
            states={each.name: self._fragments.state(status, each.name, csrf) for each in entries},
            parts=self._fragments.of("other"),
        )

    async def compare(self, request: web.Request) -> web.Response:
        """GET /compare?model=A&model=B: up to six plans side by side."""
        running = by_model(self._services.status())
        entries = with_strangers(await self._services.models(), running)
        asked = list(dict.fromkeys(request.query.getall("model", [])))[:COMPARED]
        return self._render.page(
            request,
            "compare.html",
            page="models",
            entries=entries,
            chosen=[find(entries, name) for name in asked],
            limit=COMPARED,
            parts=self._fragments.of("other"),
        )


def find(entries: Sequence[ModelEntry], name: str) -> ModelEntry:
    """The entry of that name; raises UnknownModelError."""
    for each in entries:
        if each.name == name:
            return each
    raise UnknownModelError(f"There is no model {name!r}.", hint="The page Models has them all.")
