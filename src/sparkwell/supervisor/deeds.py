"""What the supervisor has done: engines started, followed, put to sleep, woken and ended.

Each deed answers with an event; it never changes the box itself.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sparkwell.core.errors import SparkwellError
from sparkwell.core.findings import Finding
from sparkwell.core.launch import BACK_END, ExitRecord, LaunchSpec
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.core.protocols import Driver
from sparkwell.supervisor import messages
from sparkwell.supervisor.aides import Diagnose, Intents, Measured, Memory, OnDemand
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.failing import is_missed
from sparkwell.supervisor.liveness import Rules
from sparkwell.supervisor.preparing import Preparing
from sparkwell.supervisor.pulses import Pulses
from sparkwell.supervisor.runs import Runs
from sparkwell.supervisor.sleeping import put_to_sleep, sleeps, wake
from sparkwell.supervisor.start import StartWatch, Timeline
from sparkwell.supervisor.start_notes import StartNotes
from sparkwell.supervisor.tasks import Tasks
from sparkwell.supervisor.telling import findings_of, words
from sparkwell.supervisor.terms import BackEnd

logger = logging.getLogger(__name__)
Finished = Callable[[LaunchSpec, Timeline], None]
LONG_STOP_S = 60.0
"""A stop that has not ended after that is told of, once: else others would wait in silence."""

SERVED_S = 0.5
"""What finding out why an engine ended may take where it had served."""


class Deeds:
    """``tell`` takes the events; ``seen`` gives the present state of an instance."""

    def __init__(
        self,
        driver: Driver,
        watch: StartWatch,
        runs: Runs,
        tasks: Tasks,
        *,
        tell: Callable[[messages.Event], None],
        seen: Callable[[str], Instance | None],
        memory: Memory,
        intents: Intents,
        on_demand: OnDemand,
        finished: Finished,
        measured: Measured,
        liveness: Rules | None,
        diagnose: Diagnose,
    ) -> None:
        self._driver = driver
        self._watch = watch
        self._runs = runs
        self._tasks = tasks
        self._tell = tell
        self._seen = seen
        self._memory = memory
        self._intents = intents
        self._finished = finished
        self._measured = measured
        self._diagnose = diagnose
        self._starts = StartNotes(intents)
        self._pulses = Pulses(tasks, liveness, serving=self._serving, tell=tell)
        self.preparing = Preparing(runs, tasks, on_demand, tell=tell, heard=self.heard)
        self._launching: dict[str, asyncio.Event] = {}

    @property
    def busy_with(self) -> set[str]:
        """The instances that are being prepared or launched."""
        return {*self.preparing.busy_with, *self._launching}

    # ── the launch ──────────────────────────────────────────────────────────────────────────

    def expect_launch(self, instance: str) -> None:
        """From now on somebody who wants to stop it has to wait until there is something."""
        self._launching[instance] = asyncio.Event()

    async def launch(self, instance: str) -> None:
        """Have the driver start the engine, and follow it from then on."""
        spec = self._runs.specs[instance]
        self._starts.begin(spec)
        try:
            await self._memory.before_launch(spec)
            running = await self._driver.start(spec)
        except Exception as error:
            self._starts.finish(instance, "not launched")
            self._tell(messages.NotLaunched(instance, *words(error), findings_of(error)))
        else:
            self._runs.specs[instance] = running.spec
            self._runs.processes[instance] = running
            self._tasks.spawn(self.live(instance))
        finally:
            self._launching.pop(instance).set()

    async def live(self, instance: str, *, asleep: bool = False) -> None:
        """See a running instance through to its end, whatever happens on the way."""
        starting = None if asleep else self._begin_to_follow(instance)
        try:
            record = await self._driver.wait(instance)
            cause = None if record.requested else await self._cause(instance)
            found = await self._findings(instance, record)
        except Exception as error:
            self._starts.finish(instance, "lost")
            self._tell(messages.Lost(instance, *words(error)))
        else:
            self._starts.finish(instance, "ended")
            self._tell(messages.Ended(instance, record, cause, found))
        finally:
            if starting:
                starting.cancel()
            self._pulses.let_be(instance)

    def _begin_to_follow(self, instance: str) -> asyncio.Task[None]:
        self._starts.launched(self._runs.specs[instance])
        return self._tasks.spawn(self.bring_up(instance))

    async def bring_up(self, instance: str) -> None:
        """Follow the start; every outcome but the engine's end comes back as an event."""
        spec = self._runs.specs[instance]
        try:
            await self._watch.until_ready(spec, partial(self.heard, instance))
        except Exception as error:
            self._starts.finish(instance, "failed")
            self._tell(messages.Failed(instance, *words(error)))
        else:
            self._starts.finish(instance, "ready")
            self._answered(spec)
            self._keep_timeline(spec)
            await self._keep_facts(spec)

    def heard(self, instance: str, mark: PhaseMark) -> None:
        """Pass on what is heard of a start."""
        if timeline := self._runs.timelines.get(instance):
            timeline.learn(mark.facts)
        self._tell(messages.Progressed(instance, mark))

    async def _cause(self, instance: str) -> str | None:
        """What the engine says of its failed start; the first error is the one that matters."""
        current = self._seen(instance)
        if current is None or current.state is not State.STARTING:
            return None
        read_error = self._watch.talks[self._runs.specs[instance].engine].read_error
        with suppress(SparkwellError, OSError):  # that it has ended is known, with or without a log
            async for line in self._driver.follow(instance):
                if said := read_error(line):
                    return said
        return None

    async def _findings(self, instance: str, record: ExitRecord) -> tuple[Finding, ...]:
        """Why it failed; nothing of an end that was wanted."""
        current = self._seen(instance)
        if current is None or not current.holds_the_machine:
            return ()
        if record.requested and current.error is None:
            return ()
        # One that served counts as ready until its end is told: requests must not wait for words.
        most_s = None if current.state is State.STARTING else SERVED_S
        try:
            async with asyncio.timeout(most_s):
                return await self._diagnose(self._runs.specs[instance], current, record)
        except TimeoutError:
            return ()
        except Exception:  # that it has ended must be told in any case
            logger.exception("Why %s ended cannot be found out", instance)
            return ()

    def _keep_timeline(self, spec: LaunchSpec) -> None:
        timeline = self._runs.timelines.get(spec.instance)
        if timeline and timeline.complete:
            self._finished(spec, timeline)

    async def _keep_facts(self, spec: LaunchSpec) -> None:
        """Hand on what the engine said of itself. It is ready: no request waits for this."""
        timeline = self._runs.timelines.get(spec.instance)
        if timeline and Phase.READY in timeline.entered:
            timeline.learn(await self._watch.figures(spec))
            await self._measured(spec, timeline.facts)

    async def is_asleep(self, spec: LaunchSpec) -> bool:
        """Whether an engine that was found running sleeps; only one that can is asked."""
        can = spec.labels.get(BACK_END, BackEnd.COLD) != BackEnd.COLD
        return can and await sleeps(spec.endpoint)

    # ── while it serves ─────────────────────────────────────────────────────────────────────

    def _answered(self, spec: LaunchSpec) -> None:
        self._tell(messages.Answered(spec.instance))
        self._pulses.feel(spec)

    def _serving(self, instance: str) -> int:
        current = self._seen(instance)
        return current.serving if current else 0

    def silent_s(self, instance: str) -> float | None:
        """Seconds without a sign of generating; None where nothing speaks against it."""
        return self._pulses.silent_s(instance)

    def leave(self) -> None:
        """The daemon ends, and leaves to the next one what runs."""
        self._starts.leave()

    # ── sleep and end ───────────────────────────────────────────────────────────────────────

    async def sleep(self, instance: str, back_end: BackEnd) -> None:
        """Put the engine to sleep."""
        self._pulses.let_be(instance)
        spec = self._runs.specs[instance]
        intent = self._intents.begin("sleep", spec.model, instance, {"how": back_end.value})
        try:
            await put_to_sleep(spec.endpoint, back_end, self._watch.timeout_s)
        except Exception as error:
            self._intents.finish(intent, "failed")
            self._tell(messages.Failed(instance, *words(error)))
        else:
            self._intents.finish(intent, "asleep")
            self._tell(messages.Slept(instance))

    async def wake(self, instance: str, back_end: BackEnd) -> None:
        """Wake the engine, and ask it for a token."""
        spec = self._runs.specs[instance]
        intent = self._intents.begin("wake", spec.model, instance, {"how": back_end.value})
        try:
            await wake(spec.endpoint, back_end, self._watch.timeout_s)
            self.heard(instance, PhaseMark(Phase.CANARY))
            await self._watch.one_token(spec)
        except Exception as error:
            self._intents.finish(intent, "failed")
            self._tell(messages.Failed(instance, *words(error)))
        else:
            self._intents.finish(intent, "awake")
            self._answered(spec)

    async def terminate(self, instance: str) -> None:
        """End it. What is being fetched is let go of at once.

        A launch on its way is waited for: what a driver has not yet started it cannot stop.
        """
        if self.preparing.let_go(instance):
            return
        self._pulses.let_be(instance)
        if launching := self._launching.get(instance):
            await launching.wait()
        current = self._seen(instance)
        if current is None or not current.holds_the_machine:
            return
        why = {"error": current.error, "comes_back": is_missed(current)} if current.error else None
        intent = self._intents.begin("stop", current.model, instance, why)
        try:
            record = await self._stopped(instance)
            found = await self._findings(instance, record)
        except Exception as error:
            self._intents.finish(intent, "lost")
            self._tell(messages.Lost(instance, *words(error)))
        else:
            self._intents.finish(intent, "stopped")
            self._starts.finish(instance, "stopped")
            # Seen by ``live`` too, which may be gone.
            self._tell(messages.Ended(instance, record, findings=found))

    async def _stopped(self, instance: str) -> ExitRecord:
        """End it with its driver. That it takes long is told once."""
        process = self._runs.processes.get(instance)
        late = messages.Lingers(instance, LONG_STOP_S, process.pid if process else None)
        telling = asyncio.get_running_loop().call_later(LONG_STOP_S, self._tell, late)
        try:
            return await self._driver.stop(instance)
        finally:
            telling.cancel()

    async def settle(self, instance: str, model: str) -> None:
        """Wait until the memory of an ended instance is back. That this fails stops nobody."""
        try:
            await self._memory.after_end(instance, model)
        except Exception:
            logger.exception("The memory of %s cannot be looked at", model)
        self._tell(messages.Settled(instance))  # not where the daemon ends: the next would start
