"""What a person wishes, and what follows from it: serve this model, let it go, let all go."""

from dataclasses import replace

from sparkwell.core.errors import ConflictError
from sparkwell.core.phases import Phase
from sparkwell.core.units import GIB
from sparkwell.supervisor.box import Box, Instance, Leave, Leaving, State
from sparkwell.supervisor.effects import Effect, Prepare, Step, Tell, Terminate
from sparkwell.supervisor.ending import gone, stop
from sparkwell.supervisor.events import Down, Up, Wanted
from sparkwell.supervisor.failing import refused, words_of_failure
from sparkwell.supervisor.room import holding, promised_bytes
from sparkwell.supervisor.switching import called_off, without_stopped


def up(box: Box, event: Up) -> Step:
    """A person's wish: nothing is held against the model any more, and it is kept."""
    box, told = forgiven(box, event.model)
    after, effects = _up_again(box, event)
    return after, (*told, *effects)


def forgiven(box: Box, model: str) -> Step:
    """What is held against a model does not count any more."""
    held_against = box.breaker(model)
    if held_against is None or not held_against.open:
        return box.without_breaker(model), ()
    told = Tell("breaker.closed", f"{model} may start again: a person wants it", model=model)
    return box.without_breaker(model), (told,)


def _up_again(box: Box, event: Up) -> Step:
    current = box.of(event.model)
    if current and current.lost:
        message, hint = words_of_failure(current)
        raise ConflictError(message, hint=hint)
    if current is None or not current.holds_the_machine:
        return _begin(box, event)
    if current.state is State.STOPPING or current.cut:
        raise ConflictError(
            f"{current.model} is still stopping, so it cannot start yet.",
            hint="Try again in a moment.",
        )
    # What a person wants does not end because a request's start would, by now.
    terms = replace(current.terms, idle_s=event.terms.idle_s)
    stays = replace(current, kept=True, terms=terms)
    said = f"{current.model} is kept: a person wants it"
    told = () if current.kept else (Tell("instance.kept", said, stays),)
    if current.state in (State.SLEEPING, State.ASLEEP):
        box, effects = wanted(box.with_(stays), Wanted((Leaving(current.model, terms, True),)))
        return box, (*effects, *told)
    if current.state is State.DRAINING:
        stays = replace(stays, state=State.READY, leave=None)
    return box.with_(stays), told


def _begin(box: Box, event: Up) -> Step:
    _refuse_too_much(box, event)
    new = Instance(
        event.instance,
        event.model,
        State.STARTING,
        Phase.PREPARE,
        terms=event.terms,
        launched=False,
        held_bytes=event.held_bytes,
        forced=event.forced,
        kept=True,
    )
    told = Tell("instance.starting", f"Starting {event.model}", new)
    box = box.without_comeback(event.model).with_(new)
    return box, (Prepare(event.instance, event.model), told)


def _refuse_too_much(box: Box, event: Up) -> None:
    """What was computed a moment ago may have been overtaken by a start on demand."""
    others = [each for each in holding(box) if each.model != event.model]
    held, total = promised_bytes(others), box.budget.total_bytes
    if event.forced or held is None or total is None or event.held_bytes is None:
        return
    if others and held + event.held_bytes > total:
        names = ", ".join(each.model for each in others)
        raise ConflictError(
            f"{event.model} does not fit beside {names}: it takes {event.held_bytes / GIB:.1f} "
            f"GiB, and {max(0, total - held) / GIB:.1f} are free.",
            hint=f"`sparkwell down {others[0].model}` makes room.",
        )


def wanted(box: Box, event: Wanted) -> Step:
    """These come back as soon as there is room and nobody waits for another."""
    for each in event.models:
        box = box.without_comeback(each.model)
        box = replace(box, comebacks=(*box.comebacks, each))
    return box, ()


def down(box: Box, event: Down) -> Step:
    """Stop what runs of it, and forget what has failed: it has been seen to."""
    effects: tuple[Effect, ...] = ()
    for model in _meant(box, event):
        current = box.of(model)
        box = box.without_breaker(model).without_comeback(model)
        said = f"{model} was stopped with `sparkwell down`."
        box, refusals = refused(box, model, said, f"`sparkwell up {model}` starts it.", None)
        effects += refusals
        if current:
            box, more = _end(box, current)
            effects += more
    return without_stopped(box, event.model), effects


def closed(box: Box) -> Step:
    """Nobody waits any more; what was going to start by itself does not."""
    effects: tuple[Effect, ...] = ()
    waited_for = [each.model for each in box.waiting]
    for model in dict.fromkeys(waited_for):
        box, more = refused(box, model, "The daemon is ending.", "Try again in a moment.", None)
        effects += more
    return replace(called_off(box), comebacks=(), closing=True), effects


def _meant(box: Box, event: Down) -> list[str]:
    if event.model is not None:
        return [event.model]
    known = [each.model for each in box.instances]
    known += [each.model for each in box.breakers]
    known += [each.model for each in box.waiting]
    known += [each.model for each in box.comebacks]
    return list(dict.fromkeys(known))


def _end(box: Box, current: Instance) -> Step:
    said = f"Stopping {current.model}"
    match current.state:
        case State.FAILED if not current.lost:
            return box.without(current.id), ()
        case State.STOPPING:  # why it failed is no matter any more
            return box.with_(replace(current, error=None, hint=None)), ()
        case State.STARTING if not current.launched and current.phase is Phase.QUEUE:
            return gone(box, current)
        case State.STARTING if not current.launched:
            stopping = replace(current, state=State.STOPPING)
            return box.with_(stopping), (
                Tell("instance.stopping", said, stopping),
                Terminate(current.id),
            )
        case State.DRAINING:
            return box.with_(replace(current, leave=Leave.STOP, cut=True, error=None)), ()
        case _:
            return stop(box, current, said)
