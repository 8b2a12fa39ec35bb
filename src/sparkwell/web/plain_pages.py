"""Pages whose content is made in the browser."""

from collections.abc import Mapping, Sequence

from aiohttp import web

from sparkwell.core.units import GIB
from sparkwell.web.fragments import Fragments, by_model
from sparkwell.web.offers import in_order, with_strangers
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services
from sparkwell.web.values import Json, ModelEntry


class PlainPages:
    """The routes of /playground."""

    def __init__(
        self, services: Services, render: Renderer, fragments: Fragments, api: str
    ) -> None:
        self._services = services
        self._render = render
        self._fragments = fragments
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to the application."""
        return [
            web.get("/playground", self.playground),
            web.post("/playground/key", self.own_key),
        ]

    async def playground(self, request: web.Request) -> web.Response:
        """GET /playground: it asks the public endpoint, as any client would."""
        status = self._services.status()
        running = by_model(status)
        entries = in_order(with_strangers(await self._services.models(), running), running)
        return self._render.page(
            request,
            "playground.html",
            page="playground",
            api=self._api,
            keys_needed=self._services.client_keys.needed,
            entries=entries,
            running=running,
            facts={each.name: _facts(each, running.get(each.name)) for each in entries},
            budget_gib=_gib((status.get("memory") or {}).get("budget_bytes")),
            pair=_pair(entries, running, request.query.get("model", "")),
            parts=self._fragments.of("other"),
        )

    async def own_key(self, _request: web.Request) -> web.Response:
        """POST /playground/key: what the playground asks with.

        No page carries it, so that none that is kept has it; a POST needs the session's token.
        """
        return web.json_response({"key": self._services.client_keys.own_secret()})


def _facts(entry: ModelEntry, runs: Json | None) -> dict[str, object]:
    """What the page has to know to say whether a question makes a model start, or leave."""
    plan = entry.plan
    held = runs["held_bytes"] if runs else plan["memory"]["held_bytes"] if plan else None
    return {
        "state": runs["state"] if runs else "stopped",
        "held_gib": _gib(held),
        "start_s": plan["startup"]["warm_s"] if plan else None,
    }


def _pair(
    entries: Sequence[ModelEntry], running: Mapping[str, Json], asked: str
) -> tuple[str, str]:
    """The models that are chosen at first: what was asked for, else what is ready."""
    names = [each.name for each in entries]
    ready = [name for name in names if name in running and running[name]["state"] == "ready"]
    order = [name for name in (asked, *ready, *names) if name in names]
    first, *others = list(dict.fromkeys(order)) or [""]
    return first, others[0] if others else first


def _gib(count: float | None) -> float | None:
    return None if count is None else count / GIB
