"""The one owner of the box: takes requests, asks the machine what to do, and has it done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar

from sparkwell.core.errors import ConflictError
from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.core.protocols import Driver
from sparkwell.supervisor import messages
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.leases import Lease, Leases
from sparkwell.supervisor.machine import ready_instance, step
from sparkwell.supervisor.start import OnMark, StartWatch, Timeline
from sparkwell.supervisor.telling import facts, ids, words

logger = logging.getLogger(__name__)

T = TypeVar("T")
Prepare = Callable[[str], LaunchSpec]
"""Makes the launch spec for an instance id; raises SparkwellError when it cannot be launched."""

Provide = Callable[[OnMark], Awaitable[LaunchSpec]]
"""Fetches what a start lacks, telling how far it is, and makes the spec that is launched."""

Measured = Callable[[LaunchSpec, Mapping[str, float]], Awaitable[None]]
"""Takes what a start that became ready said of itself: figures by name, e.g. weights_gib."""


async def _forget(_spec: LaunchSpec, _facts: Mapping[str, float]) -> None:
    """Nobody wants to know."""


class Supervisor:
    """Owns the box. All methods belong to one event loop; state changes only in ``_apply``.

    ``watch`` follows a start until the engine answers; ``finished`` is told the timeline of
    every start that became ready, so that the next one can be estimated; ``measured`` is told
    the figures of its log and metrics, an adopted one's too: whoever started the engine, they are
    its own words.
    """

    def __init__(
        self,
        driver: Driver,
        journal: Journal,
        watch: StartWatch,
        *,
        new_id: Callable[[str], str],
        finished: Callable[[LaunchSpec, Timeline], None] = lambda _spec, _timeline: None,
        measured: Measured = _forget,
    ) -> None:
        self._driver = driver
        self._journal = journal
        self._watch = watch
        self._new_id = new_id
        self._finished = finished
        self._measured = measured
        self._box = Box()
        self._specs: dict[str, LaunchSpec] = {}
        self._timelines: dict[str, Timeline] = {}
        self._leases = Leases()
        self._provide: dict[str, Provide] = {}
        self._preparing: dict[str, asyncio.Task[LaunchSpec]] = {}
        self._launching: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._turn = asyncio.Lock()
        self._closing = False
        self._changed = asyncio.Condition()

    # ── what others may see ─────────────────────────────────────────────────────────────────

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All that live, and for each model the run that failed last; for showing."""
        return self._box.instances

    def of(self, model: str) -> Instance | None:
        """The instance of a model, or the one that failed last; for showing."""
        return self._box.of(model)

    def timeline(self, instance: str) -> Timeline | None:
        """When an instance entered its phases, in Unix seconds."""
        return self._timelines.get(instance)

    def spec(self, instance: str) -> LaunchSpec | None:
        """What an instance of this daemon was launched with."""
        return self._specs.get(instance)

    @property
    def requests_running(self) -> int:
        """Leases that are out now."""
        return self._leases.total

    def leases(self, instance: str) -> int:
        """Leases on one instance that are out now."""
        return self._leases.on(instance)

    # ── what others may ask for ─────────────────────────────────────────────────────────────

    async def adopt(self) -> None:
        """Take over what an earlier daemon left running."""
        for running in await self._driver.running():
            await self._adopt_one(running)

    def up(self, model: str, prepare: Prepare, provide: Provide | None = None) -> str:
        """Begin to serve ``model`` and return its instance id, at once.

        ``provide`` fetches what the start lacks and makes the final spec; without one the spec
        of ``prepare`` is launched. Raises ConflictError when the model is just stopping, and
        what ``prepare`` raises; nothing has changed then.
        """
        if self._closing:
            raise ConflictError("The daemon is ending.", hint="Try again in a moment.")
        wanted = messages.Up(model, self._new_id(model))
        box, effects = step(self._box, wanted)
        if effects:
            self._specs[wanted.instance] = prepare(wanted.instance)
            if provide:
                self._provide[wanted.instance] = provide
        self._carry_out(box, effects)
        current = self._box.of(model)
        return current.id if current else wanted.instance

    def refuse_more(self) -> None:
        """Start nothing any more: what starts while the daemon ends would outlive it."""
        self._closing = True

    async def down(self, model: str | None = None) -> list[Instance]:
        """End a model, or all, and return when no process of them is left."""
        stopped = [each for each in self._box.live if model in (None, each.model)]
        self._apply(messages.Down(model))
        async with self._changed:  # these, and not: until nothing runs; the next may by then
            await self._changed.wait_for(lambda: not any(map(self._holds, ids(stopped))))
        return stopped

    def ensure_ready(self, model: str) -> Lease:
        """A lease on an engine that serves ``model`` now; call its ``release`` when done.

        Raises NotReadyError that says what to do.
        """
        instance = ready_instance(self._box, model)
        return self._leases.give(instance.id, model, self._specs[instance.id].endpoint)

    async def settled(self, instance: str) -> Instance | None:
        """Wait until a start has ended one way or the other; None when it was stopped."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_moving(instance))
        return self._box.get(instance)

    async def close(self) -> None:
        """Let go of everything; engines go on running."""
        while self._tasks:  # one that ends may begin another
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # ── the one place where state changes ───────────────────────────────────────────────────

    def _apply(self, event: messages.Event) -> None:
        box, effects = step(self._box, event)
        self._carry_out(box, effects)

    def _carry_out(self, box: Box, effects: tuple[messages.Effect, ...]) -> None:
        self._box = box
        for effect in effects:
            self._carry_out_one(effect)
        self._forget_the_gone()
        self._spawn(self._notify())

    def _carry_out_one(self, effect: messages.Effect) -> None:
        match effect:
            case messages.Launch(instance=instance):
                self._timelines[instance] = Timeline()
                self._launching[instance] = asyncio.Event()
                self._spawn(self._launch(instance))
            case messages.Follow(instance=instance):
                self._timelines[instance] = Timeline(observed=False)
                self._spawn(self._live(instance))
                self._spawn(self._have_the_turn(instance))
            case messages.Terminate(instance=instance):
                self._spawn(self._terminate(instance))
            case messages.Tell():
                self._tell(effect)

    def _tell(self, tell: messages.Tell) -> None:
        instance = tell.instance
        event = self._journal.add(
            tell.kind,
            tell.message,
            model=instance.model,
            instance=instance.id,
            data=facts(instance),
        )
        timeline = self._timelines.get(instance.id)
        if timeline and instance.state in (State.STARTING, State.READY):
            timeline.enter(instance.phase, event.at)
        level = logging.DEBUG if tell.kind == "instance.progress" else logging.INFO
        logger.log(level, tell.message, extra={"action": tell.kind})

    # ── effects ─────────────────────────────────────────────────────────────────────────────

    async def _launch(self, instance: str) -> None:
        """Fetch what is missing, wait for the turn, start, and keep the turn until it answers.

        One start at a time: an engine measures the memory while it starts, and another that
        takes or frees some meanwhile makes it fail.
        """
        try:
            if not await self._prepared(instance):
                return
            try:
                await self._start(instance)
            finally:
                self._turn.release()
        finally:
            self._launched(instance)

    async def _prepared(self, instance: str) -> bool:
        """Whether the start has all it needs, and the turn; else its end has been told."""
        work = self._preparing[instance] = self._spawn(self._prepare(instance))
        await asyncio.wait({work})
        del self._preparing[instance]
        if work.cancelled():
            self._apply(messages.Withdrawn(instance))
        elif error := work.exception():
            self._apply(messages.NotLaunched(instance, *words(error)))
        elif not self._is_starting(instance):  # asked to end while it was getting the turn
            self._turn.release()
            self._apply(messages.Withdrawn(instance))
        else:
            self._specs[instance] = work.result()
            return True
        return False

    async def _prepare(self, instance: str) -> LaunchSpec:
        provide = self._provide.pop(instance, None)
        heard = partial(self._heard, instance)
        spec = await provide(heard) if provide else self._specs[instance]
        if self._turn.locked():
            heard(PhaseMark(Phase.QUEUE))
        await self._turn.acquire()
        return spec

    async def _start(self, instance: str) -> None:
        self._heard(instance, PhaseMark(Phase.LAUNCH))
        try:
            running = await self._driver.start(self._specs[instance])
        except Exception as error:
            self._apply(messages.NotLaunched(instance, *words(error)))
        else:
            self._specs[instance] = running.spec
            self._spawn(self._live(instance))
            self._launched(instance)
            await self.settled(instance)

    async def _have_the_turn(self, instance: str) -> None:
        """An adopted start measures memory as any other does; nobody else may meanwhile."""
        async with self._turn:
            await self.settled(instance)

    def _launched(self, instance: str) -> None:
        """Whoever wants to stop it may: there is something to stop, or never will be."""
        if launching := self._launching.pop(instance, None):
            launching.set()
        self._forget_the_gone()

    async def _live(self, instance: str) -> None:
        """See a running instance through to its end, whatever happens on the way."""
        starting = self._spawn(self._bring_up(instance))
        try:
            record = await self._driver.wait(instance)
            cause = None if record.requested else await self._cause(instance)
        except Exception as error:
            self._apply(messages.Lost(instance, *words(error)))
        else:
            self._apply(messages.Ended(instance, record, cause))
        finally:
            starting.cancel()

    async def _bring_up(self, instance: str) -> None:
        """Follow the start; every outcome but the engine's end comes back as an event."""
        spec = self._specs[instance]
        try:
            await self._watch.until_ready(spec, partial(self._heard, instance))
        except Exception as error:
            self._apply(messages.Failed(instance, *words(error)))
        else:
            self._apply(messages.Answered(instance))
            self._keep_timeline(spec)
            await self._keep_facts(spec)

    def _heard(self, instance: str, mark: PhaseMark) -> None:
        if timeline := self._timelines.get(instance):
            timeline.learn(mark.facts)
        self._apply(messages.Progressed(instance, mark))

    async def _cause(self, instance: str) -> str | None:
        """What the engine says of its failed start; the first error is the one that matters."""
        if not self._is_starting(instance):
            return None
        read_error = self._watch.talks[self._specs[instance].engine].read_error
        async for line in self._driver.follow(instance):
            if said := read_error(line):
                return said
        return None

    def _keep_timeline(self, spec: LaunchSpec) -> None:
        timeline = self._timelines.get(spec.instance)
        if timeline and timeline.complete:
            self._finished(spec, timeline)

    async def _keep_facts(self, spec: LaunchSpec) -> None:
        """Hand on what the engine said of itself. It is ready: no request waits for this."""
        timeline = self._timelines.get(spec.instance)
        if timeline and Phase.READY in timeline.entered:
            timeline.learn(await self._watch.figures(spec))
            await self._measured(spec, timeline.facts)

    async def _terminate(self, instance: str) -> None:
        """Its end is seen by ``_live``, as every end is.

        What is being fetched is let go of at once. A launch on its way is waited for: what a
        driver has not yet started it cannot stop.
        """
        if preparing := self._preparing.get(instance):
            preparing.cancel()
            return
        if launching := self._launching.get(instance):
            await launching.wait()
        if not self._holds(instance):
            return
        try:
            await self._driver.stop(instance)
        except Exception as error:
            self._apply(messages.Lost(instance, *words(error)))

    async def _adopt_one(self, running: Running) -> None:
        spec = running.spec
        if spec.instance in self._specs:
            return  # our own: it was started while the driver was looking
        current = self._box.of(spec.model)
        if current and current.holds_the_machine:
            # A model has one instance; a second one is left over from a crash.
            await self._driver.stop(spec.instance)
            return
        self._specs[spec.instance] = spec
        self._apply(messages.Adopted(spec.model, spec.instance))
        self._timelines[spec.instance].entered[Phase.LAUNCH] = running.started_at

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    def _holds(self, instance: str) -> bool:
        current = self._box.get(instance)
        return current is not None and current.holds_the_machine

    def _is_starting(self, instance: str) -> bool:
        current = self._box.get(instance)
        return current is not None and current.state is State.STARTING

    def _is_moving(self, instance: str) -> bool:
        current = self._box.get(instance)
        return current is not None and current.state in (State.STARTING, State.STOPPING)

    def _forget_the_gone(self) -> None:
        """What was kept for instances that the box no longer knows."""
        known = {*ids(self._box.instances), *self._launching, *self._preparing}
        known |= {*self._leases.instances}
        for kept in (self._specs, self._timelines, self._provide):
            for instance in [each for each in kept if each not in known]:
                del kept[instance]

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        handled = task in self._preparing.values()
        if not task.cancelled() and task.exception() and not handled:
            logger.error("A supervisor task failed", exc_info=task.exception())
