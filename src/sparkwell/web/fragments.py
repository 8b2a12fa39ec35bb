"""The parts of pages that change while they are open, by the id of the element they go into."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sparkwell.core.events import Event
from sparkwell.web.offers import fits_beside, offer
from sparkwell.web.rendering import Renderer
from sparkwell.web.services import Services
from sparkwell.web.values import Json, ModelEntry
from sparkwell.web.words import slug

Scope = Literal["overview", "models", "other"]
COLOURS = 6
STEPS = ("draining", "stopping", "verifying", "starting")
"""The steps of a switch, in their order."""


class Fragments:
    """Renders what a page of a scope shows at this moment."""

    def __init__(self, services: Services, render: Renderer) -> None:
        self._services = services
        self._render = render
        self._colours: dict[str, int] = {}
        self._entries: dict[str, ModelEntry] = {}

    def of(
        self,
        scope: Scope,
        newest: tuple[Event, ...] = (),
        models: tuple[str, ...] = (),
        csrf: str = "",
    ) -> dict[str, str]:
        """HTML by element id; on the page of models the states of ``models``, as ``state``."""
        status = self._services.status()
        parts = {"banner": self._part("banner", status=status, steps=STEPS)}
        if scope == "overview":
            parts |= self._overview(status, newest)
        if scope == "models":
            parts |= {f"state-{slug(name)}": self.state(status, name, csrf) for name in models}
        return parts

    def learn(self, entries: Iterable[ModelEntry]) -> None:
        """Remember what the catalog says of models: what may be done with each goes by it."""
        self._entries = {each.name: each for each in entries}

    def state(self, status: Json, model: str, csrf: str) -> str:
        """What a model does now, and what may be done with it.

        ``csrf`` is the token of the session that sees it: forms carry it, so that they work with
        scripts turned off, and before scripts are there.
        """
        known = by_model(status)
        others = [
            each["model"] for each in known.values() if each["state"] in ("ready", "starting")
        ]
        told = self._entries.get(model)
        return self._part(
            "model_state",
            model=model,
            csrf=csrf,
            entry=known.get(model),
            told=told,
            offer=offer(told) if told else "ready",
            beside=fits_beside(status, told),
            others=[each for each in others if each != model],
            switch=status.get("switch"),
        )

    def colour(self, model: str) -> int:
        """The number of a model's colour: the same in bars and plots while the daemon runs."""
        return self._colours.setdefault(model, len(self._colours) % COLOURS)

    def _overview(self, status: Json, newest: tuple[Event, ...]) -> dict[str, str]:
        found = sorted(self._services.findings(), key=lambda each: _RANK[each.severity.value])
        values: dict[str, Any] = {
            "status": status,
            "colours": {name: self.colour(name) for name in by_model(status)},
            "now": self._services.now(),
            "found": [each for each in found if each.severity.value != "ok"],
            "newest": newest,
            "steps": STEPS,
        }
        names = ("headline", "memory", "instances", "findings", "happened")
        return {name: self._part(name, **values) for name in names}

    def _part(self, name: str, **values: Any) -> str:
        return self._render.html(f"parts/{name}.html", **values)


_RANK = {"error": 0, "warning": 1, "info": 2, "ok": 3}


def by_model(status: Json) -> Mapping[str, Json]:
    """The newest instance of each model."""
    return {each["model"]: each for each in status["instances"]}
