"""The dashboard as an aiohttp application, to be mounted on the gateway's port."""

from collections.abc import Collection

from aiohttp import web

from sparkwell.web.access import Access
from sparkwell.web.acting import Acting
from sparkwell.web.benchmarks import Benchmarks
from sparkwell.web.fragments import Fragments
from sparkwell.web.happenings import Happenings
from sparkwell.web.keys import Keys
from sparkwell.web.live import Live
from sparkwell.web.logs import Logs
from sparkwell.web.models import Models
from sparkwell.web.overview import Overview
from sparkwell.web.plain_pages import PlainPages
from sparkwell.web.recipes import Recipes
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services
from sparkwell.web.shield import Shield
from sparkwell.web.signin import SignIn
from sparkwell.web.static_files import static_files
from sparkwell.web.stream import Streams
from sparkwell.web.throttle import Throttle
from sparkwell.web.warming import Warming

PREFIX = "/ui"


def dashboard(
    services: Services,
    access: Access,
    *,
    hosts: Collection[str] = (),
    api: str = "/v1",
    throttle: Throttle | None = None,
) -> web.Application:
    """The application, for ``add_subapp(PREFIX, …)``.

    ``hosts`` are names of this machine besides loopback's and addresses; ``api`` is where the
    OpenAI endpoint is on the same port.
    """
    files = static_files()
    render = Renderer(PREFIX, files)
    fragments = Fragments(services, render)
    streams = Streams(access.sessions)
    live = Live(services, fragments, streams)
    shield = Shield(access, render, PREFIX, hosts)
    app = web.Application(middlewares=shield.middlewares())
    for part in (
        SignIn(access, render, streams, PREFIX, throttle or Throttle()),
        live,
        Overview(services, render, fragments, live),
        Recipes(services, render, fragments, PREFIX),
        Models(services, render, fragments),
        Acting(services, fragments, PREFIX),
        PlainPages(services, render, fragments, api),
        Benchmarks(services, render, fragments),
        Logs(services, render, fragments, streams),
        Happenings(services, render, fragments),
        Keys(services, render, fragments, PREFIX, api),
    ):
        app.add_routes(part.routes())
    app.router.add_get("/static/{version}/{path:.+}", files.serve)
    app.router.add_get("", _to_slash)
    app.cleanup_ctx.append(Warming(services, render).while_it_runs)
    app.on_shutdown.append(streams.end)
    return app


async def _to_slash(_request: web.Request) -> web.Response:
    """GET /ui: relative to nothing, so that the prefix is the only one who knows."""
    return web.Response(status=308, headers={"Location": f"{PREFIX}/"})
