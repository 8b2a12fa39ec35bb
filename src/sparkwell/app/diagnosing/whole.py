"""The whole host as the doctor sees it: with or without a daemon, and whatever is broken."""

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sparkwell.app.diagnosing.asking import ask_daemon
from sparkwell.app.diagnosing.logs import RunLogs
from sparkwell.app.diagnosing.parts import DaemonParts
from sparkwell.app.diagnosing.remembered import Remembered, remembered
from sparkwell.app.diagnosing.resting import Ended, resting_runs
from sparkwell.app.diagnosing.secrets import clean_runs, clean_serving
from sparkwell.app.drivers import Drivers, make_drivers
from sparkwell.app.guard.guarded import is_wanted, limits_of
from sparkwell.app.keys.reading import lost_keys
from sparkwell.app.launching.fetching import Fetching
from sparkwell.app.preflight.report import Asked, of_this_daemon, with_plan
from sparkwell.app.preflight.scope import daemon_pid, find_way, scope_of
from sparkwell.app.service import ModelService
from sparkwell.checks.box import BoxState
from sparkwell.checks.diagnosis.running.slowed import slowed_by
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.serving_parts import Serving
from sparkwell.checks.snapshot import Gap, Snapshot
from sparkwell.core.errors import EnvironmentFault, SparkwellError
from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.doctor.background import in_background
from sparkwell.doctor.collect import collect
from sparkwell.doctor.scope import Scope

STORE_LIMIT_S = 5.0
DRIVERS_LIMIT_S = 10.0
_ANY = "any/model"
_LIVING = ("starting", "ready", "draining", "sleeping", "asleep", "waking", "stopping")


async def examine(
    models: ModelService, *, model: str | None = None, settings_file: Path | None = None
) -> Snapshot:
    """This host now. Nothing on it is changed, and nothing is raised but for an unknown model.

    With ``model`` also what a start of it would need, unless it runs. Raises UnknownModelError
    and UsageError. ``settings_file`` is the one in use, where it is not the usual one.
    """
    found = await _Look(models).runs()
    asked = _asked(models, model, found.runs)
    scope = _scope(models, asked, settings_file)
    snapshot = of_this_daemon(await collect(scope), scope)
    if asked:
        snapshot = await with_plan(snapshot, models, asked, find_way(models, asked))
    return replace(
        snapshot,
        runs=found.runs,
        serving=_explained(found.serving, _on_gpu(found.logs, found.runs)),
        box=found.box or _box(models, snapshot, found.keys_lost),
        logs=found.logs,
        gaps=(*snapshot.gaps, *found.gaps),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of runs. ``box`` is None where no daemon told; then ``keys_lost`` counts."""

    runs: tuple[Run, ...] = ()
    serving: tuple[Serving, ...] = ()
    box: BoxState | None = None
    logs: tuple[LogDigest, ...] = ()
    gaps: tuple[Gap, ...] = ()
    keys_lost: str | None = None


@dataclass(slots=True)
class _Look:
    """One look at the runs; gaps are noted as they come."""

    models: ModelService
    gaps: list[Gap] = field(default_factory=list)

    async def runs(self) -> _Found:
        """The runs, by the daemon's word where one answers, and their logs."""
        models = self.models
        drivers = make_drivers(models.paths, models.settings, models.environ)
        try:
            told, known = await asyncio.gather(self._daemon(), self._remembered())
            live = await self._live(drivers)
            ended = await self._ended(drivers)
            lost = await self._keys_lost() if told is None else None
            if told is None:
                told = DaemonParts(resting_runs(live, ended, known, models.catalog))
            specs: dict[str, LaunchSpec] = {spec.instance: spec for spec, _ in ended}
            specs |= {each.spec.instance: each.spec for each in live}
            reading = RunLogs(drivers.every, specs)
            logs, gaps = await reading.read(told.runs, known.breakers.values())
        finally:
            await drivers.ollama.close()
        runs, serving = clean_runs(told.runs), clean_serving(told.serving)
        return _Found(runs, serving, told.box, logs, (*self.gaps, *gaps), lost)

    async def _daemon(self) -> DaemonParts | None:
        if daemon_pid(self.models.paths) is None:
            return None
        try:
            return await ask_daemon(self.models.paths)
        except SparkwellError as error:
            self.gaps.append(Gap("daemon", error.message))
            return None

    async def _remembered(self) -> Remembered:
        file = self.models.paths.store
        try:
            return await in_background(lambda: remembered(file), STORE_LIMIT_S)
        except (sqlite3.Error, TimeoutError) as error:
            self.gaps.append(Gap("store", str(error) or "no answer"))
            return Remembered()

    async def _keys_lost(self) -> str | None:
        paths = self.models.paths
        try:
            lost = await in_background(lambda: lost_keys(paths), STORE_LIMIT_S)
        except TimeoutError as error:
            self.gaps.append(Gap("keys", str(error) or "no answer"))
            return None
        return lost.message if lost else None

    async def _live(self, drivers: Drivers) -> list[Running]:
        try:
            async with asyncio.timeout(DRIVERS_LIMIT_S):
                found, faults = await drivers.every.look()
        except TimeoutError:
            self.gaps.append(Gap("runs", f"no answer within {DRIVERS_LIMIT_S:.0f} s"))
            return []
        self.gaps += [Gap("runs", fault.message) for fault in faults]
        return found

    async def _ended(self, drivers: Drivers) -> list[Ended]:
        try:
            return await in_background(drivers.every.ended, STORE_LIMIT_S)
        except (SparkwellError, OSError, TimeoutError) as error:
            self.gaps.append(Gap("runs that ended", str(error) or "no answer"))
            return []


def _asked(models: ModelService, model: str | None, runs: Iterable[Run]) -> Asked | None:
    """A start to be looked at as well; none of what runs already, or is Ollama's."""
    served = models.served(model) if model else None
    if served is None or served.recipe is None:
        return None
    runs_already = any(run.model == served.name and run.state in _LIVING for run in runs)
    return None if runs_already else Asked(served.recipe)


def _scope(models: ModelService, asked: Asked | None, settings_file: Path | None) -> Scope:
    """What is looked at: the host's parts, and those of a start where one is asked for."""
    gateway, fetching = models.settings.gateway, Fetching(models.settings, models.environ)
    bare = Scope(
        environ=models.environ,
        ports=((gateway.host, gateway.port),),
        state=models.paths.state,
        daemon_pid=daemon_pid(models.paths),
    )
    return replace(
        scope_of(models, asked, find_way(models, asked)) if asked else bare,
        caches=tuple(fetching.folders),
        weights_folder=_weights_folder(fetching),
        metrics=models.paths.metrics,
        settings=settings_file or models.paths.config_file,
        versions=tuple(
            (f"engine {each.name}", each.version) for each in models.environments.installed()
        ),
    )


def _weights_folder(fetching: Fetching) -> Path | None:
    """Where downloads go; None for a user without a home who named no folder."""
    with suppress(EnvironmentFault):
        return fetching.target(_ANY)
    return None


def _explained(serving: Iterable[Serving], logs: Iterable[LogDigest]) -> tuple[Serving, ...]:
    """What serves, with what its own log says that slows it."""
    by_model = {log.model: slowed_by(log) for log in logs}
    return tuple(
        replace(each, slowed_by=by_model.get(each.model) or each.slowed_by) for each in serving
    )


def _on_gpu(logs: Iterable[LogDigest], runs: Iterable[Run]) -> list[LogDigest]:
    """The logs of what runs on a GPU."""
    elsewhere = {run.id for run in runs if run.device == "cpu"}
    return [log for log in logs if log.instance not in elsewhere]


def _box(models: ModelService, snapshot: Snapshot, keys_lost: str | None) -> BoxState | None:
    """The memory against its floor, where no daemon tells; nobody guards it then."""
    bare = BoxState(keys_lost=keys_lost)
    machine, system = snapshot.machine, snapshot.system
    if machine is None or system is None or not is_wanted(models.settings.guard, machine):
        return bare if keys_lost else None
    floor = limits_of(models.settings.guard, machine).soft_floor_bytes
    return replace(bare, available_bytes=system.memory.available_bytes, floor_bytes=floor)
