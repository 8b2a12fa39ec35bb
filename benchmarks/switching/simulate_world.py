"""Virtual time: clients, engines and schedulers. One process, no clock, no waiting.

A scheduler is told of each request and of what comes of its orders, and says which request may
use the engine. Ours is the supervisor's ``step`` itself, with its effects carried out here.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulate_traces import Call, Model, Trace

from sparkwell.core.launch import ExitRecord
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Box, Request
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.queue import next_chance
from sparkwell.supervisor.terms import Budget, Policy, Terms

PREPARE_S, STOP_S, SETTLE_S = 0.2, 5.0, 2.0
"""A switch besides the start: the spec, the end of an engine, the return of its memory."""
SLOTS = 32
"""Requests that an engine serves at once; more wait in it."""
RETRY_S = 10.0
"""A client whose request was refused sends its next one after that."""
_ENDED = ExitRecord(None, 15, requested=True, ended_at=0.0)


@dataclass(slots=True, eq=False)
class Sent:
    """One request and what became of it. ``answered`` tells its client."""

    number: int
    call: Call
    at_s: float
    answered: Callable[[], None]
    served_at_s: float | None = None
    refused_at_s: float | None = None

    @property
    def waited_s(self) -> float:
        """Until it was served, or refused."""
        ends = [at for at in (self.served_at_s, self.refused_at_s) if at is not None]
        return ends[0] - self.at_s


class Clock:
    """What happens next, in the order of time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = itertools.count()
        self._next: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Have something done later."""
        heapq.heappush(self._next, (self.now + seconds, next(self._numbers), do))

    def run(self) -> None:
        """Until nothing is left to do."""
        while self._next:
            self.now, _, do = heapq.heappop(self._next)
            do()


class Scheduler(Protocol):
    """Who may use the machine."""

    swaps: int

    def ask(self, sent: Sent) -> None:
        """A request has come."""


class Engine:
    """A ready model: serves up to SLOTS at once, in the order of their leases."""

    def __init__(self, clock: Clock, done: Callable[[], None]) -> None:
        self._clock = clock
        self._done = done
        self._running = 0
        self._queue: deque[Sent] = deque()

    def take(self, sent: Sent) -> None:
        """Serve a request that has its lease."""
        self._queue.append(sent)
        self._go_on()

    def _go_on(self) -> None:
        while self._queue and self._running < SLOTS:
            sent = self._queue.popleft()
            self._running += 1
            sent.served_at_s = self._clock.now
            self._clock.after(sent.call.service_s, lambda sent=sent: self._end(sent))  # type: ignore[misc]

    def _end(self, sent: Sent) -> None:
        self._running -= 1
        self._go_on()
        self._done()
        sent.answered()


class Ours:
    """The supervisor's machine, as it is."""

    def __init__(self, clock: Clock, models: Sequence[Model], policy: Policy) -> None:
        self.swaps = 0
        self._clock = clock
        self._policy = policy
        self._start_s = {each.name: each.start_s for each in models}
        # No two fit beside each other: what is compared is the order.
        self._terms = {each.name: Terms(60, 100, each.start_s) for each in models}
        self._box = Box(budget=Budget(100), policy=policy, seed="s")
        self._waiting: dict[int, Sent] = {}
        self._engines: dict[str, Engine] = {}
        self._tick_at: float | None = None

    def ask(self, sent: Sent) -> None:
        """A request has come."""
        self._waiting[sent.number] = sent
        model, now = sent.call.model, self._clock.now
        until = now + self._policy.max_wait_s
        self._tell(says.Asked(Request(sent.number, model, now, until, self._terms[model])))

    def _tell(self, event: says.Event) -> None:
        now = self._clock.now
        self._box, effects = step(self._box, event, now)
        for effect in effects:
            self._carry_out(effect)
        at = next_chance(self._box, now)
        if at is not None and (self._tick_at is None or at < self._tick_at):
            self._tick_at = at
            self._clock.after(at - now, self._tick)

    def _tick(self) -> None:
        if self._tick_at is not None and self._tick_at <= self._clock.now:
            self._tick_at = None
            self._tell(says.Tick())

    def _later(self, seconds: float, event: says.Event) -> None:
        self._clock.after(seconds, lambda: self._tell(event))

    def _carry_out(self, effect: says.Effect) -> None:  # noqa: C901 - a table
        match effect:
            case says.Grant(request=request, instance=instance):
                self._engines[instance].take(self._waiting.pop(request))
            case says.Refuse(request=request):
                sent = self._waiting.pop(request)
                sent.refused_at_s = self._clock.now
                self._clock.after(RETRY_S, sent.answered)
            case says.Prepare(instance=instance):
                started = self._box.get(instance)
                granted = started.held_bytes if started else None
                self._later(PREPARE_S, says.Prepared(instance, granted))
            case says.Launch(instance=instance, model=model):
                self.swaps += 1
                self._engines[instance] = Engine(
                    self._clock, lambda: self._tell(says.Released(instance))
                )
                self._later(self._start_s[model], says.Answered(instance))
            case says.Terminate(instance=instance):
                ending = self._box.get(instance)
                if ending and ending.serving:
                    raise RuntimeError(f"{ending.model} was ended while it served")
                self._later(STOP_S, says.Ended(instance, _ENDED))
            case says.Settle(instance=instance):
                self._later(SETTLE_S, says.Settled(instance))
            case says.Tell():
                pass
            case _:
                raise RuntimeError(f"nobody sleeps here, and nobody is adopted: {effect}")


class OneSlot:
    """A scheduler of its own, for one model at a time; ``next_model`` is its order.

    Costs, bounds and engines are those of ours: nobody waits longer than ``max_wait_s``, no more
    than ``max_waiting`` wait.
    """

    def __init__(self, clock: Clock, models: Sequence[Model], policy: Policy) -> None:
        self.swaps = 0
        self._clock = clock
        self._policy = policy
        self._start_s = {each.name: each.start_s for each in models}
        self._waiting: list[Sent] = []
        self._loaded: str | None = None
        self._changing = False
        self._serving = 0
        self._engine = Engine(clock, self._released)

    def ask(self, sent: Sent) -> None:
        """A request has come."""
        if len(self._waiting) >= self._policy.max_waiting:
            self._refuse(sent)
            return
        self._waiting.append(sent)
        self._clock.after(self._policy.max_wait_s, lambda: self._expire(sent))
        self._go_on()

    def admitted(self) -> list[Sent]:
        """Those that may use the model that is loaded now."""
        raise NotImplementedError

    def next_model(self) -> str | None:
        """The model to load instead, once nobody uses the present one."""
        raise NotImplementedError

    def _go_on(self) -> None:
        if self._changing:
            return
        for sent in self.admitted():
            self._waiting.remove(sent)
            self._serving += 1
            self._engine.take(sent)
        model = self.next_model()
        if model and self._serving == 0:
            self._change(model)

    def _change(self, model: str) -> None:
        self._changing = True
        self.swaps += 1
        leaves_s = STOP_S + SETTLE_S if self._loaded else 0.0
        took = leaves_s + PREPARE_S + self._start_s[model]
        self._clock.after(took, lambda: self._changed(model))

    def _changed(self, model: str) -> None:
        self._changing, self._loaded = False, model
        self._go_on()

    def _released(self) -> None:
        self._serving -= 1
        self._go_on()

    def _expire(self, sent: Sent) -> None:
        if sent in self._waiting:
            self._waiting.remove(sent)
            self._refuse(sent)
            self._go_on()

    def _refuse(self, sent: Sent) -> None:
        sent.refused_at_s = self._clock.now
        self._clock.after(RETRY_S, sent.answered)


class Fifo(OneSlot):
    """Strictly in the order of coming: a switch whenever the next request needs another model."""

    def admitted(self) -> list[Sent]:
        """From the head of the queue, as far as they want what is loaded."""
        wanted = itertools.takewhile(lambda s: s.call.model == self._loaded, self._waiting)
        return list(wanted)

    def next_model(self) -> str | None:
        """That of the head."""
        return self._waiting[0].call.model if self._waiting else None


class Collation(OneSlot):
    """All for the model that is loaded, as long as there are any; then who has waited longest."""

    def admitted(self) -> list[Sent]:
        """All that want what is loaded."""
        return [sent for sent in self._waiting if sent.call.model == self._loaded]

    def next_model(self) -> str | None:
        """That of the oldest request."""
        return self._waiting[0].call.model if self._waiting else None


Maker = Callable[[Clock, Sequence[Model], Policy], Scheduler]


def run(trace: Trace, make: Maker, policy: Policy) -> tuple[list[Sent], Scheduler, float]:
    """Play a trace to its end; returns the requests, the scheduler and the seconds it took."""
    clock = Clock()
    scheduler = make(clock, trace.models, policy)
    sent: list[Sent] = []

    def send(call: Call, answered: Callable[[], None]) -> None:
        one = Sent(len(sent), call, clock.now, answered)
        sent.append(one)
        scheduler.ask(one)

    def go_on(calls: deque[Call]) -> None:
        if calls and clock.now + calls[0].at_s < trace.lasts_s:
            call = calls.popleft()
            clock.after(call.at_s, lambda: send(call, lambda: go_on(calls)))

    for call in trace.calls:
        clock.after(call.at_s, lambda call=call: send(call, lambda: None))  # type: ignore[misc]
    for calls in trace.clients:
        go_on(deque(calls))
    clock.run()
    ends = [one.served_at_s + one.call.service_s for one in sent if one.served_at_s is not None]
    if lost := [one for one in sent if one.served_at_s is None and one.refused_at_s is None]:
        raise RuntimeError(f"{len(lost)} requests were neither served nor refused")
    return sent, scheduler, max([trace.lasts_s, *ends])
