"""The page of events: what happened, and why; a page at a time."""

from aiohttp import web

from sparkwell.web.fragments import Fragments, by_model
from sparkwell.web.log_values import EventQuery
from sparkwell.web.rendering import Renderer, is_part
from sparkwell.web.services import Services

PAGE = 100
KINDS = ("instance", "switch", "memory", "breaker", "guard", "canary", "queue", "store")


class Happenings:
    """The route of /events."""

    def __init__(self, services: Services, render: Renderer, fragments: Fragments) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [web.get("/events", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """GET /events?before=&kind=&model=&text=: one more is asked for, to know of older ones."""
        given = request.query
        before = given.get("before", "")
        query = EventQuery(
            before=int(before) if before.isdecimal() and len(before) < 19 else None,
            limit=PAGE + 1,
            kind=given.get("kind", "")[:40],
            model=given.get("model", "")[:128],
            text=given.get("text", "")[:200],
        )
        found = await self._services.past_events(query)
        values = {"events": found[:PAGE], "older": len(found) > PAGE, "query": query}
        if is_part(request):
            return self._render.page(request, "parts/event_rows.html", **values)
        return self._render.page(
            request,
            "events.html",
            page="events",
            kinds=KINDS,
            models=list(by_model(self._services.status())),
            parts=self._fragments.of("other"),
            **values,
        )
