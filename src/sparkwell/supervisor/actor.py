"""The one owner of the box: takes requests, asks the machine what to do, and has it done."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sparkwell.core.errors import ConflictError, SparkwellError
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.core.protocols import Driver
from sparkwell.supervisor import messages
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.machine import ready_instance, step
from sparkwell.supervisor.start import StartWatch, Timeline

logger = logging.getLogger(__name__)

Prepare = Callable[[str], LaunchSpec]
"""Makes the launch spec for an instance id; raises SparkwellError when it cannot be launched."""

Measured = Callable[[LaunchSpec, Mapping[str, float]], Awaitable[None]]
"""Takes what a start that became ready said of itself: figures by name, e.g. weights_gib."""


async def _forget(_spec: LaunchSpec, _facts: Mapping[str, float]) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to use a ready engine until ``release`` is called, once."""

    instance: str
    model: str
    endpoint: Endpoint
    release: Callable[[], None]


class Supervisor:
    """Owns the box. All methods belong to one event loop; state changes only in ``_apply``.

    ``watch`` follows a start until the engine answers; ``finished`` is told the timeline of
    every start that became ready, so that the next one can be estimated; ``measured`` is told
    the figures of its log and metrics, an adopted one's too: whoever started the engine, they are
    its own words. ``read_error`` finds the engine's own reason in a line of its log.
    """

    def __init__(
        self,
        driver: Driver,
        journal: Journal,
        watch: StartWatch,
        *,
        new_id: Callable[[str], str],
        read_error: Callable[[str], str | None] = lambda _line: None,
        finished: Callable[[LaunchSpec, Timeline], None] = lambda _spec, _timeline: None,
        measured: Measured = _forget,
    ) -> None:
        self._driver = driver
        self._journal = journal
        self._watch = watch
        self._new_id = new_id
        self._read_error = read_error
        self._finished = finished
        self._measured = measured
        self._box = Box()
        self._specs: dict[str, LaunchSpec] = {}
        self._timelines: dict[str, Timeline] = {}
        self._leases: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._launching = asyncio.Lock()
        self._closing = False
        self._changed = asyncio.Condition()

    # ── what others may see ─────────────────────────────────────────────────────────────────

    @property
    def instance(self) -> Instance | None:
        """The instance that holds the machine or failed last; for showing, not for deciding."""
        return self._box.instance

    @property
    def timeline(self) -> Timeline | None:
        """When the current instance entered its phases, in Unix seconds."""
        instance = self._box.instance
        return self._timelines.get(instance.id) if instance else None

    def spec(self, instance: str) -> LaunchSpec | None:
        """What an instance of this daemon was launched with."""
        return self._specs.get(instance)

    @property
    def requests_running(self) -> int:
        """Leases that are out now."""
        return sum(self._leases.values())

    # ── what others may ask for ─────────────────────────────────────────────────────────────

    async def adopt(self) -> None:
        """Take over what an earlier daemon left running."""
        for running in await self._driver.running():
            await self._adopt_one(running)

    def up(self, model: str, prepare: Prepare) -> str:
        """Begin to serve ``model`` and return its instance id, at once.

        Raises ConflictError when another model holds the machine, and what ``prepare`` raises;
        nothing has changed then.
        """
        if self._closing:
            raise ConflictError("The daemon is ending.", hint="Try again in a moment.")
        wanted = messages.Up(model, self._new_id(model))
        box, effects = step(self._box, wanted)
        if effects:
            self._specs = {wanted.instance: prepare(wanted.instance)}
        self._carry_out(box, effects)
        return self._box.instance.id if self._box.instance else wanted.instance

    def refuse_more(self) -> None:
        """Start nothing any more: what starts while the daemon ends would outlive it."""
        self._closing = True

    async def down(self) -> Instance | None:
        """End what holds the machine and return when no process of it is left."""
        stopped = self._box.instance if self._box.busy else None
        self._apply(messages.Down())
        if stopped:  # and not: until the box is free, for the next one may have it by then
            async with self._changed:
                await self._changed.wait_for(lambda: not self._holds(stopped.id))
        return stopped

    def ensure_ready(self, model: str) -> Lease:
        """A lease on an engine that serves ``model`` now; call its ``release`` when done.

        Raises NotReadyError that says what to do.
        """
        instance = ready_instance(self._box, model)
        self._leases[instance.id] = self._leases.get(instance.id, 0) + 1
        endpoint = self._specs[instance.id].endpoint
        return Lease(instance.id, model, endpoint, partial(self._release, instance.id))

    def _release(self, instance: str) -> None:
        self._leases[instance] -= 1
        if self._leases[instance] == 0:
            del self._leases[instance]

    async def settled(self, instance: str) -> Instance | None:
        """Wait until a start has ended one way or the other; None when it was stopped."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_moving(instance))
        current = self._box.instance
        return current if current and current.id == instance else None

    async def close(self) -> None:
        """Let go of everything; engines go on running."""
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
        self._spawn(self._notify())

    def _carry_out_one(self, effect: messages.Effect) -> None:
        match effect:
            case messages.Launch(instance=instance):
                self._timelines = {instance: Timeline()}
                self._spawn(self._launch(instance))
            case messages.Follow(instance=instance):
                self._timelines = {instance: Timeline(observed=False)}
                self._spawn(self._live(instance))
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
            data=_facts(instance),
        )
        timeline = self._timelines.get(instance.id)
        if timeline and instance.state in (State.STARTING, State.READY):
            timeline.enter(instance.phase, event.at)
        level = logging.DEBUG if tell.kind == "instance.progress" else logging.INFO
        logger.log(level, tell.message, extra={"action": tell.kind})

    # ── effects ─────────────────────────────────────────────────────────────────────────────

    async def _launch(self, instance: str) -> None:
        try:
            async with self._launching:
                await self._driver.start(self._specs[instance])
        except Exception as error:
            self._apply(messages.NotLaunched(instance, _words(error)))
        else:
            await self._live(instance)

    async def _live(self, instance: str) -> None:
        """See a running instance through to its end, whatever happens on the way."""
        starting = self._spawn(self._bring_up(instance))
        try:
            record = await self._driver.wait(instance)
            cause = None if record.requested else await self._cause(instance)
        except Exception as error:
            self._apply(messages.Lost(instance, _words(error)))
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
            self._apply(messages.Failed(instance, _words(error)))
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
        current = self._box.instance
        if current is None or current.id != instance or current.state is not State.STARTING:
            return None
        async for line in self._driver.follow(instance):
            if said := self._read_error(line):
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
            timeline.learn(await self._watch.figures(spec.endpoint))
            await self._measured(spec, timeline.facts)

    async def _terminate(self, instance: str) -> None:
        """Its end is seen by ``_live``, as every end is.

        A launch on its way is waited for: what a driver has not yet started it cannot stop.
        """
        async with self._launching:
            launched = self._holds(instance)
        if not launched:
            return
        try:
            await self._driver.stop(instance)
        except Exception as error:
            self._apply(messages.Lost(instance, _words(error)))

    async def _adopt_one(self, running: Running) -> None:
        spec = running.spec
        if spec.instance in self._specs:
            return  # our own: it was started while the driver was looking
        if self._box.busy:
            # One instance holds the machine; a second one is left over from a crash.
            await self._driver.stop(spec.instance)
            return
        self._specs[spec.instance] = spec
        self._apply(messages.Adopted(spec.model, spec.instance))
        self._timelines[spec.instance].entered[Phase.LAUNCH] = running.started_at

    # ── helpers ─────────────────────────────────────────────────────────────────────────────

    def _holds(self, instance: str) -> bool:
        current = self._box.instance
        return self._box.busy and current is not None and current.id == instance

    def _is_moving(self, instance: str) -> bool:
        current = self._box.instance
        if current is None or current.id != instance:
            return False
        return current.state in (State.STARTING, State.STOPPING)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("A supervisor task failed", exc_info=task.exception())


def _words(error: Exception) -> str:
    """Why something failed. A mistake of ours must not leave the box waiting for ever."""
    if isinstance(error, SparkwellError):
        return str(error)
    logger.error("A start failed unexpectedly", exc_info=error)
    return f"Sparkwell made a mistake ({type(error).__name__}: {error})"


def _facts(instance: Instance) -> dict[str, object]:
    """What an event says about its instance, as JSON values."""
    return {
        "state": instance.state.value,
        "phase": instance.phase.value,
        "fraction": instance.fraction,
        "error": instance.error,
        **({"exit": _exit(instance.record)} if instance.record else {}),
    }


def _exit(record: ExitRecord) -> dict[str, object]:
    return {
        "code": record.code,
        "signal": record.signal,
        "reason": record.reason,
        "last_lines": list(record.last_lines),
    }
