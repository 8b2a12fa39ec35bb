"""What the gateway asks of a running daemon: which models there are, and a lease on one."""

import json
from collections.abc import Mapping

from sparkwell.app.seen import Seen
from sparkwell.app.served import Served, of_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UnknownModelError
from sparkwell.gateway.backend import Model
from sparkwell.supervisor.box import State
from sparkwell.supervisor.leases import Lease

_HEALTH_STATES = {
    State.READY: "ready",
    State.STARTING: "loading",
    State.STOPPING: "switching",
    State.FAILED: "idle",
}
"""What /health says of a state; of several instances the first here speaks for all."""


class ServedModels:
    """The models behind the gateway: its Backend."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError.

        Of Ollama's models only those that run or that the settings name: else anybody who may
        ask for a model could make this machine download any.
        """
        served = self._seen.served(name)
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

    def ensure_ready(self, model: str) -> Lease:
        """A lease on an engine that serves the model; raises NotReadyError."""
        return self._seen.supervisor.ensure_ready(model)

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
            has_metrics=served.ollama is None,
        )

    def _flags_in_force(self, served: Served) -> Mapping[str, FlagValue]:
        """Those of the running engine; for other models those that it would start with."""
        spec = self._seen.spec(served)
        if spec and "flags" in spec.labels:
            running: dict[str, FlagValue] = json.loads(spec.labels["flags"])
            return running
        return self._seen.models.flags(served.recipe) if served.recipe else {}


def _order(served: Served) -> tuple[bool, str]:
    """Models of the catalog first, by name."""
    return served.recipe is None, served.name
