"""Starting, stopping and switching from the dashboard, one wish at a time."""

import asyncio

from aiohttp import web

from sparkwell.core.errors import ConflictError
from sparkwell.core.units import duration
from sparkwell.web.access import csrf_of
from sparkwell.web.fragments import Fragments
from sparkwell.web.rendering import is_part
from sparkwell.web.services import Services
from sparkwell.web.values import Json

VERBS = ("start", "switch", "stop")


class Acting:
    """The route of /models/NAME/VERB. What was begun goes on when the browser goes away."""

    def __init__(self, services: Services, fragments: Fragments, prefix: str) -> None:
        self._services = services
        self._fragments = fragments
        self._prefix = prefix
        self._turn = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [web.post("/models/{model:.+}/{verb}", self.act)]  # as in ollama/NAME

    async def act(self, request: web.Request) -> web.Response:
        """Do it; answers with what the model does now, or why nothing was done."""
        model, verb = request.match_info["model"], request.match_info["verb"]
        if verb not in VERBS:
            raise web.HTTPNotFound
        # A browser that leaves cancels the handler, and must not cancel what it began.
        await asyncio.shield(asyncio.ensure_future(self._do(verb, model)))
        if not is_part(request):
            return web.Response(status=303, headers={"Location": f"{self._prefix}/models"})
        state = self._fragments.state(self._services.status(), model, csrf_of(request))
        return web.Response(text=state, content_type="text/html")

    async def _do(self, verb: str, model: str) -> None:
        """Two who press at once are served in turn, so that the second sees what the first did."""
        if verb == "stop":
            await self._services.stop(model)
            return
        async with self._turn:
            if verb == "start":
                await self._services.start(model)
                return
            refuse_second(self._services.status(), model)
            await self._services.switch(model)


def refuse_second(status: Json, model: str) -> None:
    """Raise ConflictError that says what is under way, when a switch is."""
    under_way = status.get("switch")
    if not under_way:
        return
    gone = " and ".join(under_way["from"])
    what = f"from {gone} to {under_way['to']}" if gone else f"to {under_way['to']}"
    since = duration(under_way["since_s"])
    if under_way["to"] == model:
        raise ConflictError(f"This switch is under way already, for {since}.")
    raise ConflictError(
        f"A switch {what} is under way, for {since}: {under_way['step']}. Nothing was changed.",
        hint="Wait until it is done, or stop the model that is coming.",
    )
