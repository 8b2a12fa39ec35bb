"""Every transition of the box, as one function without a clock or a socket.

                 Up                    Answered
    (nothing) ───────► STARTING ──────────────────► READY
                          │  │ Failed, Down            │ Down
                          │  └──────────► STOPPING ◄───┘
                          │ Ended            │ Ended
                          ▼                  ▼
                        FAILED    (nothing, or FAILED when the start had failed)

Each model has one instance at most. FAILED holds nothing: it is the memory of what went wrong,
and the next Up of that model replaces it. Whether models fit beside each other is not decided
here: that is arithmetic about memory, and done before an Up comes.
"""

from dataclasses import replace

from sparkwell.core.errors import ConflictError, NotReadyError
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.messages import (
    Adopted,
    Answered,
    Down,
    Effect,
    Ended,
    Event,
    Failed,
    Follow,
    Launch,
    Lost,
    NotLaunched,
    OfInstance,
    Progressed,
    Tell,
    Terminate,
    Up,
    Withdrawn,
)

Step = tuple[Box, tuple[Effect, ...]]


def step(box: Box, event: Event) -> Step:
    """The next state and what has to be done for it.

    Raises ConflictError for an Up that cannot be granted; the state is then as it was. Events
    of an instance that is no longer in the box are late, and change nothing.
    """
    match event:
        case Up():
            return _up(box, event)
        case Adopted():
            return _adopted(box, event)
        case Down():
            return _down(box, event)
        case _:
            return _of_instance(box, event)


def ready_instance(box: Box, model: str) -> Instance:
    """The instance that serves ``model``; raises NotReadyError that says what to do."""
    instance = box.of(model)
    if instance is None:
        raise NotReadyError(
            f"The model {model} is not loaded.", hint=f"Run `sparkwell up {model}`."
        )
    if instance.state is State.READY:
        return instance
    raise _not_ready(instance)


def _up(box: Box, event: Up) -> Step:
    current = box.of(event.model)
    if current is None or not current.holds_the_machine:
        return _begin(box, event.model, event.instance)
    if current.state is State.STOPPING:
        raise ConflictError(
            f"{current.model} is still stopping, so it cannot start yet.",
            hint="Try again in a moment.",
        )
    return box, ()


def _begin(box: Box, model: str, instance: str) -> Step:
    new = Instance(instance, model, State.STARTING, Phase.PREPARE)
    told = Tell("instance.starting", f"Starting {model}", new)
    return box.with_(new), (Launch(instance, model), told)


def _adopted(box: Box, event: Adopted) -> Step:
    new = Instance(event.instance, event.model, State.STARTING)
    told = Tell("instance.adopted", f"Found {event.model} running; taking it over", new)
    return box.with_(new), (Follow(event.instance, event.model), told)


def _down(box: Box, event: Down) -> Step:
    """Stop what runs of it, and forget what has failed: it has been seen to."""
    meant = [each for each in box.instances if event.model in (None, each.model)]
    effects: tuple[Effect, ...] = ()
    for current in meant:
        if current.state is State.STOPPING:
            box = box.with_(
                replace(current, error=None, hint=None)
            )  # why it failed is no matter any more
        elif current.holds_the_machine or current.lost:
            box, more = _stop(box, current, f"Stopping {current.model}")
            effects += more
        else:
            box = box.without(current.id)
    return box, effects


def _stop(
    box: Box,
    instance: Instance,
    message: str,
    error: str | None = None,
    hint: str | None = None,
) -> Step:
    stopping = replace(instance, state=State.STOPPING, error=error, hint=hint, lost=False)
    told = Tell("instance.stopping", message, stopping)
    return box.with_(stopping), (told, Terminate(instance.id))


def _of_instance(box: Box, event: OfInstance) -> Step:  # noqa: C901, PLR0911 - a table
    current = box.get(event.instance)
    if current is None or not current.holds_the_machine:
        return box, ()
    match event:
        case Progressed(mark=mark) if current.state is State.STARTING:
            return _progressed(box, current, mark)
        case Answered() if current.state is State.STARTING:
            return _ready(box, current)
        case Withdrawn():
            return _gone(box, current)
        case NotLaunched(reason=reason, hint=hint):
            asked = current.state is State.STOPPING and current.error is None
            return _gone(box, current) if asked else _failed(box, current, reason, hint)
        case Lost(reason=reason, hint=hint):
            said = f"its end could not be seen to: {reason}"
            return _failed(box, replace(current, lost=True), said, hint)
        case Failed(reason=reason, hint=hint) if current.state is State.STARTING:
            return _stop(box, current, f"{current.model} did not start: {reason}", reason, hint)
        case Ended():
            return _ended(box, current, event)
        case _:
            return box, ()


def _progressed(box: Box, current: Instance, mark: PhaseMark) -> Step:
    """Phases only go forward: a log line of an earlier one is an echo."""
    if mark.phase.is_before(current.phase):
        return box, ()
    moved = replace(current, phase=mark.phase, fraction=mark.fraction)
    if moved == current:
        return box, ()
    kind = "instance.phase" if mark.phase is not current.phase else "instance.progress"
    return box.with_(moved), (Tell(kind, f"{current.model}: {mark.phase.label}", moved),)


def _ready(box: Box, current: Instance) -> Step:
    ready = replace(current, state=State.READY, phase=Phase.READY, fraction=None)
    return box.with_(ready), (Tell("instance.ready", f"{current.model} is ready", ready),)


def _ended(box: Box, current: Instance, event: Ended) -> Step:
    """A stop that was asked for leaves nothing behind; any other end leaves its reason."""
    if current.state is State.STOPPING and current.error is None:
        return _gone(box, replace(current, record=event.record))
    reason = current.error or _unasked(current, event)
    return _failed(box, replace(current, record=event.record), reason, current.hint)


def _gone(box: Box, current: Instance) -> Step:
    told = Tell("instance.stopped", f"{current.model} has stopped", current)
    return box.without(current.id), (told,)


def _failed(box: Box, current: Instance, reason: str, hint: str | None = None) -> Step:
    failed = replace(current, state=State.FAILED, error=reason.rstrip("."), hint=hint)
    told = Tell("instance.failed", f"{current.model} failed: {reason}", failed)
    return box.with_(failed), (told,)


def _unasked(current: Instance, event: Ended) -> str:
    when = "while starting" if current.state is State.STARTING else "while serving"
    cause = f": {event.cause}" if event.cause else ""
    return f"the engine ended by itself {when} ({event.record.reason}){cause}"


def _not_ready(instance: Instance) -> NotReadyError:
    model = instance.model
    if instance.state is State.FAILED:
        # An engine that never ran has no log.
        log = f"`sparkwell logs {model}` shows why, " if instance.record else ""
        return NotReadyError(
            f"The model {model} failed: {instance.error}.",
            hint=f"{log}`sparkwell up {model}` tries again.",
        )
    return NotReadyError(
        f"The model {model} is {instance.state} ({instance.phase.label}).",
        hint="Try again when `sparkwell status` says ready.",
    )
