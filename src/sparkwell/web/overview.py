"""The overview, and the figures that its plots are drawn from."""

from aiohttp import web

from sparkwell.core.errors import UsageError
from sparkwell.web.fragments import Fragments, by_model
from sparkwell.web.live import Live
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services

SERIES = ("output_tokens_per_s", "ttft_p95_s", "kv_used", "running", "waiting")
"""What is plotted of each model."""
SPANS_S = (900, 3600, 86_400, 604_800)
POINTS = 300


class Overview:
    """The routes of / and /data/history."""

    def __init__(
        self, services: Services, render: Renderer, fragments: Fragments, live: Live
    ) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments
        self._live = live

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [web.get("/", self.show), web.get("/data/history", self.history)]

    async def show(self, request: web.Request) -> web.Response:
        """GET /: whole with all figures, so that it says something before any script runs."""
        parts = self._fragments.of("overview", tuple(await self._live.newest()))
        return self._render.page(
            request, "overview.html", page="overview", parts=parts, spans=SPANS_S
        )

    async def history(self, request: web.Request) -> web.Response:
        """GET /data/history?since=SECONDS: the series of every model that lives."""
        since_s = _span(request.query.get("since", str(SPANS_S[0])))
        models = {
            name: await self._services.history(name, SERIES, since_s, POINTS)
            for name in by_model(self._services.status())
        }
        response = web.json_response({"since_s": since_s, "models": models})
        response.enable_compression()
        return response


def _span(text: str) -> int:
    if not text.isdecimal() or int(text) not in SPANS_S:
        raise UsageError(f"`since` is one of {', '.join(map(str, SPANS_S))} seconds.")
    return int(text)
