"""What comes before a launch: what is missing is fetched, and the spec made."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import PhaseMark
from sparkwell.supervisor import messages
from sparkwell.supervisor.aides import OnDemand
from sparkwell.supervisor.runs import Runs
from sparkwell.supervisor.tasks import Tasks
from sparkwell.supervisor.telling import findings_of, words


class Preparing:
    """Prepares starts. ``tell`` takes how it ends, ``heard`` how far it is."""

    def __init__(
        self,
        runs: Runs,
        tasks: Tasks,
        on_demand: OnDemand,
        *,
        tell: Callable[[messages.Event], None],
        heard: Callable[[str, PhaseMark], None],
    ) -> None:
        self._runs = runs
        self._tasks = tasks
        self._on_demand = on_demand
        self._tell = tell
        self._heard = heard
        self._going_on: dict[str, asyncio.Task[LaunchSpec]] = {}

    @property
    def busy_with(self) -> set[str]:
        """The instances that are being prepared."""
        return set(self._going_on)

    async def prepare(self, wanted: messages.Prepare, beside: Mapping[str, int]) -> None:
        """Fetch what is missing and make the spec."""
        instance = wanted.instance
        work = self._going_on[instance] = self._tasks.spawn(
            self._provided(wanted, beside), handled=True
        )
        await asyncio.wait({work})
        del self._going_on[instance]
        if work.cancelled():
            self._tell(messages.Withdrawn(instance))
        elif error := work.exception():
            self._tell(messages.NotLaunched(instance, *words(error), findings_of(error)))
        else:
            self._runs.specs[instance] = work.result()
            self._tell(messages.Prepared(instance, work.result().held_bytes))

    def let_go(self, instance: str) -> bool:
        """Take a start back that is being prepared; whether it was."""
        work = self._going_on.get(instance)
        if work:
            work.cancel()
        return work is not None

    async def _provided(self, wanted: messages.Prepare, beside: Mapping[str, int]) -> LaunchSpec:
        instance = wanted.instance
        if wanted.on_demand:
            before = self._runs.last.get(wanted.model)
            make, provide = await self._on_demand.start(wanted.model, before, beside)
            self._runs.specs[instance] = make(instance)
            return await provide(partial(self._heard, instance))
        given = self._runs.provide.get(instance)
        return await given(partial(self._heard, instance)) if given else self._runs.specs[instance]
