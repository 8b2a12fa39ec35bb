"""The machine's memory around starts and ends: the supervisor's Memory."""

import asyncio
import logging
import time
from collections.abc import Callable

from sparkwell.app.daemon.first_looks import FirstLook, FirstLooks
from sparkwell.app.guard.memory_looks import looker
from sparkwell.core.errors import ConflictError, SparkwellError
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.guard.before import drop_page_cache, refusal
from sparkwell.hardware.machine import Machine
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.release import (
    NOTICE_S,
    Baseline,
    Judgement,
    Look,
    Verdict,
    judge,
    words_of,
)
from sparkwell.supervisor.room import holding

logger = logging.getLogger(__name__)
POLL_S = 0.1
FRESH_S = 1.0
"""How long status shows what was seen."""
_EVENTS = {
    Verdict.BACK: "memory.verified",
    Verdict.EXPLAINED: "memory.explained",
    Verdict.WAIT: "memory.waiting",
    Verdict.SUSPECT: "memory.reboot_suspected",
    Verdict.UNEXPLAINED: "memory.unexplained",
}


class MachineMemory:
    """Looks before and after. ``supervisor`` is set when there is one.

    ``floor_bytes`` is what a start must leave available, None where nobody guards it. ``first``
    are the looks before the starts, also those that an earlier daemon took.
    """

    def __init__(
        self,
        machine: Machine,
        driver: Driver,
        journal: Journal,
        *,
        floor_bytes: int | None,
        first: FirstLooks | None = None,
        look: Callable[[], Look | None] | None = None,
    ) -> None:
        self._machine = machine
        self._driver = driver
        self._journal = journal
        self._floor_bytes = floor_bytes
        self._look = look or looker(machine)
        self._first = first or FirstLooks()
        self._seen: tuple[float, int | None] | None = None
        self._looking: asyncio.Future[tuple[float, int | None]] | None = None
        self.supervisor: Supervisor | None = None

    async def before_launch(self, spec: LaunchSpec) -> None:
        """Drop the page cache where that counts as used, and refuse what would go too low.

        Raises ConflictError with the figures.
        """
        if self._machine.unified and self._machine.device == "cuda":
            await asyncio.to_thread(drop_page_cache)
        look = await asyncio.to_thread(self._look)
        if look is None:
            return
        self._refuse_too_low(spec, look)
        held = {name: now for name, now in self._holding().items() if name != spec.instance}
        self._first.keep(spec.instance, FirstLook(look, held))

    async def after_end(self, instance: str, model: str) -> None:
        """Wait until memory is back to what it was before the start, and tell of it."""
        baseline = self._baseline(instance)
        if baseline is None:
            return
        looks: list[Look] = []
        noticed = False
        while look := await asyncio.to_thread(self._look):
            looks = [*looks[:1], look]
            left = await self._engines_left(looks)
            judgement = judge(baseline, looks, self._machine.total_bytes, engines_left=left)
            late = judgement.waited_s >= NOTICE_S and not noticed
            if judgement.verdict is not Verdict.WAIT or late:
                noticed = True
                self._tell(judgement, instance, model, baseline, look)
            if judgement.verdict is not Verdict.WAIT:
                return
            await asyncio.sleep(POLL_S)

    def available_bytes(self) -> int | None:
        """What engines could take, as of a second or so ago: a GPU may take long to answer."""
        if self._seen is None:
            self._seen = self._glance()
        elif self._looking is None and time.monotonic() - self._seen[0] >= FRESH_S:
            loop = asyncio.get_running_loop()
            self._looking = loop.run_in_executor(None, self._glance)
            self._looking.add_done_callback(self._has_looked)
        return self._seen[1]

    def _glance(self) -> tuple[float, int | None]:
        look = self._look()
        return time.monotonic(), look.available_bytes if look else None

    def _has_looked(self, looking: "asyncio.Future[tuple[float, int | None]]") -> None:
        self._looking = None
        if not looking.cancelled():
            failed = looking.exception()
            self._seen = (time.monotonic(), None) if failed else looking.result()

    def _refuse_too_low(self, spec: LaunchSpec, look: Look) -> None:
        forced = bool(spec.labels.get("force"))
        if self._floor_bytes is None or spec.held_bytes is None or forced:
            return
        refused = refusal(look.available_bytes, spec.held_bytes, self._floor_bytes)
        if refused:
            raise ConflictError(
                f"{spec.model} would leave too little memory: {refused.message}", hint=refused.hint
            )

    def _baseline(self, instance: str) -> Baseline | None:
        """What should be available again; None where that cannot be told."""
        before = self._first.take(instance)
        if before is None or self.supervisor is None:
            return None
        newer = 0
        for name, now in self._holding().items():
            then = before.held.get(name, 0)
            if name == instance or now == then:
                continue
            if now is None or then is None:
                return None
            newer += max(0, now - then)  # it has started since, or was asleep and has woken
        return Baseline(before.look, newer)

    def _holding(self) -> dict[str, int | None]:
        """What each that may run holds now by its plan, in bytes, by instance."""
        there = holding(self.supervisor.box) if self.supervisor else ()
        return {each.id: each.now_held_bytes for each in there}

    async def _engines_left(self, looks: list[Look]) -> bool:
        """Whether an engine runs that nobody accounts for; asked only when it matters."""
        if looks[-1].at - looks[0].at < NOTICE_S:
            return True
        try:
            running = {each.spec.instance for each in await self._driver.running()}
        except SparkwellError as error:
            logger.warning("Whether an engine is left cannot be told: %s", error)
            return True
        return bool(running - self._holding().keys())

    def _tell(
        self, judgement: Judgement, instance: str, model: str, baseline: Baseline, look: Look
    ) -> None:
        said = words_of(judgement, model, baseline, look)
        data = {
            "available_bytes": look.available_bytes,
            "expected_bytes": baseline.expected_bytes,
            "missing_bytes": judgement.missing_bytes,
            "others_bytes": judgement.others_bytes,
            "seconds": round(judgement.waited_s, 3),
        }
        kind = _EVENTS[judgement.verdict]
        self._journal.add(kind, said, model=model, instance=instance, data=data)
        level = logging.INFO if judgement.verdict is Verdict.BACK else logging.WARNING
        logger.log(level, said, extra={"action": kind})
