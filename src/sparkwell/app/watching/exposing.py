"""The daemon's figures as Prometheus is told them: values, gathered at one moment."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import sparkwell
from sparkwell.app.watching.counts import Counts
from sparkwell.app.watching.interpreting import Interpreter
from sparkwell.app.watching.run_plans import RunPlans
from sparkwell.monitor.exposition import Exposed, ModelFigures, expose
from sparkwell.monitor.exposition_keys import KeyFigures
from sparkwell.monitor.exposition_page import EnginePage
from sparkwell.monitor.exposition_scrape import KEPT_S, EnginePages, PageTarget
from sparkwell.monitor.overview import Overview
from sparkwell.planner.plan import Plan
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import Instance, State

LARGE = 256 * 1024
"""Characters of engines' pages from which on they are put together in a thread."""
STATES = (*(state.value for state in State), "stopped")


class Exposer:
    """Makes the page of GET /metrics."""

    def __init__(
        self,
        supervisor: Supervisor,
        plans: RunPlans,
        interpreter: Interpreter,
        counts: Counts,
        floor_bytes: int | None,
    ) -> None:
        self._supervisor, self._plans = supervisor, plans
        self._interpreter, self._counts = interpreter, counts
        self._floor_bytes = floor_bytes
        self.keys: Callable[[], KeyFigures] = KeyFigures
        self._pages = EnginePages(self._targets)
        self._turn = asyncio.Lock()
        self._made: bytes | None = None
        self._made_at = 0.0

    async def page(self, overview: Overview) -> bytes:
        """The page as it is now."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if self._made is None or now - self._made_at >= KEPT_S:
                self._made = await self._make(overview)
                self._made_at = now
            return self._made

    async def _make(self, overview: Overview) -> bytes:
        pages: Sequence[EnginePage] = await self._pages.now()
        exposed = self.exposed(overview)
        if sum(len(page.text or "") for page in pages) < LARGE:
            return expose(exposed, pages)
        return await asyncio.to_thread(expose, exposed, pages)

    def exposed(self, overview: Overview) -> Exposed:
        """All values of Sparkwell's own."""
        machine = overview.machine_values()
        return Exposed(
            version=sparkwell.__version__,
            models=[self._figures(model, overview) for model in self._models()],
            machine=machine,
            gateway=machine,
            switches=self._counts.switches,
            guard_trips=self._counts.guard_trips,
            memory_floor_bytes=self._floor_bytes,
            states=STATES,
            keys=self.keys(),
        )

    def _targets(self) -> list[PageTarget]:
        """The engines with metrics that can answer; a sleeping one is not to be asked."""
        found = []
        for each in self._supervisor.instances:
            spec = self._supervisor.spec(each.id)
            serves = each.state in (State.READY, State.DRAINING)
            if serves and spec is not None and spec.engine == "vllm":
                found.append(PageTarget(each.model, spec.endpoint))
        return found

    def _models(self) -> list[str]:
        """Models of which there is something to tell: that run, failed, or are waited for."""
        box = self._supervisor.box
        named = [*(each.model for each in box.instances), *(each.model for each in box.waiting)]
        return list(dict.fromkeys(named))

    def _figures(self, model: str, overview: Overview) -> ModelFigures:
        instance, box = self._supervisor.of(model), self._supervisor.box
        held_against = box.breaker(model)
        figures = ModelFigures(
            model=model,
            state=instance.state.value if instance else "stopped",
            wanted=instance.kept if instance else False,
            breaker_open=bool(held_against and held_against.open),
            queued=len(box.waiting_for(model)),
            findings=self._interpreter.findings(model),
        )
        return figures if instance is None else self._of_run(figures, instance, overview)

    def _of_run(
        self, figures: ModelFigures, instance: Instance, overview: Overview
    ) -> ModelFigures:
        spec, reading = self._supervisor.spec(instance.id), overview.readings.get(instance.id)
        timeline = self._supervisor.timeline(instance.id)
        return ModelFigures(
            model=figures.model,
            state=figures.state,
            wanted=figures.wanted,
            breaker_open=figures.breaker_open,
            engine=spec.engine if spec else None,
            version=spec.engine_version if spec else None,
            run=instance.id,
            queued=figures.queued,
            readings=reading.values() if reading else {},
            planned=planned_figures(self._plans.known(instance.id)),
            load_s={each.value: s for each, s in timeline.durations.items()} if timeline else {},
            findings=figures.findings,
        )


def planned_figures(plan: Plan | None) -> Mapping[str, float | None]:
    """A plan's figures by the names of the series; none without a plan."""
    if plan is None:
        return {}
    memory, speed = plan.memory, plan.speed
    return {
        "planned_single_tokens_per_s": speed.single_tokens_per_s if speed else None,
        "planned_roofline_tokens_per_s": speed.roofline_tokens_per_s if speed else None,
        "planned_weights_bytes": memory.weights,
        "planned_kv_cache_bytes": memory.kv_cache,
        "planned_kv_cache_tokens": memory.kv_tokens,
        "planned_held_bytes": memory.held,
    }
