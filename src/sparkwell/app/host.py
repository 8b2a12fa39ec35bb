"""The daemon's two faces: a Backend for the gateway, a Control for the admin API."""

import json
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sparkwell
from sparkwell.admin import API_VERSION
from sparkwell.app.service import ModelService
from sparkwell.app.starting import DEFAULT_PROFILE, StartWish
from sparkwell.catalog import Recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError, UsageError
from sparkwell.core.events import Event
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.engines.vllm import read_flag
from sparkwell.gateway.backend import Model
from sparkwell.monitor.progress import progress
from sparkwell.store import History
from sparkwell.supervisor.actor import Lease, Supervisor
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.journal import Journal

logger = logging.getLogger(__name__)

SET, PROFILE, FORCE = "set", "profile", "force"
_HEALTH_STATES = {
    State.STARTING: "loading",
    State.READY: "ready",
    State.STOPPING: "switching",
    State.FAILED: "idle",
}


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
        driver: Driver,
        supervisor: Supervisor,
        journal: Journal,
        history: History,
        end: Callable[[bool], None],
    ) -> None:
        self._about = about
        self._models = models
        self._driver = driver
        self._supervisor = supervisor
        self._journal = journal
        self._history = history
        self._end = end

    # ── for the gateway ─────────────────────────────────────────────────────────────────────

    def resolve(self, name: str) -> Model:
        """The model that a client means; raises UnknownModelError."""
        return self._model(self._models.catalog.get(name))

    def listed(self) -> list[Model]:
        """Models that can be started without a download, and whatever is loaded."""
        shown = [
            recipe
            for recipe in self._models.catalog
            if self._state(recipe) != "stopped" or self._models.availability(recipe).startable
        ]
        return [self._model(recipe) for recipe in shown]

    def ensure_ready(self, model: str) -> Lease:
        """A lease on an engine that serves the model; raises NotReadyError."""
        return self._supervisor.ensure_ready(model)

    def health(self) -> tuple[bool, Mapping[str, object]]:
        """Whether requests can be served: not after an engine has failed."""
        instance = self._supervisor.instance
        if instance is None:
            return True, {"state": "idle", "model": None}
        state = {"state": _HEALTH_STATES[instance.state], "model": instance.model}
        if instance.state is State.FAILED:
            return False, {**state, "error": instance.error}
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
        instance = self._supervisor.instance
        return {
            **self.version(),
            "uptime_s": round(time.time() - self._about.started_at, 1),
            "requests_running": self._supervisor.requests_running,
            "event": self._journal.cursor,
            "instances": [self._describe(instance)] if instance else [],
        }

    def up(
        self, model: str, flags: Sequence[str], *, profile: str | None = None, force: bool = False
    ) -> Mapping[str, Any]:
        """Begin to serve a model; returns at once.

        Raises ConflictError when it does not fit on this machine, unless it is forced.
        """
        recipe = self._models.catalog.get(model)
        wish = StartWish(dict(read_flag(flag) for flag in flags), profile, force)
        # Labels, so that `restart` knows them also after the daemon was replaced.
        given = {SET: json.dumps(list(flags)), PROFILE: profile or "", FORCE: "1" if force else ""}

        def prepare(new: str) -> LaunchSpec:
            chosen = self._models.start_flags(recipe, wish)
            spec = self._models.launch_spec(recipe, new, self._driver.endpoint(new), chosen)
            return replace(spec, labels={**spec.labels, **given})

        before = self._supervisor.instance
        self._refuse_other_flags(before, recipe, wish)
        self._prune()
        instance = self._supervisor.up(recipe.name, prepare)
        new = before is None or before.id != instance
        return {"instance": instance, "model": recipe.name, "new": new}

    async def down(self, model: str | None) -> Mapping[str, Any]:
        """End the model, or whatever runs."""
        if model is not None:
            self._must_run(self._models.catalog.get(model).name)
        stopped = await self._supervisor.down()
        return {"stopped": stopped.model if stopped else None}

    async def restart(self, model: str | None) -> Mapping[str, Any]:
        """End what runs and serve it again with the same flags."""
        name = self._models.catalog.get(model).name if model else self._running_model()
        instance = self._supervisor.instance
        same = instance if instance and instance.model == name else None
        flags = self._flags_of(same) if same else []
        profile = self._label(same, PROFILE) if same else ""
        force = bool(self._label(same, FORCE)) if same else False
        # Looked at before what runs is stopped: else nothing would run in the end.
        wish = StartWish(dict(read_flag(flag) for flag in flags), profile or None, force)
        self._models.start_flags(self._models.catalog.get(name), wish)
        if same and same.holds_the_machine:
            await self._supervisor.down()
        return self.up(name, flags, profile=profile or None, force=force)

    def events(self, cursor: int) -> AsyncIterator[Event]:
        """Events newer than the cursor, as they come."""
        return self._journal.follow(cursor)

    def shut_down(self, *, stop_engines: bool) -> None:
        """End the daemon soon."""
        self._end(stop_engines)

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    def _model(self, recipe: Recipe) -> Model:
        flags = self._flags_in_force(recipe)
        context = flags.get("max_model_len", recipe.architecture.max_position_embeddings)
        known = int(context) if isinstance(context, int) and context > 0 else None
        return Model(recipe.name, recipe.aliases, self._state(recipe), known)

    def _flags_in_force(self, recipe: Recipe) -> Mapping[str, FlagValue]:
        """Those of the running engine; for other models those that it would start with."""
        instance = self._supervisor.instance
        spec = self._supervisor.spec(instance.id) if instance else None
        if spec and spec.model == recipe.name and "flags" in spec.labels:
            running: dict[str, FlagValue] = json.loads(spec.labels["flags"])
            return running
        return self._models.flags(recipe)

    def _state(self, recipe: Recipe) -> str:
        instance = self._supervisor.instance
        if instance is None or instance.model != recipe.name:
            return "stopped"
        return instance.state.value

    def _running_model(self) -> str:
        instance = self._supervisor.instance
        if instance is None:
            raise UsageError("No model runs.", hint="Start one with `sparkwell up MODEL`.")
        return instance.model

    def _must_run(self, name: str) -> None:
        instance = self._supervisor.instance
        if instance is None or instance.model != name:
            raise UsageError(f"{name} does not run.", hint="`sparkwell ps` shows what does.")

    def _describe(self, instance: Instance) -> dict[str, Any]:
        spec = self._supervisor.spec(instance.id)
        return {
            "id": instance.id,
            "model": instance.model,
            "state": instance.state.value,
            "driver": self._driver.name,
            "engine": spec.engine if spec else None,
            "engine_version": spec.engine_version if spec else None,
            "endpoint": str(spec.endpoint) if spec else None,
            "log": self._driver.log_path(instance.id),
            "error": instance.error,
            "last_lines": list(instance.record.last_lines) if instance.record else [],
            **self._progress(instance, spec),
        }

    def _progress(self, instance: Instance, spec: LaunchSpec | None) -> dict[str, Any]:
        timeline = self._supervisor.timeline
        entered = timeline.entered if timeline else {}
        expected = self._expected(spec) if spec else {}
        now = progress(expected, entered, instance.phase, instance.fraction, time.time())
        return {
            "phase": instance.phase.value,
            "phase_title": instance.phase.label,
            "started_at": min(entered.values(), default=None),
            "start_s": timeline.total_s if timeline else None,
            "phases": {phase.value: at for phase, at in entered.items()},
            "percent": None if now.percent is None else round(now.percent, 1),
            "elapsed_s": round(now.elapsed_s, 1),
            "left_s": None if now.left_s is None else round(now.left_s, 1),
        }

    def _refuse_other_flags(
        self, running: Instance | None, recipe: Recipe, wish: StartWish
    ) -> None:
        """Flags that cannot be had must not be passed over in silence."""
        if running is None or running.model != recipe.name or not running.holds_the_machine:
            return
        now = dict(read_flag(flag) for flag in self._flags_of(running))
        others = bool(wish.flags) and now != wish.flags
        profile = self._label(running, PROFILE) or DEFAULT_PROFILE
        other_profile = wish.profile is not None and wish.profile != profile
        if others or other_profile:
            raise ConflictError(
                f"{recipe.name} is {running.state} already, with other flags.",
                hint="Run `sparkwell down`, then the same command again.",
            )

    def _prune(self) -> None:
        """Old logs; that they cannot be removed must not keep a model from starting."""
        try:
            self._driver.prune(self._models.settings.engines.keep_logs)
        except OSError as error:
            logger.warning("Old logs cannot be removed: %s", error)

    def _flags_of(self, instance: Instance) -> list[str]:
        """What `up --set` gave this instance."""
        flags: list[str] = json.loads(self._label(instance, SET) or "[]")
        return flags

    def _label(self, instance: Instance, name: str) -> str:
        spec = self._supervisor.spec(instance.id)
        return spec.labels.get(name, "") if spec else ""

    def _expected(self, spec: LaunchSpec) -> Mapping[Any, float]:
        """What this machine has seen before; else what is known of first starts."""
        seen = self._history.expected(spec.model, spec.engine, spec.engine_version)
        recipe = self._models.catalog.find(spec.model)
        return seen or (self._models.planning.first_start(recipe, spec) if recipe else {})
