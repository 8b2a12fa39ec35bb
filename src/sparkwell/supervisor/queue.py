"""Who is next: the models that requests wait for, in a fair order that knows what a switch costs.

The order: a person; who has waited for half of the longest wait, so that nobody starves, the oldest
first; priority, where each ``patience_s`` of waiting counts as one step more; then who has waited
most, all requests for a model together, for the seconds that its start takes: many requests for one
model are served in one go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sparkwell.supervisor.box import Box, Request, State
from sparkwell.supervisor.eviction import (
    idle_end,
    leaves_in_s,
    long_drain_at,
    quiet_at,
    removable,
    stayed_at,
)
from sparkwell.supervisor.room import victims
from sparkwell.supervisor.terms import PERSON, Policy, Terms

UNKNOWN_START_S = 60.0
"""What a start is taken to cost before the first one was seen: it only weighs, and is not told."""
LEAST_START_S = 1.0
LEAST_STEP_S = 1.0
"""Who waits grows in rank at most this often: also where nobody is to be patient at all."""
WAKE_S = 1.0
"""What waking is taken to cost: 0.3 to 0.5 s were measured for an 8B on an H100."""
_PERSON, _DUE, _USUAL = 0.0, 1.0, 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that requests wait for and that is not served now.

    ``start_s`` is what its start, or its waking, takes here; None where nobody knows.
    """

    model: str
    terms: Terms
    priority: int
    oldest_at: float
    waited_s: float
    count: int
    start_s: float | None

    @property
    def by_person(self) -> bool:
        """Whether a person has asked for it, and not only requests."""
        return self.priority >= PERSON

    def overdue(self, policy: Policy, now: float) -> bool:
        """Whether its oldest request has been patient long enough to make a busy model drain."""
        return self.overdue_at(policy) <= now

    def overdue_at(self, policy: Policy) -> float:
        """When it will be; monotonic seconds."""
        return self.oldest_at + (0.0 if self.by_person else policy.patience_s)

    def due_at(self, policy: Policy) -> float:
        """From when on no priority of others counts any more; monotonic seconds."""
        return self.oldest_at + policy.due_s

    def rank(self, policy: Policy, now: float) -> tuple[float, float, float, float]:
        """Sort key, the next one first."""
        if self.due_at(policy) <= now and not self.by_person:
            return (_DUE, self.oldest_at, 0.0, 0.0)
        steps = (now - self.oldest_at) // max(LEAST_STEP_S, policy.patience_s)
        cost = max(LEAST_START_S, self.start_s or UNKNOWN_START_S)
        first = _PERSON if self.by_person else _USUAL
        per_cost = (self.waited_s + self.count) / cost
        return (first, -(self.priority + steps), -per_cost, self.oldest_at)


def candidates(box: Box, now: float) -> list[Candidate]:
    """The models that could be next, in order; not those that are on their way or held back."""
    models: dict[str, list[Request]] = {}
    for each in box.waiting:
        models.setdefault(each.model, []).append(each)
    open_ = [model for model in models if _can_begin(box, model, now)]
    found = [_candidate(box, model, models[model], now) for model in open_]
    return sorted(found, key=lambda each: each.rank(box.policy, now))


def next_chance(box: Box, now: float) -> float | None:
    """When the queue should be looked at again though nothing happens; monotonic seconds."""
    times: list[float | None] = [each.until for each in box.waiting]
    for each in candidates(box, now):
        times += [each.overdue_at(box.policy), each.due_at(box.policy)]
        for other in removable(box, each.model):
            times += [stayed_at(box, other), quiet_at(box, other)]
    waited_for = {each.model for each in box.waiting} | {each.model for each in box.comebacks}
    times += [each.not_before for each in box.breakers if each.model in waited_for]
    times += [idle_end(each) for each in box.instances]
    times.append(long_drain_at(box))
    later = [at for at in times if at is not None and at > now]
    return min(later, default=None)


def estimated_wait_s(box: Box, request: Request, now: float) -> float | None:
    """Seconds until a request would be served, by what starts took here; None: not known.

    Until somebody may leave, the starts that are under way or come before it, the least time that
    each of those then stays, and its own start. How long running requests will still take nobody
    knows: they are not counted.
    """
    least = least_wait_s(box, request, now)
    if least is None or _is_coming(box, request.model):
        return least
    ahead = _ahead(box, request, now)
    stays = len(ahead) * box.policy.min_residency_s
    return least + stays + max(_under_way_s(box, now), _room_in_s(box, request, now))


def least_wait_s(box: Box, request: Request, now: float) -> float | None:
    """Seconds that a request waits at least: the starts before it, and its own; None: not known."""
    instance = box.of(request.model)
    if instance and instance.state is State.READY:
        return 0.0
    starts = [_start_s(box, request.model, request.terms)]
    starts += [each.start_s for each in _ahead(box, request, now)]
    return None if None in starts else sum(each for each in starts if each is not None)


def has_others_ahead(box: Box, request: Request, now: float) -> bool:
    """Whether requests for other models are served before it."""
    return bool(_ahead(box, request, now))


def _ahead(box: Box, request: Request, now: float) -> list[Candidate]:
    """The models that come before a request's own; it may wait already, or be just coming."""
    if _is_coming(box, request.model):
        return []
    if all(each.id != request.id for each in box.waiting):
        box = replace(box, waiting=(*box.waiting, request))
    order = candidates(box, now)
    names = [each.model for each in order]
    place = names.index(request.model) if request.model in names else len(names)
    return order[:place]


def _is_coming(box: Box, model: str) -> bool:
    instance = box.of(model)
    return instance is not None and instance.state in (State.STARTING, State.WAKING)


def _under_way_s(box: Box, now: float) -> float:
    """What the start that is under way may still take; nobody else begins before."""
    coming = [each for each in box.instances if each.state is State.STARTING]
    left = sum(each.terms.start_s or 0.0 for each in coming)
    return max(0.0, left - (now - box.switch.since)) if box.switch else left


def _room_in_s(box: Box, request: Request, now: float) -> float:
    """Seconds until those that are in its way may leave, if who is busy stays so."""
    ways = victims(box, request.model, request.terms, removable(box, request.model))
    return max((leaves_in_s(box, each.instance, request, now) for each in ways or ()), default=0.0)


def _can_begin(box: Box, model: str, now: float) -> bool:
    breaker, instance = box.breaker(model), box.of(model)
    if breaker and breaker.holds_back(now):
        return False
    if instance is None:
        return True
    return instance.state in (State.FAILED, State.ASLEEP) and not instance.lost


def _candidate(box: Box, model: str, requests: Sequence[Request], now: float) -> Candidate:
    terms = requests[-1].terms  # the newest knows best what the model takes now
    return Candidate(
        model=model,
        terms=terms,
        priority=max([each.priority for each in requests]),
        oldest_at=min([each.at for each in requests]),
        waited_s=sum([now - each.at for each in requests]),
        count=len(requests),
        start_s=_start_s(box, model, terms),
    )


def _start_s(box: Box, model: str, terms: Terms) -> float | None:
    instance = box.of(model)
    asleep = instance is not None and instance.state in (State.ASLEEP, State.WAKING)
    return WAKE_S if asleep else terms.start_s
