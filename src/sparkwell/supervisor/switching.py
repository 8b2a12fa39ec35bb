"""The switch under way: who makes room for whom, and who comes back where it does not happen."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sparkwell.supervisor.box import Box, Instance, Leave, Leaving, State, Switch
from sparkwell.supervisor.effects import Step, Tell
from sparkwell.supervisor.eviction import long_drain_at
from sparkwell.supervisor.queue import Candidate
from sparkwell.supervisor.room import Victim

# ── it begins, and grows ────────────────────────────────────────────────────────────────────


def make_room(box: Box, candidate: Candidate, ways: Sequence[Victim], now: float) -> Step | None:
    """Those that are in the way take no new requests; None where they know it already."""
    new = [each for each in ways if each.instance.leave is None]
    if not new:
        return None
    for each in new:
        box = box.with_(draining(each.instance, each.leave))
    # One that sleeps is not used: it does not come back if the switch fails.
    awake = [each.instance for each in new if each.instance.state is not State.ASLEEP]
    leaving = tuple(as_it_was(each) for each in awake)
    if box.switch:
        told = _more(box.switch, candidate, new)
        return replace(box, switch=_grown(box.switch, leaving)), told
    return replace(box, switch=Switch(candidate.model, leaving, now)), (_begins(candidate, new),)


def draining(instance: Instance, leave: Leave) -> Instance:
    """An instance that takes no new requests, and leaves when nobody uses it any more."""
    awake = instance.state is not State.ASLEEP
    return replace(instance, leave=leave, state=State.DRAINING if awake else State.ASLEEP)


def as_it_was(instance: Instance) -> Leaving:
    """What an instance comes back with: no more than it held, so that those beside it fit too."""
    terms, held = instance.terms, instance.held_bytes
    if held is not None:
        least = held if terms.least_bytes is None else min(terms.least_bytes, held)
        terms = replace(terms, least_bytes=least, most_bytes=held)
    return Leaving(instance.model, terms, instance.kept)


def _grown(switch: Switch, more: tuple[Leaving, ...]) -> Switch:
    """One that a person kept from leaving, and that has to leave again, is in it once."""
    models = {each.model for each in more}
    before = tuple(each for each in switch.leaving if each.model not in models)
    return replace(switch, leaving=before + more)


def _begins(candidate: Candidate, ways: Sequence[Victim]) -> Tell:
    data = {
        **_facts(candidate, ways),
        "requests_waiting": candidate.count,
        "waited_s": round(candidate.waited_s / candidate.count, 3),
    }
    said = f"Switching from {_names(ways)} to {candidate.model}"
    return Tell("switch.begin", said, model=candidate.model, data=data)


def _more(switch: Switch, candidate: Candidate, ways: Sequence[Victim]) -> tuple[Tell, ...]:
    """A person has started one meanwhile. Those that were in the way before are told already."""
    known = {each.model for each in switch.leaving}
    new = [each for each in ways if each.instance.model not in known]
    if not new:
        return ()
    said = f"The switch to {candidate.model} needs more room: {_names(new)} has to leave, too"
    return (Tell("switch.more", said, model=candidate.model, data=_facts(candidate, new)),)


def _facts(candidate: Candidate, ways: Sequence[Victim]) -> dict[str, object]:
    return {
        "from": [each.instance.model for each in ways],
        "to": candidate.model,
        "how": [each.leave.value for each in ways],
        "requests_running": sum(each.instance.serving for each in ways),
    }


def _names(ways: Sequence[Victim]) -> str:
    return ", ".join(each.instance.model for each in ways)


# ── it waits ────────────────────────────────────────────────────────────────────────────────


def drains_long(box: Box, now: float) -> Step | None:
    """Told once where somebody is served for so long that others have to wait for it.

    They are not cut: nothing is evicted while it serves. Whoever thinks otherwise ends it.
    """
    switch, due = box.switch, long_drain_at(box)
    if switch is None or due is None or due > now:
        return None
    busy = {each.model: each.serving for each in box.instances if _drains(each)}
    if not busy:
        return None
    count, names = sum(busy.values()), ", ".join(busy)
    running = f"{count} request" if count == 1 else f"{count} requests"
    said = (
        f"{switch.to} has waited {now - switch.since:.0f} s for {running} of {names} to end. "
        f"Nothing is cut; `sparkwell down {next(iter(busy))}` would do that"
    )
    data = {"serving": busy, "to": switch.to, "seconds": round(now - switch.since, 3)}
    told = Tell("switch.draining_long", said, model=switch.to, data=data)
    return replace(box, switch=replace(switch, told_long=True)), (told,)


def _drains(instance: Instance) -> bool:
    return instance.state is State.DRAINING and instance.serving > 0 and not instance.cut


# ── it ends ─────────────────────────────────────────────────────────────────────────────────


def done(box: Box, ready: Instance, now: float) -> Step:
    """The model that others made room for is ready."""
    switch = box.switch
    if switch is None or switch.to != ready.model:
        return box, ()
    took = now - switch.since
    said = f"Switched to {ready.model} in {took:.1f} s"
    told = Tell("switch.done", said, ready, data={"seconds": round(took, 3)})
    return replace(box, switch=None), (told,)


def failed(box: Box, gone: Instance) -> Step:
    """The models that made room for one that failed come back: they ran."""
    switch = box.switch
    if switch is None or switch.to != gone.model:
        return box, ()
    back = _missing(box, switch.leaving)
    names = ", ".join(each.model for each in back)
    said = f"The switch to {gone.model} failed; {names or 'nothing'} comes back"
    told = Tell("switch.failed", said, gone, data={"comes_back": [e.model for e in back]})
    stayed = _undrained(replace(box, switch=None), switch.leaving)
    return replace(stayed, comebacks=(*stayed.comebacks, *back)), (told,)


def call_off(box: Box) -> Step | None:
    """A switch that nobody waits for any more, and that has not begun to start, does not happen."""
    switch = box.switch
    if switch is None or _is_under_way(box, switch.to) or box.waiting_for(switch.to):
        return None
    said = f"Nobody waits for {switch.to} any more; the switch is called off"
    return called_off(box), (Tell("switch.called_off", said, model=switch.to),)


def called_off(box: Box) -> Box:
    """The box without its switch: who was to leave stays, and who left comes back if it is kept."""
    if box.switch is None:
        return box
    leaving = box.switch.leaving
    back = tuple(each for each in _missing(box, leaving) if each.kept)
    box = _undrained(replace(box, switch=None), leaving)
    return replace(box, comebacks=(*box.comebacks, *back))


def without_stopped(box: Box, model: str | None) -> Box:
    """A person who stops one of the models, or all, has other wishes than the switch."""
    switch = box.switch
    if switch is None:
        return box
    if model is None:
        return replace(box, switch=None)
    if model == switch.to:
        return called_off(box)
    stays = tuple(each for each in switch.leaving if each.model != model)
    return replace(box, switch=replace(switch, leaving=stays))


def _missing(box: Box, leaving: Iterable[Leaving]) -> tuple[Leaving, ...]:
    """Those that have gone, or are just going, and are not waited to come back yet."""
    expected = {each.model for each in box.comebacks}
    return tuple(e for e in leaving if e.model not in expected and _is_gone(box.of(e.model)))


def _is_gone(instance: Instance | None) -> bool:
    gone = (State.STOPPING, State.SLEEPING, State.ASLEEP, State.FAILED)
    return instance is None or instance.state in gone


def _undrained(box: Box, leaving: Iterable[Leaving]) -> Box:
    """The box in which those that were to make room, and still are there, stay."""
    for each in leaving:
        instance = box.of(each.model)
        if instance and instance.leave and not instance.cut:
            state = State.READY if instance.state is State.DRAINING else instance.state
            box = box.with_(replace(instance, state=state, leave=None))
    return box


def _is_under_way(box: Box, model: str) -> bool:
    """Whether its start, or its waking, has begun; one that fails says so itself when it ends."""
    instance = box.of(model)
    states = (State.STARTING, State.WAKING, State.READY, State.STOPPING)
    return instance is not None and (instance.state in states or instance.cut)
