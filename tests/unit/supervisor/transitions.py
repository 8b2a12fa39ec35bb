"""The states and events of the table in transitions.txt, and how a change is put in words.

The model ``m`` is in each state once; ``n`` is another that does not fit beside it.
"""

from collections.abc import Sequence
from dataclasses import fields, replace

from sparkwell.core.launch import ExitRecord
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Box, Instance, Leave, Leaving, Request, State, Switch
from sparkwell.supervisor.messages import Effect, Event
from sparkwell.supervisor.terms import BackEnd, Budget, Terms

NOW = 1000.0
CRASH = ExitRecord(code=1, signal=None, requested=False, ended_at=5.0, last_lines=("boom",))
STOP = ExitRecord(code=None, signal=15, requested=True, ended_at=5.0)
M = Terms(60, 60, 10.0)
N = Terms(60, 60, 20.0)
NAPS = replace(M, back_end=BackEnd.SLEEP_1, asleep_bytes=30)
SMALL = Terms(10, 10, 5.0)
FROM_N = Switch("m", (Leaving("n", N, kept=True),), NOW - 30)
TO_N = Switch("n", (Leaving("m", M, kept=True),), NOW - 5)

PREPARING = Instance(
    "i1", "m", State.STARTING, Phase.PREPARE, terms=M, launched=False, held_bytes=60
)
QUEUED = replace(PREPARING, phase=Phase.QUEUE)
STARTING = replace(PREPARING, phase=Phase.WEIGHTS, fraction=0.5, launched=True)
READY = replace(
    STARTING, state=State.READY, phase=Phase.READY, fraction=None, ready_at=900.0, idle_since=990.0
)
SERVING = replace(READY, serving=1, idle_since=None)
DRAINING = replace(SERVING, state=State.DRAINING, leave=Leave.STOP)
DRAINING_TO_SLEEP = replace(DRAINING, terms=NAPS, leave=Leave.SLEEP)
CUT = replace(DRAINING, cut=True)
STOPPING = replace(READY, state=State.STOPPING)
OTHER_STOPPING = replace(STOPPING, id="i0", model="k", terms=SMALL, held_bytes=10)
TAKEN_BACK = replace(PREPARING, state=State.STOPPING)
GIVEN_UP = replace(STARTING, state=State.STOPPING, error="no token")
SLEEPING = replace(READY, state=State.SLEEPING, terms=NAPS, leave=Leave.SLEEP)
ASLEEP = replace(READY, state=State.ASLEEP, terms=NAPS)
WAKING = replace(ASLEEP, state=State.WAKING, phase=Phase.WARMUP)
NOT_WOKEN = replace(WAKING, state=State.STOPPING, error="no token", unwoken=True)
FAILED = replace(STARTING, state=State.FAILED, error="no token")
LOST = replace(FAILED, lost=True)


def request(number: int, model: str, at: float = NOW, until: float = NOW + 1800) -> Request:
    return Request(number, model, at, until, N if model == "n" else M)


def box(*instances: Instance, **changes: object) -> Box:
    empty = Box(instances, budget=Budget(100), seed="s")
    return replace(empty, **changes)  # type: ignore[arg-type]


WAITS_FOR_M = (request(8, "m", NOW - 20),)
WAITS_FOR_N = (request(9, "n", NOW - 70),)

BOXES: dict[str, Box] = {
    "nothing": box(),
    "preparing": box(PREPARING, waiting=WAITS_FOR_M),
    "queued": box(QUEUED, waiting=WAITS_FOR_M, settling=("i0",)),
    "starting": box(STARTING, waiting=WAITS_FOR_M, switch=FROM_N),
    "ready": box(READY),
    "serving": box(SERVING),
    "draining": box(DRAINING, waiting=WAITS_FOR_N, switch=TO_N),
    "draining to sleep": box(DRAINING_TO_SLEEP, waiting=WAITS_FOR_N, switch=TO_N),
    "draining, cut": box(CUT, OTHER_STOPPING),
    "stopping": box(STOPPING),
    "taken back": box(TAKEN_BACK),
    "given up": box(GIVEN_UP, waiting=WAITS_FOR_M, switch=FROM_N),
    "going to sleep": box(SLEEPING, waiting=WAITS_FOR_N, switch=TO_N),
    "asleep": box(ASLEEP),
    "waking": box(WAKING, waiting=WAITS_FOR_M),
    "not woken": box(NOT_WOKEN, waiting=WAITS_FOR_M, switch=FROM_N),
    "failed": box(FAILED),
    "lost": box(LOST),
}

EVENTS: dict[str, Event] = {
    "Up m": says.Up("m", "i2", M, 60),
    "Up l": says.Up("l", "i2", SMALL, 10),
    "Asked m": says.Asked(request(1, "m")),
    "Asked n": says.Asked(request(1, "n")),
    "Left m": says.Left(8),
    "Left n": says.Left(9),
    "Released": says.Released("i1"),
    "Closed": says.Closed(),
    "Tick": says.Tick(),
    "Wanted m": says.Wanted((Leaving("m", M, kept=True),)),
    "Prepared": says.Prepared("i1", 50),
    "Adopted l": says.Adopted("l", "i2", SMALL, 10),
    "Progressed": says.Progressed("i1", PhaseMark(Phase.COMPILE, 0.1)),
    "Progressed back": says.Progressed("i1", PhaseMark(Phase.INIT, 0.9)),
    "Answered": says.Answered("i1"),
    "NotLaunched": says.NotLaunched("i1", "no uv"),
    "Lost": says.Lost("i1", "no docker"),
    "Failed": says.Failed("i1", "no token"),
    "Down": says.Down(),
    "Down m": says.Down("m"),
    "Down n": says.Down("n"),
    "Withdrawn": says.Withdrawn("i1"),
    "Ended": says.Ended("i1", CRASH),
    "Ended late": says.Ended("i7", CRASH),
    "Lingers": says.Lingers("i1", 60.0, 4711),
    "Slept": says.Slept("i1"),
    "Hung": says.Hung("i1", "no token for 60 s"),
    "Tripped": says.Tripped("i1", "5 GiB left"),
    "Settled": says.Settled("i0"),
}


def change_in_words(before: Box, after: Box, effects: Sequence[Effect]) -> str:
    """All that a step changed, then all that has to be done: nothing is left out."""
    parts = [_of_instance(before, after, model) for model in ("m", "n", "l")]
    parts += _of_box(before, after)
    changes = ", ".join(part for part in parts if part)
    return " | ".join(part for part in (changes, "; ".join(map(effect_in_words, effects))) if part)


def effect_in_words(effect: Effect) -> str:
    """One effect in a few words."""
    match effect:
        case says.Tell(kind=kind):
            return kind
        case says.Grant(request=number, instance=instance):
            return f"Grant {number} {instance}"
        case says.Refuse(request=number, kind=kind):
            return f"Refuse {number} {kind.__name__}"
        case _:
            return f"{type(effect).__name__} {effect.instance}"


def _of_instance(before: Box, after: Box, model: str) -> str:
    old, new = before.of(model), after.of(model)
    if new is None:
        return f"{model} gone" if old else ""
    if old is None or new.id != old.id:
        return f"{model} {new.state}{_held(new)}"
    names = [each.name for each in fields(new)]
    changed = [name for name in names if getattr(old, name) != getattr(new, name)]
    return " ".join(f"{name}={_value(getattr(new, name))}" for name in changed)


def _held(new: Instance) -> str:
    return "" if new.held_bytes is None else f" {new.held_bytes} B"


def _value(value: object) -> str:
    if isinstance(value, ExitRecord | Terms):
        return "new"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_box(before: Box, after: Box) -> list[str]:
    parts = []
    if before.waiting != after.waiting:
        parts.append(f"waiting={[each.id for each in after.waiting]}")
    if before.breakers != after.breakers:
        parts.append(f"breakers={[each.failures for each in after.breakers]}")
    if before.comebacks != after.comebacks:
        parts.append(f"comebacks={[each.model for each in after.comebacks]}")
    if before.switch != after.switch:
        parts.append(f"switch={after.switch.to if after.switch else None}")
    if before.settling != after.settling:
        parts.append(f"settling={list(after.settling)}")
    if before.closing != after.closing:
        parts.append(f"closing={after.closing}")
    return parts
