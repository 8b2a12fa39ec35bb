"""The daemon's part of a snapshot: what it alone knows of its runs, and of how they serve."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sparkwell.app.diagnosing.parts import DaemonParts
from sparkwell.app.diagnosing.runs import held_back, planned, run_of, with_failures
from sparkwell.app.status.figures import box_state
from sparkwell.app.watching.watching import Watching
from sparkwell.catalog import Catalog
from sparkwell.checks.box import BoxState
from sparkwell.checks.run_parts import Run
from sparkwell.core.phases import Phase
from sparkwell.store import BreakerRow, Store
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import Instance

RECENT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Living:
    """Asks the parts of a daemon. ``status`` is the document of GET /admin/status."""

    supervisor: Supervisor
    store: Store
    catalog: Catalog
    watching: Watching
    status: Callable[[], Mapping[str, Any]]
    now: Callable[[], float] = time.time

    def parts(self) -> DaemonParts:
        """The parts, now."""
        restarts = Counter(each.model for each in self.store.restarts.since(self.now() - RECENT_S))
        runs = [self._run(each, restarts) for each in self.supervisor.instances]
        runs += self._held_back({run.model for run in runs})
        return DaemonParts(tuple(runs), self.watching.servings(), without_runs(self.status()))

    def _held_back(self, known: Collection[str]) -> list[Run]:
        """Of models that an earlier daemon saw fail, and that have not run since."""
        rows = [row for model, row in self.store.breakers.load().items() if model not in known]
        return [planned(held_back(row), self.catalog) for row in rows]

    def _run(self, instance: Instance, restarts: Mapping[str, int]) -> Run:
        spec = self.supervisor.spec(instance.id)
        if spec is None:  # it failed before there was anything to launch
            state, error = instance.state.value, instance.error
            bare = Run(instance.id, instance.model, state, error=error, hint=instance.hint)
            return with_failures(bare, self._held_against(instance.model))
        run = planned(run_of(spec, instance, None), self.catalog)
        timeline = self.supervisor.timeline(instance.id)
        entered = timeline.entered if timeline else {}
        longest = self.store.history.longest(spec.model, spec.engine, spec.engine_version)
        run = replace(
            run,
            started_at=min(entered.values(), default=None),
            ready_at=entered.get(Phase.READY),
            phase_since=entered.get(instance.phase),
            phase_longest_s=longest.get(instance.phase),
            last_line=self.supervisor.last_line(instance.id) or run.last_line,
            silent_s=self.supervisor.silent_s(instance.id),
            restarts=restarts.get(instance.model, 0),
        )
        return with_failures(run, self._held_against(instance.model))

    def _held_against(self, model: str) -> BreakerRow | None:
        """The breaker as a row of the store, its time in Unix seconds."""
        breaker, now = self.supervisor.box.breaker(model), self.supervisor.now
        if breaker is None:
            return None
        until = self.now() + breaker.not_before - now
        return BreakerRow(model, breaker.failures, until, breaker.reason, breaker.instance)


def without_runs(status: Mapping[str, Any]) -> BoxState:
    """The box but for what is said of its runs: checks look at those one by one."""
    return replace(box_state(status), failed=(), restarts=())
