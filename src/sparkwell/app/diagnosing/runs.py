"""Runs as the checks see them: from what the supervisor, a driver and the store know of them."""

import json
from collections.abc import Mapping
from dataclasses import replace

from sparkwell.catalog import Catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.run_parts import Run, RunEnd
from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.drivers.compose.saving import OUT_OF_MEMORY
from sparkwell.drivers.routing import route
from sparkwell.store import BreakerRow
from sparkwell.supervisor.instance import Instance

_OUT_OF_MEMORY = OUT_OF_MEMORY.decode().strip()


def run_of(spec: LaunchSpec, instance: Instance, record: ExitRecord | None) -> Run:
    """A run by what the supervisor knows of it; ``record`` is of one that has just ended."""
    return replace(
        run_of_spec(spec, "failed" if record else instance.state.value, record or instance.record),
        phase=instance.phase.value,
        error=instance.error,
        hint=instance.hint,
    )


def run_of_spec(spec: LaunchSpec, state: str, record: ExitRecord | None = None) -> Run:
    """A run by what it was launched with, and how it ended."""
    return Run(
        id=spec.instance,
        model=spec.model,
        state=state,
        engine=spec.engine,
        engine_version=spec.engine_version,
        device=spec.labels.get("device"),
        driver=route(spec, ("ollama",)),
        image=spec.container.image if spec.container else None,
        last_line=record.last_lines[-1] if record and record.last_lines else None,
        end=end_of(record) if record else None,
        flags=flags_of(spec),
    )


def flags_of(spec: LaunchSpec) -> Mapping[str, FlagValue]:
    """The flags that a run was given, by the engine's names; none where its label is no object."""
    try:
        flags = json.loads(spec.labels.get("flags", "{}"))
    except ValueError:
        return {}
    return flags if isinstance(flags, dict) else {}


def end_of(record: ExitRecord) -> RunEnd:
    """How a run ended."""
    return RunEnd(
        at=record.ended_at,
        code=record.code,
        signal=None if record.signal is None else str(record.signal),
        asked=record.requested,
        out_of_memory=any(_OUT_OF_MEMORY in line for line in record.last_lines),
        reason=record.reason,
    )


def planned(run: Run, catalog: Catalog) -> Run:
    """The run with the quantization that its recipe plans with."""
    recipe = catalog.find(run.model)
    return replace(run, planned_quantization=recipe.quantization.method) if recipe else run


def held_back(row: BreakerRow) -> Run:
    """The first of a row of failures of which nothing but that row is left."""
    lines = row.first_lines
    run = Run(row.first_instance, row.model, "failed", last_line=lines[-1] if lines else None)
    return with_failures(replace(run, error=row.first_reason.rstrip(".")), row)


def with_failures(run: Run, row: BreakerRow | None) -> Run:
    """The run with what is held against its model."""
    if row is None:
        return run
    return replace(
        run, failures=row.failures, held_until=row.not_before, first_reason=row.first_reason
    )
