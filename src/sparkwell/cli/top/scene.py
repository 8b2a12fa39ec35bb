"""What `sparkwell top` knows at one moment: the last status, the events, whether a daemon is there.

Values only: what comes in makes a new scene.
"""

from dataclasses import dataclass, replace
from typing import Any

Json = dict[str, Any]
EVENTS = 400
"""How many of the newest events are kept."""
UNSHOWN = ("instance.progress",)
"""Kinds that come many times a second; the bar shows what they say."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The newest ``status``, when it came (Unix seconds), and events, oldest first.

    ``gone_since`` is when the daemon was first found missing, None while it answers. ``steps``
    are the steps of the switch under way and when each was first seen, for a daemon whose events
    do not tell.
    """

    status: Json
    at: float
    events: tuple[Json, ...] = ()
    gone_since: float | None = None
    steps: tuple[tuple[str, float], ...] = ()

    def with_status(self, status: Json, at: float) -> "Scene":
        """The scene after an answer of the daemon."""
        steps = _steps(self, status, at)
        return replace(self, status=status, at=at, gone_since=None, steps=steps)

    def with_event(self, event: Json) -> "Scene":
        """The scene with one more event; one that is there already, or of no interest, is none."""
        known = any(_identity(each) == _identity(event) for each in self.events)
        if known or event.get("kind") in UNSHOWN:
            return self
        return replace(self, events=(*self.events, event)[-EVENTS:])

    def without_daemon(self, at: float) -> "Scene":
        """The scene after a question that nobody answered."""
        return self if self.gone_since else replace(self, gone_since=at)


def _identity(event: Json) -> tuple[object, object]:
    """The number alone is not enough: a new daemon may count from 1 again."""
    return event.get("seq"), event.get("at")


def _steps(before: Scene, status: Json, at: float) -> tuple[tuple[str, float], ...]:
    switch = status.get("switch")
    if not switch:
        return ()
    known = before.steps if _goal(before.status.get("switch")) == _goal(switch) else ()
    step = str(switch.get("step"))
    if step in [name for name, _ in known]:
        return known
    return (*known, (step, _began(switch, at) if not known else at))


def _goal(switch: Json | None) -> object:
    return switch.get("to") if switch else None


def _began(switch: Json, at: float) -> float:
    """The first step may have begun before anybody looked."""
    return at - (switch.get("since_s") or 0.0) if switch.get("step") == "draining" else at
