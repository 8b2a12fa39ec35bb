"""The life of one instance: what its events make of it.

                 Up, a request            Answered            another model needs the room
    (nothing) ──────────────► STARTING ────────────► READY ────────────► DRAINING
                                 │  │ Failed, Down     │ Down, Hung          │ nobody uses it
                                 │  └──────────► STOPPING ◄──────────────────┤
                                 │ Ended            │ Ended                  ▼
                                 ▼                  ▼                     SLEEPING
                               FAILED   (nothing, or FAILED)                 │ Slept
                                                           READY ◄─ WAKING ◄─ ASLEEP

FAILED holds nothing: it is the memory of what went wrong, and the next start replaces it. What a
failure leaves beside it is in ``failing``.
"""

from dataclasses import replace

from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.supervisor import breaker as breakers
from sparkwell.supervisor import switching
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.effects import Effect, Step, Tell
from sparkwell.supervisor.ending import gone, settling, stop
from sparkwell.supervisor.events import (
    Answered,
    Ended,
    Failed,
    Hung,
    Lingers,
    Lost,
    NotLaunched,
    OfInstance,
    Prepared,
    Progressed,
    Slept,
    Tripped,
    Withdrawn,
)
from sparkwell.supervisor.failing import failed
from sparkwell.supervisor.room import holding, promised_bytes

_COMING = (State.STARTING, State.WAKING)
_MOVING = (*_COMING, State.SLEEPING)
_SERVING = (State.READY, State.DRAINING)


def of_instance(box: Box, event: OfInstance, now: float) -> Step:  # noqa: C901, PLR0911, PLR0912
    """What an event makes of its instance. One that is no longer in the box is late: nothing."""
    current = box.get(event.instance)
    if current and isinstance(event, Tripped):  # often heard of after the end
        return _tripped(box, current, event)
    if current and current.lost and isinstance(event, Ended):
        return _after_all(box, current, event)
    if current is None or not current.holds_the_machine:
        return box, ()
    match event:
        case Progressed(mark=mark) if current.state in _COMING:
            return _progressed(box, current, mark)
        case Answered() if current.state in _COMING and current.launched:
            return _ready(box, current, now)
        case Withdrawn():
            return gone(box, current)
        case NotLaunched(reason=reason, hint=hint, findings=found):
            asked = current.state is State.STOPPING and current.error is None
            left = replace(current, findings=found)
            return gone(box, current) if asked else failed(box, left, now, reason, hint)
        case Lost(reason=reason, hint=hint):
            said = f"its end could not be seen to: {reason}"
            return failed(box, replace(current, lost=True), now, said, hint)
        case Failed(reason=reason, hint=hint) if current.state in _MOVING and current.launched:
            said = f"{current.model} did not {_aim(current)}: {reason}"
            return stop(box, _as_it_fails(current), said, reason, hint)
        case Ended():
            return _ended(box, current, event, now)
        case Lingers() if current.state is State.STOPPING:
            return _lingers(box, current, event)
        case Slept() if current.state is State.SLEEPING:
            return _asleep(box, current, now)
        case Hung(reason=reason) if current.state in _SERVING and not current.cut:
            return _hung(box, current, reason)
        case _:
            return box, ()


def prepared(box: Box, event: Prepared, now: float) -> Step:
    """A start has all that it needs: it waits for its turn, if its plan still fits."""
    current = box.get(event.instance)
    if current is None or current.launched:
        return box, ()
    if current.state is State.STOPPING:  # it was taken back in the last moment
        return gone(box, current)
    if current.state is not State.STARTING:
        return box, ()
    others = promised_bytes(each for each in holding(box) if each.id != current.id)
    total, held = box.budget.total_bytes, event.held_bytes
    over = None not in (others, total, held) and (others or 0) + (held or 0) > (total or 0)
    if over and not current.forced:
        return failed(box, current, now, "what runs by now leaves it too little memory")
    return box.with_(replace(current, phase=Phase.QUEUE, fraction=None, held_bytes=held)), ()


def _progressed(box: Box, current: Instance, mark: PhaseMark) -> Step:
    """Phases only go forward: a log line of an earlier one is an echo."""
    too_soon = not current.launched and not mark.phase.is_before(Phase.QUEUE)
    if too_soon or mark.phase.is_before(current.phase):
        return box, ()
    moved = replace(current, phase=mark.phase, fraction=mark.fraction)
    if moved == current:
        return box, ()
    kind = "instance.phase" if mark.phase is not current.phase else "instance.progress"
    return box.with_(moved), (Tell(kind, f"{current.model}: {mark.phase.label}", moved),)


def _ready(box: Box, current: Instance, now: float) -> Step:
    ready = replace(
        current,
        state=State.READY,
        phase=Phase.READY,
        fraction=None,
        ready_at=now,
        idle_since=now,
    )
    told: tuple[Effect, ...] = (Tell("instance.ready", f"{current.model} is ready", ready),)
    box = box.with_(ready)
    held_against = box.breaker(current.model)
    if held_against and held_against.open:
        said = f"{current.model} is served again"
        told += (Tell("breaker.closed", said, ready),)
    box, switched = switching.done(box, ready, now)
    return box, (*told, *switched)


def _asleep(box: Box, current: Instance, now: float) -> Step:
    asleep = replace(current, state=State.ASLEEP, leave=None, cut=False, idle_since=now)
    box = _forgiven(box, current, now)
    return box.with_(asleep), (Tell("instance.asleep", f"{current.model} sleeps", asleep),)


def _hung(box: Box, current: Instance, reason: str) -> Step:
    told = Tell("canary.failed", f"{current.model} hangs: {reason}", current)
    box, effects = stop(
        box, current, f"Stopping {current.model}, which hangs", f"it hung: {reason}"
    )
    return box, (told, *effects)


def _tripped(box: Box, current: Instance, event: Tripped) -> Step:
    said = f"the memory guard ended it: {event.reason}"
    tripped = replace(current, error=said, tripped=True, findings=event.findings)
    box = box.without_comeback(current.model)
    return box.with_(tripped), (Tell("guard.tripped", f"{current.model}: {said}", tripped),)


def _ended(box: Box, current: Instance, event: Ended, now: float) -> Step:
    """A stop that was asked for leaves nothing behind; any other end leaves its reason."""
    # Who looked at the engine's end may not have known yet that the guard was it.
    found = current.findings if current.tripped else event.findings
    ended = replace(_as_it_fails(current), record=event.record, findings=found)
    meant = current.state is State.STOPPING or current.cut
    if meant and current.error is None:
        return gone(_forgiven(box, current, now), ended)
    return failed(box, ended, now, current.error or _unasked(current, event), current.hint)


def _after_all(box: Box, current: Instance, event: Ended) -> Step:
    """One whose end could not be seen to has ended: it holds nothing any more."""
    ended = replace(current, lost=False, record=event.record)
    told = Tell("instance.ended", f"{current.model} has ended after all", ended)
    return settling(box.with_(ended), ended, (told,))


def _lingers(box: Box, current: Instance, event: Lingers) -> Step:
    pid = "" if event.pid is None else f" (process {event.pid})"
    said = f"{current.model} has not ended {event.seconds:.0f} s after it was asked to{pid}"
    data = {"seconds": event.seconds, "pid": event.pid}
    return box, (Tell("stop.takes_long", said, current, data=data),)


def _as_it_fails(current: Instance) -> Instance:
    """One that fails while it wakes is marked: that says nothing about a start."""
    return replace(current, unwoken=True) if current.state is State.WAKING else current


def _forgiven(box: Box, current: Instance, now: float) -> Box:
    """One that served for long and leaves in good order: its next failure is a first one."""
    well = current.ready_at is not None and now - current.ready_at >= breakers.STABLE_S
    return box.without_breaker(current.model) if well else box


def _unasked(current: Instance, event: Ended) -> str:
    when = {State.STARTING: "while starting", State.WAKING: "while waking"}
    cause = f": {event.cause}" if event.cause else ""
    during = when.get(current.state, "while serving")
    return f"the engine ended by itself {during} ({event.record.reason}){cause}"


def _aim(current: Instance) -> str:
    aims = {State.WAKING: "wake", State.SLEEPING: "go to sleep"}
    return aims.get(current.state, "start")
