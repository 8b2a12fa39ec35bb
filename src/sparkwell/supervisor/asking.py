"""Requests: who is served at once, who waits, and who is told why not."""

from dataclasses import replace

from sparkwell.core.errors import (
    EnvironmentFault,
    NotReadyError,
    SparkwellError,
    TooBusyError,
    WaitExceededError,
)
from sparkwell.supervisor.box import Box, Instance, Request, State
from sparkwell.supervisor.effects import Effect, Grant, Refuse, Step
from sparkwell.supervisor.events import Asked, Left, Released
from sparkwell.supervisor.eviction import removable
from sparkwell.supervisor.failing import words_of_failure, words_of_row
from sparkwell.supervisor.instance import serving_now
from sparkwell.supervisor.queue import estimated_wait_s, has_others_ahead, least_wait_s
from sparkwell.supervisor.room import preparing, victims


def asked(box: Box, event: Asked, now: float) -> Step:
    """A request is served at once, joins the queue, or is refused with the reason."""
    request = event.request
    instance = box.of(request.model)
    if instance and instance.state is State.READY:
        return used(box, instance), (Grant(request.id, instance.id),)
    if refusal := _against(box, request, instance, now):
        return box, (refusal,)
    return replace(box, waiting=(*box.waiting, request)), ()


def used(box: Box, instance: Instance, more: int = 1) -> Box:
    """The box in which one more request uses an instance, or several."""
    return box.with_(serving_now(instance, instance.serving + more, None))


def left(box: Box, event: Left) -> Step:
    """A client that has gone is not waited for."""
    return box.without_requests((event.request,)), ()


def released(box: Box, event: Released, now: float) -> Step:
    """A lease is back. That of an instance which has ended says nothing any more."""
    instance = box.get(event.instance)
    if instance is None or instance.serving == 0:
        return box, ()
    serving = instance.serving - 1
    return box.with_(serving_now(instance, serving, now if serving == 0 else None)), ()


def served(box: Box) -> Step:
    """All that wait for a model which is ready now."""
    effects: tuple[Effect, ...] = ()
    for instance in box.instances if box.waiting else ():
        requests = box.waiting_for(instance.model) if instance.state is State.READY else ()
        if requests:
            box = used(box, instance, len(requests)).without_requests(e.id for e in requests)
            effects += tuple(Grant(each.id, instance.id) for each in requests)
    return box, effects


def expired(box: Box, now: float) -> Step:
    """Those that have waited as long as they may, or that wait without hope."""
    late = {each.id for each in box.waiting if each.until <= now}
    effects = tuple(_too_late(box, each, now) for each in box.waiting if each.id in late)
    box = box.without_requests(late)
    newest = {each.model: each for each in box.waiting}.values()
    models = {each.model for each in newest if _never_fits(box, each, box.of(each.model))}
    hopeless = [each for each in box.waiting if each.model in models]
    effects += tuple(_refuse(e, EnvironmentFault, *_no_room(box, e)) for e in hopeless)
    return box.without_requests(each.id for each in hopeless), effects


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


def _not_ready(instance: Instance) -> NotReadyError:
    if instance.state is State.FAILED:
        message, hint = words_of_failure(instance)
        return NotReadyError(message, hint=hint)
    return NotReadyError(
        f"The model {instance.model} is {instance.state} ({instance.phase.label}).",
        hint="Try again when `sparkwell status` says ready.",
    )


def _against(box: Box, request: Request, instance: Instance | None, now: float) -> Refuse | None:
    """Why a request must not wait; None where it may."""
    breaker = box.breaker(request.model)
    if instance and instance.lost:
        return _refuse(request, NotReadyError, *words_of_failure(instance))
    gone = instance is None or instance.state is State.FAILED
    if gone and breaker and breaker.refuses(now):  # an earlier daemon's, where nothing is there
        told = words_of_failure(instance) if instance and not breaker.open else None
        message, hint = told or words_of_row(breaker)
        return _refuse(request, NotReadyError, message, hint, breaker.not_before - now)
    if len(box.waiting) >= box.policy.max_waiting:
        message = f"{len(box.waiting)} requests wait already; no more are taken."
        wait = estimated_wait_s(box, request, now)
        return _refuse(request, TooBusyError, message, "Try again later.", wait)
    if _never_fits(box, request, instance):
        return _refuse(request, EnvironmentFault, *_no_room(box, request))
    return _too_long(box, request, now)


def _too_long(box: Box, request: Request, now: float) -> Refuse | None:
    """Only others that are served first are a reason: without it no start would ever begin."""
    least, allowed = least_wait_s(box, request, now), request.until - now
    if least is None or least <= allowed or not has_others_ahead(box, request, now):
        return None
    wait = estimated_wait_s(box, request, now) or least
    message = (
        f"{request.model} would be ready in about {wait:.0f} s; requests wait {allowed:.0f} s at "
        "most."
    )
    return _refuse(request, TooBusyError, message, "Try again later.", wait - allowed)


def _never_fits(box: Box, request: Request, instance: Instance | None) -> bool:
    """Whether not even the end of all that may leave would make room for it."""
    if instance and instance.holds_the_machine:
        return False
    if box.turn_taken or preparing(box):
        return False  # what they will hold, or leave, is not known yet
    return victims(box, request.model, request.terms, removable(box, request.model)) is None


def _no_room(box: Box, request: Request) -> tuple[str, str]:
    pinned = [each.model for each in box.live if each.terms.pinned]
    lost = [each.model for each in box.instances if each.lost]
    if names := ", ".join(pinned + lost):
        return (
            f"{request.model} does not fit on this machine beside {names}.",
            f"`sparkwell down {(pinned + lost)[0]}` makes room.",
        )
    return (
        f"{request.model} does not fit on this machine.",
        f"`sparkwell plan {request.model}` says why, and what would.",
    )


def _too_late(box: Box, request: Request, now: float) -> Refuse:
    instance = box.of(request.model)
    doing = instance.phase.label if instance and instance.holds_the_machine else "not its turn yet"
    message = f"{request.model} was not ready within {now - request.at:.0f} s ({doing})."
    wait = estimated_wait_s(box, request, now)
    return _refuse(request, WaitExceededError, message, "Try again later.", wait)


def _refuse(
    request: Request,
    kind: type[SparkwellError],
    message: str,
    hint: str | None = None,
    retry_after_s: float | None = None,
) -> Refuse:
    return Refuse(request.id, kind, message, hint, retry_after_s)
