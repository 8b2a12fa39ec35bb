"""The rim: what the machine, the store and the daemon's status say of a run."""

import platform
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from sparkwell.app.paths import Paths
from sparkwell.app.planning.own_plans import as_started
from sparkwell.app.planning.planning import Planning, Target, Wish
from sparkwell.app.service import ModelService
from sparkwell.app.verifying.gathered import Started
from sparkwell.app.verifying.report import short_release
from sparkwell.catalog import Recipe
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import SparkwellError
from sparkwell.core.phases import BEFORE_LAUNCH, Phase
from sparkwell.engines.environments import environment
from sparkwell.hardware.facts import Facts
from sparkwell.hardware.machine import Machine
from sparkwell.hardware.samples import MachineSample
from sparkwell.planner.pace import AS_MODELLED
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.question import Question
from sparkwell.store import Starts, reading
from sparkwell.store.record import engine_key, machine_key
from sparkwell.store.starts import StartRecord

Json = Mapping[str, Any]


def plan_of_run(models: ModelService, recipe: Recipe, instance: Json) -> Plan | None:
    """The model's own plan of the flags that a run has; None for what cannot be planned here."""
    flags = dict(instance.get("flags") or {})
    wish = Wish(version=instance.get("engine_version"), flags=flags)
    return _bare(models, recipe, wish, flags)


def plan_of_start(models: ModelService, recipe: Recipe, wish: Wish) -> Plan | None:
    """The same of a start that has not begun, as this host's settings would have it."""
    try:
        asked = as_started(models, Target(describe_recipe(recipe), recipe), wish)
    except SparkwellError:
        return None
    return _bare(models, recipe, asked, None)


def _bare(
    models: ModelService, recipe: Recipe, wish: Wish, flags: Mapping[str, FlagValue] | None
) -> Plan | None:
    """With ``flags`` no others than those."""
    planning: Planning = models.planning
    if planning.here.device != environment(recipe.serve.environment).device:
        return None
    try:
        asked = planning.question(Target(describe_recipe(recipe), recipe), wish)
        return make_plan(modelled(asked if flags is None else replace(asked, flags=flags)))
    except SparkwellError:
        return None


def modelled(question: Question) -> Question:
    """Without what was measured on this machine before: else it is compared with itself."""
    return replace(
        question, calibration=None, basis="modelled", history=None, pace=AS_MODELLED
    )  # fmt: skip


def started(paths: Paths, machine: Machine, instance: Json) -> Started:
    """What the run's start took, as far as the daemon saw it."""
    phases = _phases(instance)
    known = Started(phases=phases, seconds=sum(phases.values()) if phases else None)
    record = _record(paths, machine, instance)
    if record is None:
        return known
    return replace(
        known,
        weights_bytes=record.weights_bytes,
        kv_cache_tokens=record.kv_cache_tokens,
        kv_cache_bytes=record.kv_cache_bytes,
        graphs_bytes=record.graphs_bytes,
        total_bytes=record.total_bytes,
        warm=record.warm,
    )


def _phases(instance: Json) -> dict[str, float]:
    """Seconds by phase; empty for a start that was not seen from its launch to ready."""
    if instance.get("start_s") is None:
        return {}
    entered = sorted(instance["phases"].items(), key=lambda each: each[1])
    seconds = {phase: round(later - at, 3) for (phase, at), (_, later) in pairwise(entered)}
    left_out = {phase.value for phase in (*BEFORE_LAUNCH, Phase.READY)}
    return {phase: s for phase, s in seconds.items() if phase not in left_out}


def _record(paths: Paths, machine: Machine, instance: Json) -> StartRecord | None:
    """What the store has of that very run."""
    version = engine_key(instance.get("engine_version") or "")
    kind = (machine_key(machine), instance["model"], instance["engine"], version)
    try:
        with reading(paths.store) as database:
            records = Starts(database).like(*kind) if database else ()
    except sqlite3.Error:  # locked or broken: `sparkwell serve` says so
        return None
    return next((each for each in records if each.instance == instance["id"]), None)


def held_bytes(before: MachineSample, after: MachineSample) -> int | None:
    """By how much the memory in use grew: the GPUs', or the system's where they have none.

    None where it is not told, or shrank: then something else went meanwhile.
    """
    pairs = list(zip(before.gpus, after.gpus, strict=False))
    grown = [
        other.used_bytes - one.used_bytes
        for one, other in pairs
        if one.used_bytes is not None and other.used_bytes is not None
    ]
    if not grown and before.available_bytes is not None and after.available_bytes is not None:
        grown = [before.available_bytes - after.available_bytes]
    whole = sum(grown)
    return whole if whole > 0 else None


def system_of(facts: Facts) -> dict[str, str | None]:
    """The versions below the engine."""
    return {
        "kernel": short_release(platform.release()),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "driver": facts.nvml.driver_version,
        "cuda": facts.nvml.cuda_version,
        "vendor": facts.vendor,
        "product": facts.product,
        "cpu": facts.cpu.model,
        "gpu": facts.nvml.gpus[0].name if facts.nvml.gpus else None,
    }
