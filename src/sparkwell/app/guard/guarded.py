"""The daemon's side of the memory guard: whom it may end, and what it has ended."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sparkwell.app.guard.keeper import GuardKeeper
from sparkwell.app.paths import Paths
from sparkwell.app.settings.config import GuardSettings
from sparkwell.checks.diagnosis.memory.host_low import guard_ended
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.units import GIB
from sparkwell.guard.finding import Target, find_target
from sparkwell.guard.rules import Limits, floors
from sparkwell.hardware.machine import Machine
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.messages import Tripped
from sparkwell.supervisor.room import holding

logger = logging.getLogger(__name__)
FEED_S = 0.5
Who = tuple[str, int | None, float | None]
"""An instance, its process, and when it was started or woken."""


def limits_of(settings: GuardSettings, machine: Machine) -> Limits:
    """The floors for this machine."""
    soft, hard = floors(
        machine.total_bytes,
        int(settings.soft_floor_gib * GIB),
        int(settings.hard_floor_gib * GIB),
    )
    sample_s = settings.sample_ms / 1000
    return Limits(soft_floor_bytes=soft, hard_floor_bytes=hard, sample_s=sample_s)


def is_wanted(settings: GuardSettings, machine: Machine) -> bool:
    """Whether a guard runs: only where engine and system take from each other."""
    return settings.enabled and machine.unified


@asynccontextmanager
async def guarded(
    paths: Paths, settings: GuardSettings, machine: Machine, supervisor: Supervisor,
    journal: Journal,
) -> AsyncIterator[GuardKeeper | None]:  # fmt: skip
    """Have a guard live as long as the block runs, fed and listened to; None where none is wanted.

    That it cannot be started is told by the keeper, which tries again; nobody is kept from serving.
    """
    if not is_wanted(settings, machine):
        yield None
        return

    def told(kind: str, message: str) -> None:
        journal.add(kind, message)

    limits = limits_of(settings, machine)
    keeper = GuardKeeper(paths.guard, limits, daemon_lock=paths.lock, told=told)
    await keeper.start()
    tasks = [
        asyncio.create_task(_feed(keeper, supervisor)),
        asyncio.create_task(_hear(keeper, supervisor, journal)),
    ]
    for task in tasks:
        task.add_done_callback(_say_why)
    try:
        yield keeper
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await keeper.close()


def _say_why(task: asyncio.Task[None]) -> None:
    """Without it nobody feeds or hears the guard any more."""
    if not task.cancelled() and task.exception():
        logger.error("The memory guard is left alone", exc_info=task.exception())


async def _feed(keeper: GuardKeeper, supervisor: Supervisor) -> None:
    """Tell the guard whom it may end, whenever that changes: it is looked at, not told of.

    A driver says which process an engine is only after it was asked to start it.
    """
    known: list[Who] | None = None
    failing = False
    starts = Starts()
    while True:
        running = who_runs(supervisor)
        if failing or running != known:  # what belongs to each is looked up only then
            targets = targets_of(supervisor, starts)
            failing = not await _told(keeper, targets, quiet=failing)
            known = running
        await asyncio.sleep(FEED_S)


async def _told(keeper: GuardKeeper, targets: list[Target], *, quiet: bool) -> bool:
    """Whether they could be written. ``quiet`` where it has been said already that they cannot."""
    try:
        await asyncio.to_thread(keeper.tell, targets)
    except EnvironmentFault as error:
        if not quiet:
            logger.warning("The memory guard does not know what runs: %s", error)
        return False
    return True


class Starts:
    """When each instance was started or woken last, in seconds since boot: said once, kept."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}

    def at(self, instance: str, began: float | None) -> float | None:
        """The moment of ``began`` (monotonic) since boot; None where the process itself tells."""
        if began is None:
            return None
        known = self._known.get(instance)
        if known is None or known[0] != began:
            ago = time.monotonic() - began
            known = (began, time.clock_gettime(time.CLOCK_BOOTTIME) - ago)
            self._known[instance] = known
        return known[1]


def who_runs(supervisor: Supervisor) -> list[Who]:
    """What tells one set of running engines from another."""
    there = [(each.id, supervisor.process(each.id)) for each in holding(supervisor.box)]
    return [(name, one.pid, supervisor.began(name)) for name, one in there if one]


def targets_of(supervisor: Supervisor, starts: Starts) -> list[Target]:
    """The engines that may run, as the guard knows them: also one that could not be ended."""
    found = []
    for each in holding(supervisor.box):
        process = supervisor.process(each.id)
        if process and process.pid is not None:
            at = starts.at(each.id, supervisor.began(each.id))
            found.append(find_target(each.id, each.model, process.pid, process.start_ticks, at))
    return found


async def _hear(keeper: GuardKeeper, supervisor: Supervisor, journal: Journal) -> None:
    """Pass on what the guard has done, with its trace."""
    async for trip in keeper.trips():
        reason = f"{trip.reason} ({trip.kind} floor)"
        if trip.instance and supervisor.get(trip.instance):
            found = (guard_ended(trip.model, reason),) if trip.model else ()
            supervisor.report(Tripped(trip.instance, reason, found))
        journal.add(
            "guard.acted",
            f"The memory guard acted: {reason}",
            model=trip.model,
            instance=trip.instance,
            data={"trace": trip.trace, "at": trip.at},
        )
