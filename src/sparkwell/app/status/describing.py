"""An instance as status shows it."""

import json
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from sparkwell.app.launching.starter import DRIVER, FORCE, IMAGE, PROFILE, SET, WAY_BACK
from sparkwell.app.service import ModelService
from sparkwell.catalog.guide_claims import claims_for
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import Phase
from sparkwell.core.protocols import Driver
from sparkwell.drivers.routing import route
from sparkwell.monitor.expectations import GuideTime, expectation_text, guide_time
from sparkwell.monitor.progress import Progress, progress
from sparkwell.store import History
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import Instance, State


class Describer:
    """Puts together what the supervisor, the driver and the history know of an instance."""

    def __init__(
        self, models: ModelService, driver: Driver, supervisor: Supervisor, history: History
    ) -> None:
        self._models = models
        self._driver = driver
        self._supervisor = supervisor
        self._history = history

    def describe(self, instance: Instance) -> dict[str, Any]:
        """One entry of status."""
        spec = self._supervisor.spec(instance.id)
        return {
            "id": instance.id,
            "model": instance.model,
            "state": instance.state.value,
            **self._engine(instance, spec),
            "error": instance.error,
            "hint": _hint(instance, spec),
            "findings": [each.to_json() for each in instance.findings],
            "last_lines": list(instance.record.last_lines) if instance.record else [],
            "requests_running": instance.serving,
            "serving": instance.serving,
            "resident_s": self._since(instance.ready_at),
            "idle_s": self._since(instance.idle_since),
            "pinned": instance.terms.pinned,
            "priority": instance.terms.priority,
            "back_end": instance.terms.back_end.value,
            **self._progress(instance),
        }

    def _engine(self, instance: Instance, spec: LaunchSpec | None) -> dict[str, Any]:
        container = spec.container if spec else None
        return {
            "driver": route(spec, ("ollama",)) if spec else None,
            "engine": spec.engine if spec else None,
            "engine_version": spec.engine_version if spec else None,
            "endpoint": str(spec.endpoint) if spec else None,
            "container": container.name if container else None,
            "image": container.image if container else None,
            "flags": json.loads(label(spec, "flags") or "{}"),
            "given": given(spec),
            "held_bytes": instance.now_held_bytes,
            "log": self._driver.log_path(instance.id) if self._driver.knows(instance.id) else None,
        }

    def progress(self, instance: Instance) -> Progress:
        """How far a start is, in figures."""
        timeline, spec = self._supervisor.timeline(instance.id), self._supervisor.spec(instance.id)
        entered = timeline.entered if timeline else {}
        expected = self._expected(spec) if spec else {}
        return progress(expected, entered, instance.phase, instance.fraction, time.time())

    def _since(self, at: float | None) -> float | None:
        """Seconds since a moment of the box's time."""
        return None if at is None else round(max(0.0, self._supervisor.now - at), 1)

    def _progress(self, instance: Instance) -> dict[str, Any]:
        timeline = self._supervisor.timeline(instance.id)
        entered = timeline.entered if timeline else {}
        now = self.progress(instance)
        coming = instance.state in (State.STARTING, State.WAKING)
        return {
            "phase": instance.phase.value,
            "phase_title": instance.phase.label,
            "fraction": None if instance.fraction is None else round(instance.fraction, 3),
            "started_at": min(entered.values(), default=None),
            "start_s": timeline.total_s if timeline else None,
            "phases": {phase.value: at for phase, at in entered.items()},
            "percent": None if now.percent is None else round(now.percent, 1),
            "elapsed_s": round(now.elapsed_s, 1),
            "left_s": None if now.left_s is None else round(now.left_s, 1),
            "expectation": self._expectation(instance) if coming else None,
            "last_line": self._supervisor.last_line(instance.id) if coming else None,
        }

    def _expectation(self, instance: Instance) -> str | None:
        """What the guide says of this phase, and what it took here the last time."""
        spec = self._supervisor.spec(instance.id)
        if spec is None:
            return None
        last = self._history.last(spec.model, spec.engine, spec.engine_version)
        guide = _guide_time(spec.model, instance.phase)
        return expectation_text(guide, last.get(instance.phase))

    def _expected(self, spec: LaunchSpec) -> Mapping[Phase, float]:
        """What this machine has seen before; else what is known of first starts."""
        seen = self._history.expected(spec.model, spec.engine, spec.engine_version)
        recipe = self._models.catalog.find(spec.model)
        return seen or (self._models.planning.first_start(recipe, spec) if recipe else {})


def _hint(instance: Instance, spec: LaunchSpec | None) -> str | None:
    """What to do about a failure; of an engine with tuned flags also how to do without them."""
    back = label(spec, WAY_BACK)
    if not back or instance.state is not State.FAILED or instance.record is None:
        return instance.hint
    without = (
        f"It was started with tuned flags; `sparkwell up {instance.model} --profile {back}` goes "
        "back to those before."
    )
    return f"{instance.hint}\n{without}" if instance.hint else without


@cache
def _guide_time(model: str, phase: Phase) -> GuideTime | None:
    return guide_time(claims_for(model), phase)


def flags_of(spec: LaunchSpec | None) -> list[str]:
    """What `up --set` gave an instance."""
    flags: list[str] = json.loads(label(spec, SET) or "[]")
    return flags


def given(spec: LaunchSpec | None) -> dict[str, Any]:
    """What a person gave `up` for an instance: with it, `up` starts the same again."""
    chosen = {"profile": PROFILE, "driver": DRIVER, "image": IMAGE}
    return {
        "flags": flags_of(spec),
        **{name: label(spec, kept) or None for name, kept in chosen.items()},
        "force": bool(label(spec, FORCE)),
    }


def label(spec: LaunchSpec | None, name: str) -> str:
    """A label of an instance, empty where there is none."""
    return spec.labels.get(name, "") if spec else ""
