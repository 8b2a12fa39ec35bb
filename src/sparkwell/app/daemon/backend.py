"""What the gateway asks of a running daemon: which models there are, and a lease on one."""

import json
from collections.abc import Mapping
from typing import Protocol

from sparkwell.app.daemon.seen import Seen
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.daemon.waiting import ServedTicket, WaitingRoom
from sparkwell.app.launching.starter import wish_of
from sparkwell.app.served import Served, of_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.serving_repeats import Ends
from sparkwell.core.errors import UnknownModelError
from sparkwell.core.launch import Endpoint
from sparkwell.gateway.backend import Model
from sparkwell.gateway.keys.seam import Passage
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.terms import Terms

_HEALTH_STATES = {
    State.READY: "ready",
    State.STARTING: "loading",
    State.WAKING: "loading",
    State.DRAINING: "switching",
    State.STOPPING: "switching",
    State.SLEEPING: "switching",
    State.ASLEEP: "idle",
    State.FAILED: "idle",
}
"""What /health says of a state; of several instances the first here speaks for all."""


_REMEMBERED = 256
DEFAULT = "default"
"""The model that a client means who does not care which."""

_COMES = (State.STARTING, State.WAKING, State.SLEEPING, State.ASLEEP)
"""No start is needed for these; one that leaves has to be started again."""


class Watcher(Protocol):
    """Who counts requests, and tells Prometheus."""

    def heard(self, model: str, ends: Ends | None) -> None:
        """A request has come."""
        ...

    async def metrics(self) -> bytes:
        """The page for Prometheus."""
        ...


class ServedModels:
    """The models behind the gateway: its Backend."""

    def __init__(self, seen: Seen, terms: TermsMaker, room: WaitingRoom) -> None:
        self._seen = seen
        self._terms = terms
        self._room = room
        self.watcher: Watcher | None = None
        self._of: tuple[object, object] = (None, None)
        self._known: dict[str, Model] = {}

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError.

        Of Ollama's models only those that run or that the settings name: else anybody who may
        ask for a model could make this machine download any. Answers are remembered until
        something has changed.
        """
        of = (self._seen.supervisor.mark, self._seen.models.settings)
        if of[0] is not self._of[0] or of[1] is not self._of[1] or len(self._known) > _REMEMBERED:
            self._of = of
            self._known.clear()
        model = self._known.get(name)
        if model is None:
            model = self._known[name] = self._resolved(name)
        return model

    def _resolved(self, name: str) -> Model:
        served = self._seen.served(self._default() if name.lower() == DEFAULT else name)
        if served.ollama and not self._is_ours(served):
            raise UnknownModelError(
                f"There is no model {served.name!r}.",
                hint=f"`sparkwell up {served.name}` serves it.",
            )
        return self._model(served)

    def listed(self) -> list[Model]:
        """Models that can be started without a download, what the settings name, what is loaded."""
        running = [self._seen.served(each.model) for each in self._seen.supervisor.instances]
        settings = self._seen.models.settings
        named = [self._seen.served(name) for name in (*settings.models, *settings.start)]
        here = [
            of_recipe(recipe)
            for recipe in self._seen.models.catalog
            if self._seen.models.availability(recipe).startable
        ]
        others = [each for each in named if each.ollama]
        shown = dict.fromkeys((*here, *running, *others))
        return [self._model(each) for each in sorted(shown, key=_order)]

    def ensure_ready(
        self, model: str, *, priority: int = 0, passage: Passage | None = None
    ) -> ServedTicket:
        """A place for one request, with its lease at once when the model is loaded.

        Raises SparkwellError when it is known now that it cannot be served.
        """

        def terms() -> Terms:
            before = self._seen.supervisor.given(model)
            current = self._seen.supervisor.of(model)
            coming = current is not None and current.state in _COMES
            return self._terms.of_request(self._seen.served(model), wish_of(before), coming=coming)

        del passage  # whoever lets requests in is in this process
        ticket = self._seen.supervisor.ensure_ready(model, terms, priority=priority)
        return ServedTicket(ticket, self._room.of)

    def loaded(self) -> list[tuple[str, Endpoint]]:
        """The models that are ready, and where their engines answer."""
        supervisor = self._seen.supervisor
        ready = [each for each in supervisor.instances if each.state is State.READY]
        specs = [(each.model, supervisor.spec(each.id)) for each in ready]
        return [(model, spec.endpoint) for model, spec in specs if spec is not None]

    def heard(self, model: str, ends: Ends | None) -> None:
        """Count a request, and whether its prompt begins or ends as one before."""
        if self.watcher:
            self.watcher.heard(model, ends)

    async def metrics(self) -> bytes:
        """The page for Prometheus."""
        return await self.watcher.metrics() if self.watcher else b""

    def health(self) -> tuple[bool, Mapping[str, object]]:
        """Whether requests can be served: not when engines have failed and none is left."""
        order = list(_HEALTH_STATES)
        instances = sorted(
            self._seen.supervisor.instances, key=lambda each: order.index(each.state)
        )
        if not instances:
            return True, {"state": "idle", "model": None, "models": {}}
        speaker = instances[0]
        state: dict[str, object] = {
            "state": _HEALTH_STATES[speaker.state],
            "model": speaker.model,
            "models": {each.model: each.state.value for each in instances},
        }
        if speaker.state is State.FAILED:
            return False, {**state, "error": speaker.error}
        return True, state

    def _default(self) -> str:
        """Which model is meant by none: the one used last of those loaded, else a first one.

        Raises UsageError where nothing says which.
        """
        instances = [each for each in self._seen.supervisor.instances if each.holds_the_machine]
        if instances:
            return max(instances, key=_used).model
        settings = self._seen.models.settings
        for name in (*settings.preload, *settings.start):
            return name
        raise UnknownModelError(
            "No model is loaded, and the settings name none that would be.",
            hint="Name one (/v1/models lists them), or `sparkwell up` one.",
        )

    def _is_ours(self, served: Served) -> bool:
        """Whether a model runs here, or the settings name it."""
        settings = self._seen.models.settings
        named = [self._seen.models.served(name) for name in (*settings.models, *settings.start)]
        return self._seen.supervisor.of(served.name) is not None or served in named

    def _model(self, served: Served) -> Model:
        flags = self._flags_in_force(served)
        limit = served.recipe.architecture.max_position_embeddings if served.recipe else None
        context = flags.get("max_model_len", flags.get("num_ctx", limit))
        known = int(context) if isinstance(context, int) and context > 0 else None
        instance, spec = self._seen.supervisor.of(served.name), self._seen.spec(served)
        return Model(
            name=served.name,
            aliases=served.aliases,
            state=instance.state.value if instance else "stopped",
            context=known,
            engine_name=spec.served_model if spec else None,
        )

    def _flags_in_force(self, served: Served) -> Mapping[str, FlagValue]:
        """Those of the running engine; for other models those that it would start with."""
        spec = self._seen.spec(served)
        if spec and "flags" in spec.labels:
            running: dict[str, FlagValue] = json.loads(spec.labels["flags"])
            return running
        return self._seen.models.flags(served.recipe) if served.recipe else {}


def _used(instance: Instance) -> tuple[bool, bool, float]:
    """Those that serve now before others; then the one that was used last."""
    busy = instance.idle_since is None
    return instance.state is State.READY, busy, instance.idle_since or instance.ready_at or 0.0


def _order(served: Served) -> tuple[bool, str]:
    """Models of the catalog first, by name."""
    return served.recipe is None, served.name
