"""Who may leave for another model, and when: residency, quiet, patience, idle time-outs."""

from sparkwell.supervisor.box import Box, Instance, Request, State
from sparkwell.supervisor.terms import PERSON, BackEnd


def removable(box: Box, model: str) -> list[Instance]:
    """Who may leave for another model at some time: not those that are pinned."""
    states = (State.READY, State.ASLEEP, State.DRAINING)
    return [
        each
        for each in box.instances
        if each.state in states and each.model != model and not each.terms.pinned
    ]


def evictable(
    box: Box, model: str, now: float, *, overdue: bool, person: bool = False
) -> list[Instance]:
    """Who may leave for it now, the least missed first: asleep, unimportant, long unused.

    Only a model whose request is ``overdue`` makes busy ones drain; for one that a ``person``
    wants nobody stays for the time that it has been there.
    """
    may = [
        e for e in removable(box, model) if may_leave(box, e, now, overdue=overdue, person=person)
    ]
    return sorted(may, key=_missed)


def may_leave(
    box: Box, instance: Instance, now: float, *, overdue: bool, person: bool = False
) -> bool:
    """Whether an instance may leave now: unused for a moment, or long enough there."""
    if person or instance.state in (State.ASLEEP, State.DRAINING):
        return True
    quiet = quiet_at(box, instance)
    if instance.serving == 0 and quiet is not None and quiet <= now:
        return True
    stayed = stayed_at(box, instance)
    if stayed is None or stayed > now:
        return False
    return instance.serving == 0 or overdue


# A moment is always the same sum, compared with now: with a difference instead the alarm could
# ring a rounding error too early, and nobody would look again.


def stayed_at(box: Box, instance: Instance) -> float | None:
    """When it has been there for long enough; monotonic seconds. None: it is not there yet.

    A switch has to pay: who took long to come stays as long, unless it only has to sleep.
    """
    if instance.ready_at is None:
        return None
    cold = instance.terms.back_end is BackEnd.COLD
    cost_s = (instance.terms.start_s or 0.0) if cold else 0.0
    return instance.ready_at + max(box.policy.min_residency_s, cost_s)


def quiet_at(box: Box, instance: Instance) -> float | None:
    """When it will have been unused for a moment; None while it is used."""
    return None if instance.idle_since is None else instance.idle_since + box.policy.quiet_s


def long_drain_at(box: Box) -> float | None:
    """When a switch has waited for long; None where there is none, or it has been told."""
    switch = box.switch
    if switch is None or switch.told_long:
        return None
    return switch.since + box.policy.long_drain_s


def leaves_in_s(box: Box, instance: Instance, request: Request, now: float) -> float:
    """Seconds until an instance may leave for a request, if it is used on where it is used."""
    if instance.state is not State.READY or request.priority >= PERSON:
        return 0.0
    stays_s = (stayed_at(box, instance) or now) - now
    if instance.serving:
        return max(0.0, stays_s, request.at + box.policy.patience_s - now)
    return max(0.0, min(stays_s, (quiet_at(box, instance) or now) - now))


def idle_end(instance: Instance) -> float | None:
    """When an unused instance has been idle for as long as it may; None where it may stay."""
    waits = instance.state in (State.READY, State.ASLEEP) and instance.serving == 0
    idle_s = instance.terms.idle_s
    if not waits or instance.terms.pinned or idle_s is None or instance.idle_since is None:
        return None
    return instance.idle_since + idle_s


def _missed(instance: Instance) -> tuple[bool, int, bool, float]:
    """Sort key: who is missed least comes first."""
    awake, busy = instance.state is not State.ASLEEP, instance.serving > 0
    return (awake, instance.terms.priority, busy, instance.idle_since or instance.ready_at or 0.0)
