"""The daemon's two faces: a Backend for the gateway, a Control for the admin API."""

import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sparkwell
from sparkwell.admin import API_VERSION
from sparkwell.admin.api import UpBody
from sparkwell.app.describing import Describer, flags_of, held_bytes, label
from sparkwell.app.served import Served, of_recipe
from sparkwell.app.service import ModelService
from sparkwell.app.starter import DRIVER, FORCE, IMAGE, PROFILE, Starter, given_labels
from sparkwell.app.starting import DEFAULT_PROFILE, StartWish
from sparkwell.app.together import wishes_together
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError, UnknownModelError, UsageError
from sparkwell.core.events import Event
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.engines.vllm import read_flag
from sparkwell.gateway.backend import Model
from sparkwell.supervisor.actor import Lease, Supervisor
from sparkwell.supervisor.box import State
from sparkwell.supervisor.journal import Journal

logger = logging.getLogger(__name__)

_HEALTH_STATES = {
    State.READY: "ready",
    State.STARTING: "loading",
    State.STOPPING: "switching",
    State.FAILED: "idle",
}
"""What /health says of a state; of several instances the first here speaks for all."""


@dataclass(frozen=True, slots=True)
class About:
    """Facts of this daemon: where its gateway listens, and whether `up` started it."""

    host: str
    port: int
    detached: bool
    started_at: float

    @property
    def url(self) -> str:
        """The gateway's base URL as a client on this machine would write it."""
        shown = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"


class Host:
    """Everything that somebody may ask of a running daemon."""

    def __init__(
        self,
        about: About,
        models: ModelService,
        starter: Starter,
        driver: Driver,
        supervisor: Supervisor,
        journal: Journal,
        describer: Describer,
        end: Callable[[bool], None],
    ) -> None:
        self._about = about
        self._models = models
        self._starter = starter
        self._driver = driver
        self._supervisor = supervisor
        self._journal = journal
        self._describer = describer
        self._end = end

    # ── for the gateway ─────────────────────────────────────────────────────────────────────

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError.

        Of Ollama's models only those that run or that the settings name: else anybody who may
        ask for a model could make this machine download any.
        """
        served = self._models.served(name)
        if served.ollama and not self._is_ours(served.name):
            raise UnknownModelError(
                f"There is no model {served.name!r}.",
                hint=f"`sparkwell up {served.name}` serves it.",
            )
        return self._model(served)

    def listed(self) -> list[Model]:
        """Models that can be started without a download, and whatever is loaded."""
        known = [of_recipe(recipe) for recipe in self._models.catalog]
        running = {
            each.model: self._models.served(each.model) for each in self._supervisor.instances
        }
        others = [each for name, each in running.items() if each.recipe is None]
        shown = [
            each
            for each in known
            if each.name in running
            or (each.recipe and self._models.availability(each.recipe).startable)
        ]
        return [self._model(each) for each in (*shown, *others)]

    def ensure_ready(self, model: str) -> Lease:
        """A lease on an engine that serves the model; raises NotReadyError."""
        return self._supervisor.ensure_ready(model)

    def health(self) -> tuple[bool, Mapping[str, object]]:
        """Whether requests can be served: not when engines have failed and none is left."""
        order = list(_HEALTH_STATES)
        instances = sorted(self._supervisor.instances, key=lambda each: order.index(each.state))
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

    # ── for the control API ─────────────────────────────────────────────────────────────────

    def version(self) -> Mapping[str, Any]:
        """Version and process of this daemon."""
        return {
            "version": sparkwell.__version__,
            "api": API_VERSION,
            "pid": os.getpid(),
            "detached": self._about.detached,
            "gateway": self._about.url,
        }

    def status(self) -> Mapping[str, Any]:
        """What runs, and how far it is."""
        return {
            **self.version(),
            "uptime_s": round(time.time() - self._about.started_at, 1),
            "requests_running": self._supervisor.requests_running,
            "event": self._journal.cursor,
            "instances": [self._describer.describe(each) for each in self._supervisor.instances],
        }

    async def up(self, wanted: UpBody) -> Mapping[str, Any]:
        """Begin to serve models, one after the other; returns at once.

        Raises ConflictError when they do not fit on this machine together and beside what runs,
        unless it is forced; nothing has begun then.
        """
        models = self._meant(wanted.models)
        new = [each for each in models if not self._runs(each.name)]
        for running in (each for each in models if each not in new):
            self._refuse_other_flags(running, wanted)
        wish = _wish(wanted)
        sizes = await self._starter.sizes(new, wish.flags)
        wishes = wishes_together(self._models, new, wish, self._held(), sizes)
        self._prune()
        begun = [self._begin(each, wishes.get(each.name)) for each in models]
        return {**begun[0], "instances": begun}

    async def down(self, model: str | None) -> Mapping[str, Any]:
        """End the model, or whatever runs."""
        name = self._models.served(model).name if model else None
        if name is not None and self._supervisor.of(name) is None:
            raise UsageError(f"{name} does not run.", hint="`sparkwell ps` shows what does.")
        stopped = await self._supervisor.down(name)
        await self._starter.ollama.tidy([each.model for each in self._supervisor.instances])
        return {"stopped": [each.model for each in stopped]}

    async def restart(self, model: str | None) -> Mapping[str, Any]:
        """End what runs and serve it again with the same flags."""
        served = self._models.served(model) if model else self._only_one()
        wanted = self._asked_for(served)
        # Looked at before what runs is stopped: else nothing would run in the end.
        beside = {name: size for name, size in self._held().items() if name != served.name}
        wish = _wish(wanted)
        sizes = await self._starter.sizes([served], wish.flags)
        wishes = wishes_together(self._models, [served], wish, beside, sizes)
        self._starter.start(served, wishes[served.name], {})
        if self._supervisor.of(served.name):
            await self._supervisor.down(served.name)
        return await self.up(wanted)

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        return self._journal.follow(cursor)

    def shut_down(self, *, stop_engines: bool) -> None:
        """End the daemon soon."""
        self._end(stop_engines)

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    def _meant(self, names: Sequence[str]) -> list[Served]:
        """The models that were named, each once; else those of the settings."""
        named = names or self._models.settings.start
        if not named:
            raise UsageError(
                "No model was named, and the settings start none.",
                hint="`start` in sparkwell.yaml names what `sparkwell up --all` starts.",
            )
        found = [self._models.served(name) for name in named]
        return list({each.name: each for each in found}.values())

    def _begin(self, served: Served, wish: StartWish | None) -> Mapping[str, Any]:
        """Begin to serve one model; what runs already goes on."""
        start = self._starter.start(served, wish, given_labels(wish)) if wish else None

        def prepare(instance: str) -> LaunchSpec:
            if start is None:  # it ended in this very moment
                raise ConflictError(f"{served.name} has just ended.", hint="Try again.")
            return start.prepare(instance)

        before = self._supervisor.of(served.name)
        instance = self._supervisor.up(served.name, prepare, start.provide if start else None)
        new = before is None or before.id != instance
        return {"instance": instance, "model": served.name, "new": new}

    def _is_ours(self, name: str) -> bool:
        """Whether a model runs here, or the settings name it."""
        settings = self._models.settings
        named = {*settings.models, *(each.partition("=")[0] for each in settings.start)}
        return self._supervisor.of(name) is not None or name in named

    def _runs(self, name: str) -> bool:
        instance = self._supervisor.of(name)
        return instance is not None and instance.state in (State.STARTING, State.READY)

    def _held(self) -> dict[str, int]:
        """What the running models hold by their plans, in bytes."""
        live = (each for each in self._supervisor.instances if each.holds_the_machine)
        held = {each.model: held_bytes(self._supervisor.spec(each.id)) for each in live}
        return {name: size for name, size in held.items() if size is not None}

    def _model(self, served: Served) -> Model:
        flags = self._flags_in_force(served)
        limit = served.recipe.architecture.max_position_embeddings if served.recipe else None
        context = flags.get("max_model_len", flags.get("num_ctx", limit))
        known = int(context) if isinstance(context, int) and context > 0 else None
        instance = self._supervisor.of(served.name)
        state = instance.state.value if instance else "stopped"
        return Model(served.name, self._aliases(served), state, known)

    def _aliases(self, served: Served) -> tuple[str, ...]:
        """What the engine answers to: a running one may know the model by a name of its own."""
        spec = self._spec_of(served)
        return (spec.served_model,) if spec and spec.served_model else served.aliases

    def _flags_in_force(self, served: Served) -> Mapping[str, FlagValue]:
        """Those of the running engine; for other models those that it would start with."""
        spec = self._spec_of(served)
        if spec and "flags" in spec.labels:
            running: dict[str, FlagValue] = json.loads(spec.labels["flags"])
            return running
        return self._models.flags(served.recipe) if served.recipe else {}

    def _spec_of(self, served: Served) -> LaunchSpec | None:
        instance = self._supervisor.of(served.name)
        return self._supervisor.spec(instance.id) if instance else None

    def _only_one(self) -> Served:
        instances = self._supervisor.instances
        if len(instances) == 1:
            return self._models.served(instances[0].model)
        if not instances:
            raise UsageError("No model runs.", hint="Start one with `sparkwell up MODEL`.")
        names = ", ".join(each.model for each in instances)
        raise UsageError("Several models run.", hint=f"Name one of them: {names}.")

    def _asked_for(self, served: Served) -> UpBody:
        """What `up` was given for the running instance."""
        spec = self._spec_of(served)
        return UpBody(
            models=(served.name,),
            flags=tuple(flags_of(spec)),
            profile=label(spec, PROFILE) or None,
            driver=cast("Literal['process', 'compose'] | None", label(spec, DRIVER) or None),
            image=label(spec, IMAGE) or None,
            force=bool(label(spec, FORCE)),
        )

    def _refuse_other_flags(self, served: Served, wanted: UpBody) -> None:
        """What cannot be had of a model that runs must not be passed over in silence."""
        spec, wish = self._spec_of(served), _wish(wanted)
        now = dict(read_flag(flag) for flag in flags_of(spec))
        others = bool(wish.flags) and now != wish.flags
        profile = label(spec, PROFILE) or DEFAULT_PROFILE
        other_profile = wish.profile is not None and wish.profile != profile
        other_image = wish.image is not None and wish.image != label(spec, IMAGE)
        if others or other_profile or other_image:
            instance = self._supervisor.of(served.name)
            state = instance.state if instance else "there"
            raise ConflictError(
                f"{served.name} is {state} already, with other flags.",
                hint=f"Run `sparkwell down {served.name}`, then the same command again.",
            )

    def _prune(self) -> None:
        """Old logs; that they cannot be removed must not keep a model from starting."""
        try:
            self._driver.prune(self._models.settings.engines.keep_logs)
        except OSError as error:
            logger.warning("Old logs cannot be removed: %s", error)


def _wish(wanted: UpBody) -> StartWish:
    """The wish of a start; raises UsageError for what is no flag."""
    flags = dict(read_flag(flag) for flag in wanted.flags)
    return StartWish(
        flags=flags,
        profile=wanted.profile,
        force=wanted.force,
        driver=wanted.driver,
        image=wanted.image,
        folder=wanted.folder,
    )
