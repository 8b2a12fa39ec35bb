"""Templates to responses. Everything that is put into a page is escaped."""

from functools import cache
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

import sparkwell
from sparkwell.web.access import csrf_of
from sparkwell.web.filters import FILTERS
from sparkwell.web.static_files import StaticFiles

PAGES = (
    ("overview", "Overview", "/"),
    ("models", "Models", "/models"),
    ("playground", "Playground", "/playground"),
    ("logs", "Logs", "/logs"),
    ("events", "Events", "/events"),
    ("benchmarks", "Benchmarks", "/benchmarks"),
    ("keys", "Keys and usage", "/keys"),
)
"""Name, title and address of each page, in the order of the menu."""
THEME, THEMES = "sparkwell_theme", ("light", "dark")
"""The cookie in which a page keeps the theme that was chosen; the system's without one.

The server reads it, so that no script has to run before the first frame.
"""


class Renderer:
    """The templates of this room. ``prefix`` is where the dashboard is mounted."""

    def __init__(self, prefix: str, files: StaticFiles) -> None:
        self._env = _environment(prefix, files.version)

    def html(self, template: str, **values: Any) -> str:
        """A template as text."""
        return self._env.get_template(template).render(**values)

    def compile_all(self) -> None:
        """Have all templates compiled; may be called in a thread."""
        for name in self._env.list_templates():
            self._env.get_template(name)

    def page(self, request: web.Request, template: str, **values: Any) -> web.Response:
        """A template as a response, packed; pages know the session's token."""
        theme = request.cookies.get(THEME)
        known = theme if theme in THEMES else ""
        text = self.html(template, csrf=csrf_of(request), theme=known, **values)
        response = web.Response(text=text, content_type="text/html")
        response.enable_compression()
        return response


def is_part(request: web.Request) -> bool:
    """Whether a page's script asks for a part of the page; going back asks for a whole one."""
    headers = request.headers
    return "HX-Request" in headers and "HX-History-Restore-Request" not in headers


@cache
def _environment(prefix: str, files: str) -> Environment:
    """Made once, since compiling the templates takes a tenth of a second."""
    env = Environment(
        loader=PackageLoader("sparkwell.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters.update(FILTERS)
    env.globals.update(
        prefix=prefix,
        static=f"{prefix}/static/{files}",
        pages=PAGES,
        version=sparkwell.__version__,
    )
    return env
