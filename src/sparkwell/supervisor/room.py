"""Whether a model fits beside what is there, and who would have to leave for it. Arithmetic only.

Unknown sizes are never guessed: a model nobody can size starts only alone, and nothing starts
beside one whose size is not known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkwell.supervisor.box import Box, Instance, Leave, State
from sparkwell.supervisor.terms import BackEnd, Terms


@dataclass(frozen=True, slots=True)
class Victim:
    """An instance that is to make room, and how."""

    instance: Instance
    leave: Leave


def holding(box: Box) -> list[Instance]:
    """The instances that hold memory, those whose end could not be seen to included."""
    return [each for each in box.instances if each.holds_the_machine or each.lost]


def preparing(box: Box) -> bool:
    """Whether somebody is about to start, and holds what nobody may count on any more."""
    return any(each.holds_the_machine and not each.launched for each in box.instances)


def promised_bytes(instances: Iterable[Instance]) -> int | None:
    """What these hold by their plans; None where one of them is not known."""
    total = 0
    for each in instances:
        held = each.now_held_bytes
        if held is None:
            return None
        total += held
    return total


def grant(
    box: Box, model: str, terms: Terms, without: Sequence[Victim] = ()
) -> tuple[bool, int | None]:
    """Whether a model may start beside the others, and how many bytes it then gets.

    ``without`` leave first. The bytes are None where they are not known.
    """
    leaving = {victim.instance.id: victim for victim in without}
    # Asleep, the model itself holds a part of what it will use.
    others = [each for each in holding(box) if each.model != model]
    stay = [each for each in others if each.id not in leaving]
    asleep = [victim.instance.terms for victim in without if victim.leave is Leave.SLEEP]
    if not stay and not asleep:
        return _alone(box, terms)
    held = promised_bytes(stay)
    sleeping = _asleep_bytes(asleep)
    total, least = box.budget.total_bytes, terms.least_bytes
    if held is None or sleeping is None or total is None or least is None:
        return False, None
    free = total - held - sleeping
    most = terms.most_bytes or least
    return (True, max(least, min(most, free))) if least <= free else (False, None)


def victims(
    box: Box, model: str, terms: Terms, candidates: Sequence[Instance]
) -> list[Victim] | None:
    """Who has to leave so that the model fits, the first candidates first.

    An empty list where it fits as it is, None where even all of them are not enough. Those that
    sleep hold memory still: where that is too much they end instead.
    """
    chosen: list[Victim] = []
    if grant(box, model, terms)[0]:
        return chosen
    for each in candidates:
        chosen.append(Victim(each, leave_of(each)))
        if grant(box, model, terms, chosen)[0]:
            return _needed(box, model, terms, chosen)
    for place, victim in enumerate(chosen):
        chosen[place] = Victim(victim.instance, Leave.STOP)
        if grant(box, model, terms, chosen)[0]:
            return _needed(box, model, terms, chosen)
    return None


def leave_of(instance: Instance) -> Leave:
    """How an instance makes room, when there is no need to hurry."""
    if instance.state is State.ASLEEP or instance.terms.back_end is BackEnd.COLD:
        return Leave.STOP
    return Leave.SLEEP


def _needed(box: Box, model: str, terms: Terms, chosen: Sequence[Victim]) -> list[Victim]:
    """Without those that turned out not to be needed: a later, larger one made the room."""
    needed = list(chosen)
    for each in chosen:
        rest = [other for other in needed if other is not each]
        if grant(box, model, terms, rest)[0]:
            needed = rest
    return needed


def _alone(box: Box, terms: Terms) -> tuple[bool, int | None]:
    """With the machine for itself. One that cannot be sized may try: a person asked for it."""
    total, least = box.budget.total_bytes, terms.least_bytes
    if total is None or least is None:
        return True, terms.most_bytes
    most = terms.most_bytes or least
    return least <= total, max(least, min(most, total))


def _asleep_bytes(terms: Sequence[Terms]) -> int | None:
    total = 0
    for each in terms:
        if each.asleep_bytes is None:
            return None
        total += each.asleep_bytes
    return total
