"""The monitor and what listens to it, put together."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from sparkwell.app.paths import Paths
from sparkwell.app.service import ModelService
from sparkwell.app.watching.counts import Counts
from sparkwell.app.watching.exposing import Exposer
from sparkwell.app.watching.interpreting import Interpreter
from sparkwell.app.watching.run_plans import RunPlans, plan_of
from sparkwell.checks.serving_parts import Serving
from sparkwell.checks.serving_repeats import Ends, RepeatCounter
from sparkwell.core.findings import Finding
from sparkwell.hardware.sampling import MachineSampler
from sparkwell.monitor.exposition_keys import KeyFigures
from sparkwell.monitor.monitor import Keeper, Monitor
from sparkwell.monitor.overview import GatewayCounts, Target
from sparkwell.monitor.speed import planned_of
from sparkwell.store import Notice
from sparkwell.store.series import Series
from sparkwell.store.series_lines import Lines
from sparkwell.store.series_names import Point
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import State
from sparkwell.supervisor.journal import Journal

Json = Mapping[str, Any]
logger = logging.getLogger(__name__)
GLANCE_S = 3.0
MOST_HEARD = 16
"""Rounds that wait to be interpreted; of a backlog the oldest are forgotten."""
SERVING = (State.READY, State.DRAINING)


class Watching:
    """What a daemon knows of how it goes: figures, their history, and what they mean."""

    def __init__(
        self,
        supervisor: Supervisor,
        models: ModelService,
        counts: Counts,
        series: Keeper,
        sampler: MachineSampler,
        floor_bytes: int | None,
    ) -> None:
        self._supervisor, self._counts = supervisor, counts
        self._heard: deque[Sequence[Point]] = deque(maxlen=MOST_HEARD)
        self._more = asyncio.Event()
        self._repeats = RepeatCounter()
        self._plans = RunPlans(lambda spec: plan_of(models.planning, models.catalog, spec))
        self._interpreter = Interpreter(self._plans, self._repeats)
        self._exposer = Exposer(supervisor, self._plans, self._interpreter, counts, floor_bytes)
        self.monitor = Monitor(
            self._targets, sampler.sample, Heard(series, self._hear), gateway=self._gateway
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._glancing: asyncio.Task[None] | None = None
        self._glanced_at = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch as long as the block runs."""
        self._loop = asyncio.get_running_loop()
        tasks = [asyncio.create_task(self.monitor.run()), asyncio.create_task(self._interpret())]
        try:
            yield
        finally:
            tasks += [self._glancing] if self._glancing else []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._plans.close()

    def findings(self, model: str | None = None) -> tuple[Finding, ...]:
        """What is to be told of one model's serving, or of all."""
        return self._interpreter.findings(model)

    def servings(self) -> tuple[Serving, ...]:
        """Each model that serves, as the checks saw it last."""
        return self._interpreter.servings()

    def heard(self, model: str, ends: Ends | None) -> None:
        """A request has come."""
        self._counts.requests += 1
        self._repeats.saw(model, ends)

    def count_keys(self, figures: Callable[[], KeyFigures]) -> None:
        """Have /metrics tell what keys used, as ``figures`` says."""
        self._exposer.keys = figures

    def glance(self) -> None:
        """Somebody looks: for some seconds rounds come every second."""
        if self._loop is None:
            return
        self._glanced_at = self._loop.time()
        if self._glancing is None or self._glancing.done():
            self._glancing = self._loop.create_task(self._while_glanced_at())

    def figures(self) -> Json:
        """How it goes, for status: by instance, of the machine, and what is to be told."""
        overview = self.monitor.now()
        readings = overview.readings
        return {
            "machine": rounded(overview.machine_values()) if overview.at else None,
            "figures": {name: rounded(each.values()) for name, each in readings.items()},
            "problems": {name: each.problem for name, each in readings.items() if each.problem},
        }

    async def metrics(self) -> bytes:
        """The page for Prometheus."""
        return await self._exposer.page(self.monitor.now())

    async def _while_glanced_at(self) -> None:
        loop, left_s = asyncio.get_running_loop(), GLANCE_S
        with self.monitor.watched():
            while left_s > 0:
                await asyncio.sleep(left_s)
                left_s = self._glanced_at + GLANCE_S - loop.time()

    # ── what the monitor asks ───────────────────────────────────────────────────────────────

    def _targets(self) -> list[Target]:
        """The engines that serve. One that sleeps has nothing to say, and could be woken."""
        found = []
        for each in self._supervisor.instances:
            spec = self._supervisor.spec(each.id)
            if each.state in SERVING and spec is not None:
                plan = self._plans.of(spec)
                planned = planned_of(plan.speed) if plan and plan.speed else None
                found.append(Target(each.id, each.model, spec.engine, spec, planned))
        self._plans.keep({each.instance for each in found})
        return found

    def _gateway(self) -> GatewayCounts:
        return GatewayCounts(self._counts.requests, len(self._supervisor.box.waiting))

    # ── what it says ────────────────────────────────────────────────────────────────────────

    def _hear(self, points: Sequence[Point]) -> None:
        """Called in the thread that stores."""
        if self._loop:
            with suppress(RuntimeError):  # the daemon is ending
                self._loop.call_soon_threadsafe(self._take, points)

    def _take(self, points: Sequence[Point]) -> None:
        self._heard.append(points)
        self._more.set()

    async def _interpret(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._heard:
                try:
                    await self._interpreter.look(self._heard.popleft(), self._supervisor.spec)
                except Exception:
                    logger.exception("Figures could not be interpreted")


def rounded(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """Four digits are more than anybody reads; bytes stay whole."""
    return {
        name: value if value is None or abs(value) >= 1e6 else float(f"{value:.4g}")
        for name, value in figures.items()
    }


class Heard:
    """Keeps rounds in ``series``, and lets somebody hear them first."""

    def __init__(self, series: Keeper, hear: Callable[[Sequence[Point]], None]) -> None:
        self._series, self._hear = series, hear

    def add(self, at: float, points: Sequence[Point]) -> None:
        """Keep one round."""
        self._hear(points)
        self._series.add(at, points)

    def history(
        self, who: str | None, names: Sequence[str], since: float, until: float, points: int
    ) -> Lines:
        """What was kept."""
        return self._series.history(who, names, since, until, points)


def make_watching(
    paths: Paths,
    supervisor: Supervisor,
    models: ModelService,
    journal: Journal,
    counts: Counts,
    floor_bytes: int | None,
    stack: AsyncExitStack,
) -> Watching:
    """Put it together; ``stack`` closes file and driver in the end."""
    loop = asyncio.get_running_loop()

    def told(notice: Notice) -> None:
        said = f"{notice.message}. {notice.hint}" if notice.hint else notice.message
        with suppress(RuntimeError):  # heard in a thread, while the daemon ends
            loop.call_soon_threadsafe(journal.add, notice.kind, said)

    series, sampler = Series(paths.metrics, hear=told), MachineSampler()
    stack.callback(series.close)
    stack.callback(sampler.close)
    return Watching(supervisor, models, counts, series, sampler, floor_bytes)
