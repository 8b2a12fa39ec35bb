"""What the readings of the last minutes mean for each model that serves."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sparkwell.app.watching.run_plans import RunPlans
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.diagnosis.running.slowed import slowed_by_flags
from sparkwell.checks.serving import interpret
from sparkwell.checks.serving_parts import Serving, Slowed
from sparkwell.checks.serving_plan import planned_of, what_if
from sparkwell.checks.serving_repeats import RepeatCounter
from sparkwell.checks.serving_settled import Standings, settled, shown
from sparkwell.checks.serving_window import Moment, window_of
from sparkwell.core.findings import Finding, Severity
from sparkwell.core.launch import LaunchSpec
from sparkwell.planner.plan import Plan
from sparkwell.store.series_names import Point

WINDOW_S = 300.0
SpecOf = Callable[[str], LaunchSpec | None]


@dataclass(slots=True)
class _Watched:
    """One instance: its last minutes, and what is held to be so of it."""

    moments: deque[Moment] = field(default_factory=deque)
    standings: Standings = field(default_factory=dict)
    serving: Serving | None = None

    def add(self, moment: Moment) -> None:
        """Take a moment in, and forget those that are too old."""
        self.moments.append(moment)
        while self.moments[0].at_s < moment.at_s - WINDOW_S:
            self.moments.popleft()


class Interpreter:
    """Keeps the last five minutes of each instance, and judges them round by round.

    ``clock`` is monotonic. Belongs to one event loop; plans of changes are made in a thread.
    """

    def __init__(
        self,
        plans: RunPlans,
        repeats: RepeatCounter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plans, self._repeats, self._clock = plans, repeats, clock
        self._watched: dict[str, _Watched] = {}
        self._models: dict[str, str] = {}

    def findings(self, model: str | None = None) -> tuple[Finding, ...]:
        """What is to be told now, of one model or of all; each title begins with the model."""
        told = [
            replace(finding, title=f"{self._models[instance]}: {finding.title}")
            for instance, watched in self._watched.items()
            if model in (None, self._models.get(instance))
            for finding in shown(watched.standings)
        ]
        return tuple(told)

    def servings(self) -> tuple[Serving, ...]:
        """What was judged last, of each instance that serves."""
        return tuple(each.serving for each in self._watched.values() if each.serving)

    async def look(self, points: Sequence[Point], spec_of: SpecOf) -> None:
        """Take one more round of figures in, and judge anew. Who has gone is forgotten.

        The figures are those since the round before, as they are kept.
        """
        now, gpu_used = self._clock(), _gpu_used(points)
        here = {each.source.instance: each for each in points if each.source.instance}
        self._watched = {name: self._watched.get(name, _Watched()) for name in here}
        self._models = {name: each.source.model for name, each in here.items()}
        for name, point in here.items():
            watched, spec = self._watched[name], spec_of(name)
            watched.add(Moment(now, {**point.values, "gpu_used": gpu_used}))
            if spec is not None:
                watched.standings = settled(watched.standings, await self._judge(spec, watched))

    async def _judge(self, spec: LaunchSpec, watched: _Watched) -> tuple[Finding, ...]:
        serving = Serving(
            model=spec.model,
            window=window_of(tuple(watched.moments)),
            engine=spec.engine,
            flags=flags_of_run(spec),
            repeats=self._repeats.of(spec.model),
            slowed_by=_slowed_by(spec),
        )
        plan = self._plans.known(spec.instance)
        if plan is not None:
            serving = replace(serving, planned=planned_of(plan, serving.window))
        watched.serving = serving
        found = interpret(serving)
        if plan is None or all(each.severity is Severity.OK for each in found):
            return found
        # Only now: what a change would give takes some 10 ms to plan.
        return await asyncio.to_thread(_with_changes, serving, plan)


def flags_of_run(spec: LaunchSpec) -> dict[str, FlagValue]:
    """The flags that a run was given, by the engine's names."""
    flags: dict[str, FlagValue] = json.loads(spec.labels.get("flags", "{}"))
    return flags


def _slowed_by(spec: LaunchSpec) -> tuple[Slowed, ...]:
    """What its flags say that slows it: of an engine on a GPU alone."""
    on_cpu = spec.labels.get("device") == "cpu"
    return () if on_cpu else slowed_by_flags(flags_of_run(spec), spec.model)


def _gpu_used(points: Sequence[Point]) -> float | None:
    """The machine's point is the one without an instance."""
    machine = next((each for each in points if not each.source.instance), None)
    return machine.values.get("gpu_used") if machine else None


def _with_changes(serving: Serving, plan: Plan) -> tuple[Finding, ...]:
    return interpret(replace(serving, what_if=what_if(plan.question, serving)))
