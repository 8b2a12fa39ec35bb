"""Every transition of the box, as one function without a clock or a socket.

``step`` takes what happened and gives the next state and what has to be done. What an event makes
of one instance is in ``life``, what requests are told in ``asking``, what a person may wish in
``wishes``, what the box then does by itself in ``moves``; ``room`` and ``queue`` are the arithmetic
and the order behind them.
"""

from dataclasses import replace

from sparkwell.supervisor.asking import asked, expired, left, ready_instance, released, served
from sparkwell.supervisor.box import Box, Instance, State, Switch
from sparkwell.supervisor.effects import Follow, Step, Tell
from sparkwell.supervisor.events import (
    Adopted,
    Asked,
    Closed,
    Down,
    Event,
    Forgiven,
    Left,
    Prepared,
    Released,
    Settled,
    Settling,
    Tick,
    Up,
    Wanted,
)
from sparkwell.supervisor.life import of_instance, prepared
from sparkwell.supervisor.moves import moved
from sparkwell.supervisor.wishes import closed, down, forgiven, up, wanted

__all__ = ["Step", "ready_instance", "step"]


def step(box: Box, event: Event, now: float = 0.0) -> Step:
    """The next state and what has to be done for it; ``now`` is in monotonic seconds.

    Raises ConflictError for an Up that cannot be granted; the state is then as it was. Events
    of an instance that is no longer in the box are late, and change nothing.
    """
    after, effects = _told(box, event, now)
    if _is_all(box, after, event):
        return after, effects
    after, grants = served(after)
    after, refusals = expired(after, now)
    after, moves = moved(after, now)
    after, more = served(after)  # a switch that was called off leaves a model ready again
    return after, (*effects, *grants, *refusals, *moves, *more)


def _is_all(box: Box, after: Box, event: Event) -> bool:
    """Whether nothing can follow: a ready model is used by one request more, or less.

    So it is nearly always, and it must cost little, however many wait for other models.
    """
    if after.waiting is not box.waiting:
        return False
    if isinstance(event, Asked):
        return True
    instance = after.get(event.instance) if isinstance(event, Released) else None
    return instance is not None and _is_as_good_as_before(after, instance)


def _is_as_good_as_before(box: Box, instance: Instance) -> bool:
    """Whether a lease that came back lets nobody leave who could not leave before."""
    return instance.serving > 0 or (instance.leave is None and not box.waiting)


def _told(box: Box, event: Event, now: float) -> Step:  # noqa: C901, PLR0911, PLR0912
    match event:
        case Asked():
            return asked(box, event, now)
        case Released():
            return released(box, event, now)
        case Left():
            return left(box, event)
        case Tick():
            return box, ()
        case Closed():
            return closed(box)
        case Up():
            return up(box, event)
        case Forgiven():
            return forgiven(box, event.model)
        case Prepared():
            return prepared(box, event, now)
        case Down():
            return down(box, event)
        case Adopted():
            return _adopted(box, event, now)
        case Settling():
            return replace(box, settling=(*box.settling, event.instance)), ()
        case Settled():
            still = tuple(each for each in box.settling if each != event.instance)
            return replace(box, settling=still), ()
        case Wanted():
            return wanted(box, event)
        case _:
            return of_instance(box, event, now)


def _adopted(box: Box, event: Adopted, now: float) -> Step:
    new = Instance(
        event.instance,
        event.model,
        State.ASLEEP if event.asleep else State.STARTING,
        terms=event.terms,
        held_bytes=event.held_bytes,
        kept=event.kept,
        idle_since=now if event.asleep else None,
    )
    told = Tell("instance.adopted", f"Found {event.model} running; taking it over", new)
    box = box.without_comeback(event.model).with_(new)
    if event.made_room is not None:  # it may fail yet
        box = replace(box, switch=Switch(event.model, event.made_room, now))
    return box, (Follow(event.instance, event.model, event.asleep), told)
