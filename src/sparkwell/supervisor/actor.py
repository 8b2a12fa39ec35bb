"""The one owner of the box: takes requests, asks the machine what to do, and has it done."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from sparkwell.core.errors import ConflictError, SparkwellError
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.protocols import Driver
from sparkwell.supervisor import messages
from sparkwell.supervisor.adoption import NOTHING_KNOWN, Adoption, Earlier
from sparkwell.supervisor.aides import (
    CalmMemory,
    Diagnose,
    Intents,
    Measured,
    Memory,
    NoIntents,
    NoStarts,
    OnDemand,
    Prepare,
    Provide,
    no_findings,
)
from sparkwell.supervisor.alarm import OFTEN, Alarm
from sparkwell.supervisor.box import Box, Instance, Leaving, Request, State
from sparkwell.supervisor.breaker import Breaker
from sparkwell.supervisor.deeds import Deeds, Finished
from sparkwell.supervisor.desk import Desk
from sparkwell.supervisor.hands import Hands
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.liveness import Rules
from sparkwell.supervisor.machine import ready_instance, step
from sparkwell.supervisor.room import holding
from sparkwell.supervisor.runs import Runs
from sparkwell.supervisor.start import StartWatch
from sparkwell.supervisor.sure_intents import SureIntents
from sparkwell.supervisor.switch_notes import SwitchNotes
from sparkwell.supervisor.tasks import Tasks
from sparkwell.supervisor.telling import Teller, ids
from sparkwell.supervisor.terms import NO_TERMS, PERSON, Budget, Policy, Terms, priority_of
from sparkwell.supervisor.tickets import Ticket
from sparkwell.supervisor.view import View
from sparkwell.supervisor.waiters import Waiters

logger = logging.getLogger(__name__)
_LOOKING = "adoption"
"""Stands among what has to settle while it is not known what an earlier daemon left running."""
_SETTLE_S = 0.05
"""After so long the box hears of leases that came and went."""


async def _forget(_spec: LaunchSpec, _facts: Mapping[str, float]) -> None:
    """Nobody wants to know."""


class Supervisor(View):
    """Owns the box. All methods belong to one event loop; state changes only in ``_apply``.

    ``watch`` follows a start until the engine answers; ``finished`` is told the timeline of
    every start that became ready, so that the next one can be estimated; ``measured`` is told
    the figures of its log and metrics, an adopted one's too: whoever started the engine, they are
    its own words. ``policy`` and ``budget`` are the rules of the queue and what all engines may
    hold together; ``memory``, ``intents`` and ``on_demand`` are described in ``aides``.
    ``liveness`` says when a ready engine is looked at, None: never. ``diagnose`` says why a run
    failed, before its failure is told.
    """

    def __init__(
        self,
        driver: Driver,
        journal: Journal,
        watch: StartWatch,
        *,
        new_id: Callable[[str], str],
        finished: Finished = lambda _spec, _timeline: None,
        measured: Measured = _forget,
        policy: Policy | None = None,
        budget: Budget | None = None,
        memory: Memory | None = None,
        intents: Intents | None = None,
        on_demand: OnDemand | None = None,
        liveness: Rules | None = None,
        diagnose: Diagnose = no_findings,
        breakers: Sequence[Breaker] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        on_demand, intents = on_demand or NoStarts(), SureIntents(intents or NoIntents())
        box = Box(
            breakers=tuple(breakers),
            budget=budget or Budget(),
            policy=policy or Policy(),
            seed=secrets.token_hex(3),
        )
        super().__init__(box, Runs(said=watch.said), clock)
        self._new_id = new_id
        self._tasks = Tasks()
        self._teller = Teller(journal, self._runs)
        self._deeds = Deeds(
            driver,
            watch,
            self._runs,
            self._tasks,
            tell=self._apply,
            seen=self.get,
            memory=memory or CalmMemory(),
            intents=intents,
            on_demand=on_demand,
            finished=finished,
            measured=measured,
            liveness=liveness,
            diagnose=diagnose,
        )
        self._hands = Hands(self._deeds, self._runs, self._tasks)
        self._adoption = Adoption(
            driver,
            self._deeds,
            self._runs,
            on_demand,
            lives=self.lives,
            tell=self._apply,
        )
        self._desk = Desk(
            self._runs,
            self.get,
            clock,
            left=lambda request: self._apply(messages.Left(request)),
            released=self._back,
        )
        self._switches = SwitchNotes(intents, self._runs)
        self._waiters = Waiters()
        self._alarm = Alarm(clock, lambda: self._apply(messages.Tick()))
        self._closing = False
        self._settling: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is kept and nothing is being done for anybody."""
        runs = (self._runs.specs, self._runs.timelines, self._runs.provide, self._runs.began)
        return not any((*runs, self._deeds.busy_with, self._tasks, self._desk))

    # ── what others may ask for ─────────────────────────────────────────────────────────────

    async def adopt(self, earlier: Earlier = NOTHING_KNOWN) -> None:
        """Take over what an ``earlier`` daemon left running; nothing starts meanwhile.

        A request may come before it is known what runs: its model must not be started a second
        time, nor beside engines whose memory nobody counts yet.
        """
        self._apply(messages.Settling(_LOOKING))
        try:
            await self._adoption.all(earlier)
        finally:
            self._apply(messages.Settled(_LOOKING))

    def up(
        self,
        model: str,
        prepare: Prepare,
        provide: Provide | None = None,
        *,
        terms: Terms = NO_TERMS,
        forced: bool = False,
    ) -> str:
        """Begin to serve ``model`` and return its instance id, at once.

        ``provide`` fetches what the start lacks and makes the final spec; without one the spec
        of ``prepare`` is launched. Raises ConflictError when the model is just stopping, or does
        not fit beside the others unless it is ``forced``, and what ``prepare`` raises; nothing
        has changed then.
        """
        if self._closing:
            raise ConflictError("The daemon is ending.", hint="Try again in a moment.")
        instance = self._new_id(model)
        current = self._box.of(model)
        new = current is None or not current.holds_the_machine
        spec = prepare(instance) if new else None
        held = spec.held_bytes if spec else None
        wanted = messages.Up(model, instance, terms, held, forced=forced)
        at = self.now
        box, effects = step(self._box, wanted, at)
        if spec:
            self._runs.specs[instance], self._runs.last[model] = spec, spec.labels
            if provide:
                self._runs.provide[instance] = provide
        self._carry_out(wanted, box, effects, at)
        now = self._box.of(model)
        return now.id if now else instance

    def refuse_more(self) -> None:
        """Start nothing any more: what starts while the daemon ends would outlive it."""
        self._closing = True
        self._apply(messages.Closed())

    async def down(self, model: str | None = None) -> list[Instance]:
        """End a model, or all, and return when no process of them is left."""
        # Also what is lost: its stop is tried again.
        stopped = [each for each in holding(self._box) if model in (None, each.model)]
        for each in [model] if model else list(self._runs.last):
            self._runs.last.pop(each, None)
        self._apply(messages.Down(model))
        if model is None:  # also where the daemon ends: the next one shall not bring anybody back
            self._switches.see(self._box)
        # These, and not: until nothing runs; the next may by then.
        await self._waiters.until(lambda: not any(map(self.holds, ids(stopped))))
        return stopped

    def ensure_ready(
        self, model: str, terms: Callable[[], Terms] | None = None, *, priority: int = 0
    ) -> Ticket:
        """A place for one request: with its lease at once when the model is ready.

        ``terms`` is asked only where the model is not ready, and makes it be started; without it
        only one that runs already is waited for. Raises NotReadyError, TooBusyError and others of
        the family at once when it is known now that there will be no lease, and what ``terms``
        raises. ``priority`` is the request's own, beside that of its model.
        """
        now = self.now
        if ticket := self._at_once(model, now):
            return ticket
        current = self._box.of(model)
        ready = current is not None and current.state is State.READY
        known = self._terms(model, current, terms, ready=ready)
        ticket = self._desk.take(model, now)
        until = now + self._box.policy.max_wait_s
        rank = priority_of(known, priority)
        try:
            self._apply(messages.Asked(Request(ticket.id, model, now, until, known, rank)))
        except BaseException:  # a lease that nobody gives back would keep the model for ever
            ticket.withdraw()
            raise
        if ticket.refusal:
            raise ticket.refusal
        return ticket

    def _at_once(self, model: str, now: float) -> Ticket | None:
        """A ticket with its lease, where the model serves; the box hears of it later."""
        instance = self._latest.of(model)
        if instance is None or instance.state is not State.READY:
            return None
        ticket = self._desk.at_once(model, instance.id, now)
        if self._settling is None:
            loop = asyncio.get_running_loop()
            self._settling = loop.call_later(_SETTLE_S, self._settle)
        self._uses.more(instance.id)
        return ticket

    def _back(self, instance: str) -> None:
        """A lease is back; where nobody waits for that, the box hears of it later."""
        if self._settling is not None and self._says_nothing(instance):
            self._uses.fewer(instance, self.now)
        else:
            self._apply(messages.Released(instance))

    def _says_nothing(self, instance: str) -> bool:
        """Whether nobody can leave, start or be served because a lease of an instance is back."""
        current = self._latest.get(instance)
        if current is None or current.state is not State.READY:
            return False
        others_use_it = current.serving + self._uses.of(instance) > 1
        return others_use_it or (current.leave is None and not self._latest.waiting)

    def _settle(self) -> None:
        """Make the box up to date, and do what has to follow."""
        self._settling = None
        box = self._box
        self._switches.see(box)
        self._waiters.wake()
        for instance in box.instances:
            if not instance.serving:
                self._alarm.after(messages.Released(instance.id), box, box, self.now)

    async def switch_to(self, model: str, terms: Terms, labels: Mapping[str, str]) -> str:
        """Make others leave for a model, as a request would; return when its start has begun.

        ``labels`` say how it is to be started. The model is kept, as one that is upped. Raises as
        ``ensure_ready``.
        """
        self._apply(messages.Forgiven(model))
        started_anew = not self.lives(model)
        ticket = self.ensure_ready(model, lambda: terms, priority=PERSON)
        if started_anew:  # else it goes on, or wakes, with what it was started with
            self._runs.last[model] = labels
        self._tasks.spawn(self._keep(ticket, terms))
        await self._waiters.until(lambda: self.has_begun(model) or ticket.refusal is not None)
        if ticket.refusal:
            raise ticket.refusal
        current = self._box.of(model)
        return current.id if current else ""

    async def _keep(self, ticket: Ticket, terms: Terms) -> None:
        """A person wanted it: it stays when the request that started it is done."""
        with suppress(SparkwellError):  # whoever asked is told of it
            lease = await ticket.wait()
            lease.release()
            if self.holds(lease.instance):  # not one that ended in this very moment
                self._apply(messages.Up(ticket.model, lease.instance, terms))

    def want(self, models: Sequence[Leaving], labels: Mapping[str, Mapping[str, str]]) -> None:
        """Start these as soon as there is room and nobody waits for another: they ran before.

        ``labels`` are those of their last runs, by model.
        """
        for model, given in labels.items():
            self._runs.last.setdefault(model, given)
        self._apply(messages.Wanted(tuple(models)))

    def report(self, event: messages.Hung | messages.Tripped) -> None:
        """Take what a watcher of running engines has found."""
        self._apply(event)

    def silent_s(self, instance: str) -> float | None:
        """Seconds for which a ready engine gave no token to its canary; None where it is well."""
        return self._deeds.silent_s(instance)

    async def settled(self, instance: str) -> Instance | None:
        """Wait until a start has ended one way or the other; None when it was stopped."""
        await self._waiters.until(lambda: not self.is_moving(instance))
        return self._box.get(instance)

    async def close(self) -> None:
        """Let go of everything; engines go on running."""
        self._alarm.cancel()
        if self._settling is not None:
            self._settling.cancel()
        self._deeds.leave()
        await self._tasks.close()

    # ── the one place where state changes ───────────────────────────────────────────────────

    def _apply(self, event: messages.Event) -> None:
        at = self.now
        box, effects = step(self._box, event, at)
        self._carry_out(event, box, effects, at)

    def _carry_out(
        self, event: messages.Event, box: Box, effects: tuple[messages.Effect, ...], at: float
    ) -> None:
        """Have done what a step of the time ``at`` came to."""
        before, self._box = self._box, box
        for effect in effects:
            try:
                self._carry_out_one(effect)
            except Exception:  # what is not told is done all the same
                logger.exception("An effect could not be carried out: %s", type(effect).__name__)
        if not self._closing:  # what is not over then, the next daemon sees to
            self._switches.see(box)
        self._waiters.wake()
        if not isinstance(event, OFTEN):
            self._forget_the_gone()
        self._alarm.after(event, before, box, at)

    def _carry_out_one(self, effect: messages.Effect) -> None:
        match effect:
            case messages.Grant():
                self._desk.grant(effect)
            case messages.Refuse():
                self._desk.refuse(effect)
            case messages.Tell():
                self._switches.hear(effect, self._box)
                self._teller.tell(effect)
            case _:
                self._hands.begin(effect, self._box, self.now)

    # ── requests ────────────────────────────────────────────────────────────────────────────

    def _terms(
        self,
        model: str,
        current: Instance | None,
        terms: Callable[[], Terms] | None,
        *,
        ready: bool,
    ) -> Terms:
        if current and ready:
            return current.terms
        if terms and not self._closing:
            return terms()
        if current is None or current.state is State.FAILED or self._closing:
            ready_instance(self._box, model)  # raises: it says what to do
        return current.terms if current else NO_TERMS

    def _forget_the_gone(self) -> None:
        """What was kept for instances that the box no longer knows."""
        known = {*ids(self._box.instances), *self._box.settling, *self._deeds.busy_with}
        self._runs.forget_all_but(known)
