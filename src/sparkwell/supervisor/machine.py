"""Every transition of the box, as one function without a clock or a socket.

                 Up                    Answered
    (nothing) ───────► STARTING ──────────────────► READY
                          │  │ Failed, Down            │ Down
                          │  └──────────► STOPPING ◄───┘
                          │ Ended            │ Ended
                          ▼                  ▼
                        FAILED    (nothing, or FAILED when the start had failed)

One instance at a time holds the machine. FAILED holds nothing: it is the memory of what went
wrong, and the next Up replaces it.
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
)

Step = tuple[Box, tuple[Effect, ...]]


def step(box: Box, event: Event) -> Step:
    """The next state and what has to be done for it.

    Raises ConflictError for an Up that cannot be granted; the state is then as it was. Events
    of an instance that is no longer the box's are late, and change nothing.
    """
    match event:
        case Up():
            return _up(box, event)
        case Adopted():
            return _adopted(event)
        case Down():
            return _down(box)
        case _:
            return _of_instance(box, event)


def ready_instance(box: Box, model: str) -> Instance:
    """The instance that serves ``model`` now; raises NotReadyError with what to do."""
    instance = box.instance
    if instance is None or instance.model != model:
        raise NotReadyError(f"The model {model} is not loaded.", hint=_how_to_load(box, model))
    if instance.state is State.READY:
        return instance
    raise _not_ready(instance)


def _up(box: Box, event: Up) -> Step:
    current = box.instance
    if current is None or not current.holds_the_machine:
        return _begin(event.model, event.instance)
    if current.model == event.model and current.state in (State.STARTING, State.READY):
        return box, ()
    raise _in_the_way(current, event.model)


def _begin(model: str, instance: str) -> Step:
    new = Instance(instance, model, State.STARTING)
    told = Tell("instance.starting", f"Starting {model}", new)
    return Box(new), (Launch(instance, model), told)


def _adopted(event: Adopted) -> Step:
    new = Instance(event.instance, event.model, State.STARTING)
    told = Tell("instance.adopted", f"Found {event.model} running; taking it over", new)
    return Box(new), (Follow(event.instance, event.model), told)


def _down(box: Box) -> Step:
    current = box.instance
    if current is None or not current.holds_the_machine:
        return Box(), ()
    if current.state is State.STOPPING:
        return box, ()
    return _stop(current, f"Stopping {current.model}")


def _stop(instance: Instance, message: str, error: str | None = None) -> Step:
    stopping = replace(instance, state=State.STOPPING, error=error)
    told = Tell("instance.stopping", message, stopping)
    return Box(stopping), (told, Terminate(instance.id))


def _of_instance(box: Box, event: OfInstance) -> Step:  # noqa: PLR0911 - a table
    current = box.instance
    if current is None or current.id != event.instance or not current.holds_the_machine:
        return box, ()
    match event:
        case Progressed(mark=mark) if current.state is State.STARTING:
            return _progressed(current, mark)
        case Answered() if current.state is State.STARTING:
            return _ready(current)
        case NotLaunched(reason=reason):
            return _failed(current, reason)
        case Lost(reason=reason):
            return _failed(current, f"its end could not be seen to: {reason}")
        case Failed(reason=reason) if current.state is State.STARTING:
            return _stop(current, f"{current.model} did not start: {reason}", error=reason)
        case Ended():
            return _ended(current, event)
        case _:
            return box, ()


def _progressed(current: Instance, mark: PhaseMark) -> Step:
    """Phases only go forward: a log line of an earlier one is an echo."""
    if mark.phase.is_before(current.phase):
        return Box(current), ()
    moved = replace(current, phase=mark.phase, fraction=mark.fraction)
    if moved == current:
        return Box(current), ()
    kind = "instance.phase" if mark.phase is not current.phase else "instance.progress"
    return Box(moved), (Tell(kind, f"{current.model}: {mark.phase.label}", moved),)


def _ready(current: Instance) -> Step:
    ready = replace(current, state=State.READY, phase=Phase.READY, fraction=None)
    return Box(ready), (Tell("instance.ready", f"{current.model} is ready", ready),)


def _ended(current: Instance, event: Ended) -> Step:
    """A stop that was asked for leaves nothing behind; any other end leaves its reason."""
    if current.state is State.STOPPING and current.error is None:
        gone = replace(current, record=event.record)
        return Box(), (Tell("instance.stopped", f"{current.model} has stopped", gone),)
    reason = current.error or _unasked(current, event)
    return _failed(replace(current, record=event.record), reason)


def _failed(current: Instance, reason: str) -> Step:
    failed = replace(current, state=State.FAILED, error=reason)
    told = Tell("instance.failed", f"{current.model} failed: {reason}", failed)
    return Box(failed), (told,)


def _unasked(current: Instance, event: Ended) -> str:
    when = "while starting" if current.state is State.STARTING else "while serving"
    cause = f": {event.cause}" if event.cause else ""
    return f"the engine ended by itself {when} ({event.record.reason}){cause}"


def _in_the_way(current: Instance, model: str) -> ConflictError:
    if current.state is State.STOPPING:
        message = f"{current.model} is still stopping, so {model} cannot start yet."
        return ConflictError(message, hint="Try again in a moment.")
    return ConflictError(
        f"{current.model} is {current.state}, and one model runs at a time: "
        f"{model} was not started.",
        hint=f"Run `sparkwell down`, then `sparkwell up {model}`.",
    )


def _how_to_load(box: Box, model: str) -> str:
    if box.busy and box.instance:
        running = box.instance.model
        return f"{running} is: run `sparkwell down`, then `sparkwell up {model}`."
    return f"Run `sparkwell up {model}`."


def _not_ready(instance: Instance) -> NotReadyError:
    model = instance.model
    if instance.state is State.FAILED:
        return NotReadyError(
            f"The model {model} failed: {instance.error}.",
            hint=f"`sparkwell logs {model}` shows why, `sparkwell up {model}` tries again.",
        )
    return NotReadyError(
        f"The model {model} is {instance.state} ({instance.phase.label}).",
        hint="Try again when `sparkwell status` says ready.",
    )
