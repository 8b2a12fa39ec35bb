"""An instance as status shows it."""

import json
import time
from collections.abc import Mapping
from typing import Any

from sparkwell.app.service import ModelService
from sparkwell.app.starter import HELD, SET
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import Phase
from sparkwell.core.protocols import Driver
from sparkwell.drivers.routing import route
from sparkwell.monitor.progress import progress
from sparkwell.store import History
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import Instance


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
            "hint": instance.hint,
            "last_lines": list(instance.record.last_lines) if instance.record else [],
            "requests_running": self._supervisor.leases(instance.id),
            **self._progress(instance, spec),
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
            "held_bytes": held_bytes(spec),
            "log": self._driver.log_path(instance.id) if self._driver.knows(instance.id) else None,
        }

    def _progress(self, instance: Instance, spec: LaunchSpec | None) -> dict[str, Any]:
        timeline = self._supervisor.timeline(instance.id)
        entered = timeline.entered if timeline else {}
        expected = self._expected(spec) if spec else {}
        now = progress(expected, entered, instance.phase, instance.fraction, time.time())
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
        }

    def _expected(self, spec: LaunchSpec) -> Mapping[Phase, float]:
        """What this machine has seen before; else what is known of first starts."""
        seen = self._history.expected(spec.model, spec.engine, spec.engine_version)
        recipe = self._models.catalog.find(spec.model)
        return seen or (self._models.planning.first_start(recipe, spec) if recipe else {})


def held_bytes(spec: LaunchSpec | None) -> int | None:
    """What an instance holds by its plan; None where nobody could tell."""
    held = spec.labels.get(HELD) if spec else None
    return int(held) if held else None


def flags_of(spec: LaunchSpec | None) -> list[str]:
    """What `up --set` gave an instance."""
    flags: list[str] = json.loads(label(spec, SET) or "[]")
    return flags


def label(spec: LaunchSpec | None, name: str) -> str:
    """A label of an instance, empty where there is none."""
    return spec.labels.get(name, "") if spec else ""
