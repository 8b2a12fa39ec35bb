"""The page of what was measured: the runs that were kept, and one of them."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sparkwell.bench.expected_tables import tables
from sparkwell.bench.run_document import mean_of
from sparkwell.bench.tables import title
from sparkwell.web.fragments import Fragments
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services

MOST_LISTED = 100
Json = Mapping[str, Any]
_CURVES = (
    ("measured", None, "output_tokens_per_s"),
    ("planned", "planned", "tokens_per_s"),
    ("roofline", "planned", "limit_tokens_per_s"),
)


class Benchmarks:
    """The route of /benchmarks."""

    def __init__(self, services: Services, render: Renderer, fragments: Fragments) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [web.get("/benchmarks", self.page)]

    async def page(self, request: web.Request) -> web.Response:
        """GET /benchmarks: the newest run, or ?run=NAME."""
        names = await self._services.benchmarks()
        wanted = request.query.get("run") or (names[0] if names else None)
        run = None if wanted is None else await self._services.benchmark(wanted)
        return self._render.page(
            request,
            "benchmarks.html",
            page="benchmarks",
            names=names[:MOST_LISTED],
            more=max(0, len(names) - MOST_LISTED),
            run=run,
            title=run and title(run),
            tables=tables(run) if run else [],
            curves=curves(run) if run else [],
            parts=self._fragments.of("other"),
        )


def curves(run: Json) -> list[dict[str, Any]]:
    """Tokens a second over clients at once: measured, planned, the roofline, as far as known."""
    cases = sorted((case for case in run["cases"] if case["clients"]), key=_clients)
    found = []
    for colour, (name, part, figure) in enumerate(_CURVES):
        points = [_point(case, part, figure) for case in cases]
        if known := [point for point in points if point["tokens_per_s"] is not None]:
            found.append({"model": name, "colour": colour, "points": known})
    return found


def _clients(case: Json) -> int:
    return int(case["clients"])


def _point(case: Json, part: str | None, figure: str) -> dict[str, float | None]:
    value = mean_of(case, figure) if part is None else (case[part] or {}).get(figure)
    return {"concurrency": case["clients"], "tokens_per_s": value}
