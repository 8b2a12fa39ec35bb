"""What a failure leaves: its reason, a pause before the next try, and who is told of it."""

from dataclasses import replace

from sparkwell.core.errors import NotReadyError
from sparkwell.supervisor import breaker as breakers
from sparkwell.supervisor import switching
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.breaker import Breaker
from sparkwell.supervisor.effects import Effect, Refuse, Step, Tell
from sparkwell.supervisor.ending import settling


def failed(box: Box, current: Instance, now: float, reason: str, hint: str | None = None) -> Step:
    """The box after an instance has failed, or its end could not be seen to."""
    left = replace(
        current,
        state=State.FAILED,
        error=reason.rstrip("."),
        hint=hint,
        serving=0,
        leave=None,
        cut=False,
    )
    if left.unwoken and not (left.tripped or left.lost):
        return _not_woken(box, left)
    held_against = _held_against(box, left, now, reason)
    told = _told(left, held_against, reason)
    box, refusals = _told_to_the_waiting(box.with_(left), left, held_against, now)
    box = _coming_back(box.with_breaker(held_against), left)
    box, switched = switching.failed(box, left)
    effects = (*told, *refusals, *switched)
    # What is lost holds its memory still: that comes back when it has ended after all.
    return (box, effects) if left.lost else settling(box, left, effects)


def refused(box: Box, model: str, message: str, hint: str | None, retry_s: float | None) -> Step:
    """Every request that waits for a model is told why it cannot be served."""
    waiting = box.waiting_for(model)
    effects = tuple(Refuse(each.id, NotReadyError, message, hint, retry_s) for each in waiting)
    return box.without_requests(each.id for each in waiting), effects


def words_of_failure(left: Instance) -> tuple[str, str]:
    """What a client is told of a model that failed, and what a person can do."""
    if left.lost:  # a second engine beside it would not fit, or would take its port
        return (
            f"The model {left.model} may still run: {left.error}.",
            f"`sparkwell down {left.model}` tries again to end it.",
        )
    # An engine that never ran has no log.
    log = f"`sparkwell logs {left.model}` shows why, " if left.record else ""
    return (
        f"The model {left.model} failed: {left.error}.",
        f"{log}`sparkwell up {left.model}` tries again.",
    )


def words_of_row(held_against: Breaker) -> tuple[str, str]:
    """What a client is told of a model that is held back: why it failed first."""
    model, reason = held_against.model, held_against.reason.rstrip(".")
    times = f" {held_against.failures} times in a row, at first" if held_against.open else ""
    return (
        f"The model {model} failed{times}: {reason}.",
        f"`sparkwell logs {model}` shows why, `sparkwell up {model}` tries again.",
    )


def _not_woken(box: Box, left: Instance) -> Step:
    """An engine that cannot be woken says nothing about a start: those who wait get one at once.

    So nothing is held against the model. If the start fails too, that is what counts, and only
    then the switch has failed.
    """
    waiting = len(box.waiting_for(left.model))
    then = "; it is started for those who wait" if waiting else ""
    said = f"{left.model} could not be woken: {left.error}{then}"
    data = {"waking": True, "requests_waiting": waiting}
    told: tuple[Effect, ...] = (Tell("instance.failed", said, left, data=data),)
    box = _coming_back(box.with_(left), left)
    if not waiting:
        box, switched = switching.failed(box, left)
        told += switched
    return settling(box, left, told)


def _held_against(box: Box, left: Instance, now: float, reason: str) -> Breaker:
    served_s = None if left.ready_at is None else now - left.ready_at
    before = box.breaker(left.model)
    return breakers.failed(before, left.model, left.id, reason, now=now, served_s=served_s)


def _told(left: Instance, held_against: Breaker, reason: str) -> tuple[Effect, ...]:
    told = Tell("instance.failed", f"{left.model} failed: {reason}", left)
    if not held_against.open:
        return (told,)
    said = (
        f"{left.model} failed {held_against.failures} times in a row: it is left alone for "
        f"{breakers.OPEN_S / 60:.0f} minutes. The first time: {held_against.reason}"
    )
    return told, Tell("breaker.open", said, left, data={"reason": held_against.reason})


def _told_to_the_waiting(box: Box, left: Instance, held_against: Breaker, now: float) -> Step:
    """Those that wait for a start that failed hear of it; after a crash they wait for the next."""
    message, hint = words_of_failure(left)
    if left.lost:  # only a person ends that
        return refused(box, left.model, message, hint, None)
    if not held_against.refuses(now):
        return box, ()
    if held_against.open:
        message, hint = words_of_row(held_against)
    return refused(box, left.model, message, hint, held_against.not_before - now)


def is_missed(left: Instance) -> bool:
    """Whether one that fails is to be started again, as far as the model itself is concerned."""
    served = left.unwoken or left.ready_at is not None
    return not left.tripped and (left.returning or (left.kept and served))


def _coming_back(box: Box, left: Instance) -> Box:
    """A model that a person started and that served comes back, unless something forbids it.

    So does one that was to come back, and whose start failed: until the breaker is open.
    """
    held_against = box.breaker(left.model)
    if not is_missed(left) or left.lost or (held_against is not None and held_against.open):
        return box
    others = box.without_comeback(left.model).comebacks
    return replace(box, comebacks=(*others, switching.as_it_was(left)))
