"""What the box does by itself when the turn is free: leave, launch, switch, come back, retire.

One thing at a time changes how much memory is held: an engine measures it while it starts, and
another that takes or frees some meanwhile makes it fail. So each move either takes the turn or
changes nothing about memory.
"""

from dataclasses import replace

from sparkwell.core.phases import Phase
from sparkwell.supervisor.box import Box, Instance, Leave, State
from sparkwell.supervisor.effects import Effect, Launch, Prepare, PutToSleep, Step, Tell, Wake
from sparkwell.supervisor.ending import stop
from sparkwell.supervisor.eviction import evictable, idle_end, removable
from sparkwell.supervisor.naming import word_of
from sparkwell.supervisor.queue import Candidate, candidates
from sparkwell.supervisor.room import grant, leave_of, preparing, victims
from sparkwell.supervisor.switching import call_off, draining, drains_long, make_room
from sparkwell.supervisor.terms import BackEnd, Terms


def moved(box: Box, now: float) -> Step:
    """The box after all that it can do now by itself."""
    effects: tuple[Effect, ...] = ()
    while step := _one_move(box, now):
        box, more = step
        effects += more
    return box, effects


def _one_move(box: Box, now: float) -> Step | None:
    if told := call_off(box) or drains_long(box, now):
        return told
    if box.changing:
        return None
    if box.settling:
        return _leave(box, now)  # an end frees memory too; nothing else begins meanwhile
    for move in (_leave,) if box.closing else (_leave, _launch, _switch, _come_back, _retire):
        if step := move(box, now):
            return step
    return None


def _leave(box: Box, now: float) -> Step | None:  # noqa: ARG001 - a move
    for each in box.instances:
        going = each.state in (State.DRAINING, State.ASLEEP) and each.leave is not None
        if going and (each.serving == 0 or each.cut):
            return _go(box, each)
    return None


def _go(box: Box, instance: Instance) -> Step:
    """Nobody uses it any more: it ends, or goes to sleep."""
    if instance.leave is Leave.SLEEP:
        sleeping = replace(instance, state=State.SLEEPING)
        told = Tell("instance.sleeping", f"{instance.model} goes to sleep", sleeping)
        return box.with_(sleeping), (told, PutToSleep(instance.id, instance.terms.back_end))
    drained = replace(instance, leave=None)
    return stop(box, drained, f"Stopping {instance.model}", instance.error, instance.hint)


def _launch(box: Box, now: float) -> Step | None:  # noqa: ARG001 - a move
    for each in box.instances:
        if each.state is State.STARTING and not each.launched and each.phase is Phase.QUEUE:
            launched = replace(each, launched=True, phase=Phase.LAUNCH)
            told = Tell("instance.phase", f"{each.model}: {Phase.LAUNCH.label}", launched)
            return box.with_(launched), (told, Launch(each.id, each.model))
    return None


def _switch(box: Box, now: float) -> Step | None:
    """Begin what is next, or have those leave who are in its way."""
    for candidate in _in_order(box, now):
        terms = _terms_for(box, candidate.model, candidate.terms)
        fits, granted = grant(box, candidate.model, terms)
        if fits:
            return begin(box, candidate.model, candidate.terms, granted, kept=False)
        overdue = candidate.overdue(box.policy, now)
        person = candidate.by_person
        may = evictable(box, candidate.model, now, overdue=overdue, person=person)
        ways = victims(box, candidate.model, terms, may)
        if ways is not None:
            return make_room(box, candidate, ways, now)
        if too_big := _too_big_to_wake(box, candidate, terms):
            return too_big
        if overdue:
            return None  # nobody overtakes one that has waited long
    return None


def _in_order(box: Box, now: float) -> list[Candidate]:
    """Who may be next; during a switch only the model that it is made for."""
    if box.switch is None:
        return candidates(box, now)
    return [each for each in candidates(box, now) if each.model == box.switch.to]


def _terms_for(box: Box, model: str, terms: Terms) -> Terms:
    """One that sleeps needs what it had: its engine takes it as it wakes."""
    instance = box.of(model)
    if instance is None or instance.state is not State.ASLEEP:
        return terms
    return replace(instance.terms, least_bytes=instance.held_bytes, most_bytes=instance.held_bytes)


def _too_big_to_wake(box: Box, candidate: Candidate, terms: Terms) -> Step | None:
    """One that sleeps and finds no room for what it had is ended: started anew it may take less."""
    asleep = box.of(candidate.model)
    if asleep is None or not asleep.holds_the_machine or preparing(box):
        return None  # what is prepared now may leave as soon as it is ready
    if victims(box, candidate.model, terms, removable(box, candidate.model)) is not None:
        return None
    ending = replace(asleep, leave=Leave.STOP)
    said = f"{candidate.model} sleeps, and what it held does not fit any more: it starts anew"
    return box.with_(ending), (Tell("instance.outgrown", said, ending),)


def begin(box: Box, model: str, terms: Terms, granted: int | None, *, kept: bool) -> Step:
    """Wake the model where it sleeps, else prepare its start."""
    instance = box.of(model)
    if instance and instance.state is State.ASLEEP:
        # How it sleeps is its engine's affair, whatever the settings say by now.
        own = instance.terms
        terms = replace(terms, back_end=own.back_end, asleep_bytes=own.asleep_bytes)
        waking = replace(instance, state=State.WAKING, phase=Phase.WARMUP, terms=terms, leave=None)
        told = Tell("instance.waking", f"Waking {model}", waking)
        return box.with_(waking), (Wake(instance.id, instance.terms.back_end), told)
    if instance and instance.unwoken:  # it may fail to wake again: this run ends to make room
        terms = replace(terms, back_end=BackEnd.COLD)
    # One that a person started is still wanted, though a request was quicker than its comeback.
    before = [each for each in box.comebacks if each.model == model]
    wanted = kept or any(each.kept for each in before)
    new = Instance(
        id=f"{word_of(model)}-{box.seed}{box.begun:x}",
        model=model,
        state=State.STARTING,
        phase=Phase.PREPARE,
        terms=terms,
        launched=False,
        held_bytes=granted,
        kept=wanted,
        returning=bool(before),
    )
    box = replace(box.with_(new).without_comeback(model), begun=box.begun + 1)
    told = Tell("instance.starting", f"Starting {model}", new)
    return box, (Prepare(new.id, model, on_demand=True), told)


def _come_back(box: Box, now: float) -> Step | None:
    """Start what ran before, once nobody waits for another model."""
    if box.switch or candidates(box, now):
        return None
    for each in box.comebacks:
        breaker, instance = box.breaker(each.model), box.of(each.model)
        if instance and instance.holds_the_machine and instance.state is not State.ASLEEP:
            return box.without_comeback(each.model), ()
        if breaker and breaker.holds_back(now):
            continue
        if instance and instance.lost:
            return _not_back(box, each.model, "processes of it may still be there")
        fits, granted = grant(box, each.model, _terms_for(box, each.model, each.terms))
        if not fits:
            return _not_back(box, each.model, "there is no room for it now")
        box, effects = begin(box, each.model, each.terms, granted, kept=each.kept)
        return box.without_comeback(each.model), effects
    return None


def _not_back(box: Box, model: str, why: str) -> Step:
    told = Tell("instance.not_back", f"{model} does not come back: {why}", model=model)
    return box.without_comeback(model), (told,)


def _retire(box: Box, now: float) -> Step | None:
    """One that nobody has used for as long as it may be idle."""
    for each in box.instances:
        end = idle_end(each)
        if end is not None and end <= now and each.leave is None:
            idle = draining(each, leave_of(each))
            said = f"{each.model} was idle for {each.terms.idle_s:.0f} s"
            return box.with_(idle), (Tell("instance.idle", said, idle),)
    return None
