"""The course of a switch, step by step, as its events tell it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sparkwell.cli.top.words import STEPS

Json = dict[str, Any]
OUTCOMES = {
    "switch.done": "done",
    "switch.failed": "failed",
    "switch.rolled_back": "rolled back",
    "switch.called_off": "called off",
}


@dataclass(frozen=True, slots=True)
class Course:
    """One switch: from which models to which, and when each step began (Unix seconds).

    ``ended`` and ``outcome`` are None while it is under way; ``message`` is what its last event
    said.
    """

    gone: tuple[str, ...]
    to: str | None
    began: Mapping[str, float] = field(default_factory=dict)
    ended: float | None = None
    outcome: str | None = None
    message: str = ""

    @property
    def began_at(self) -> float | None:
        """When the switch began, as far as is known."""
        return min(self.began.values(), default=None)

    def spent(self, step: str, now: float) -> float | None:
        """Seconds in a step so far; None when it has not begun, or nobody saw it begin."""
        if step not in self.began:
            return None
        later = [self.began[each] for each in STEPS[STEPS.index(step) + 1 :] if each in self.began]
        until = min([*later, self.ended or now])
        return max(0.0, until - self.began[step])


def last_course(events: Iterable[Json]) -> Course | None:
    """The newest switch that the events, oldest first, tell of; None when there was none."""
    course = None
    for event in events:
        if event.get("kind") == "switch.begin":
            course = _begun(event)
        elif course:
            course = _after(course, event)
    return course


def seen(switch: Json, steps: Iterable[tuple[str, float]]) -> Course:
    """The switch that the status tells of, with the steps as they were first seen."""
    return Course(tuple(switch.get("from") or ()), switch.get("to"), _in_order(dict(steps)))


def merged(told: Course | None, seen_: Course) -> Course:
    """The switch under way: as its events tell it, filled up with what was seen."""
    if told is None or told.outcome or told.to not in (None, seen_.to):
        return seen_
    first = told.began_at or 0.0
    late = {step: at for step, at in seen_.began.items() if at >= first}
    return Course(seen_.gone, seen_.to, _in_order({**late, **told.began}))


def _in_order(began: Mapping[str, float]) -> dict[str, float]:
    """The steps in their order; one that was only seen later than the next began says nothing."""
    known = [(step, began[step]) for step in STEPS if step in began]
    wrong = {step for (step, at), (_, later) in pairwise(known) if at > later}
    return {step: at for step, at in known if step not in wrong}


def _begun(event: Json) -> Course:
    data = event.get("data") or {}
    gone = data.get("from") or ()
    models = (gone,) if isinstance(gone, str) else tuple(gone)
    return Course(models, data.get("to") or event.get("model"), {"draining": event["at"]})


def _after(course: Course, event: Json) -> Course:
    kind, at = event.get("kind"), event["at"]
    if kind in OUTCOMES and (course.outcome is None or kind == "switch.rolled_back"):
        ended, outcome, message = course.ended or at, OUTCOMES[kind], event.get("message", "")
        words = course.message or message
        return Course(course.gone, course.to, course.began, ended, outcome, words)
    began = None if course.outcome else _beginning(course, event)
    if began is None:
        return course
    return Course(course.gone, course.to, {**course.began, began: at})


def _beginning(course: Course, event: Json) -> str | None:
    """The step that an event begins. The last model to stop, the last proof, are what counts.

    That the new model starts tells nothing before the others are gone: it may be fetching weights.
    """
    ours = event.get("model") in course.gone or not course.gone
    match event.get("kind"):
        case "switch.drained":
            return "stopping"
        case "instance.stopping" | "instance.sleeping" if ours:
            return None if "stopping" in course.began else "stopping"
        case "instance.stopped" | "instance.asleep" if ours:
            return None if "starting" in course.began else "verifying"
        case "memory.verified":
            return "starting"
        case "instance.starting" | "instance.waking" if event.get("model") == course.to:
            gone = "verifying" in course.began and "starting" not in course.began
            return "starting" if gone else None
        case _:
            return None
