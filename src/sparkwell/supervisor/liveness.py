"""Hung or busy? Decided from what was seen from outside, look by look.

A green /health says nothing about generating, and a canary that waits behind other requests says
nothing either while those get on. An engine hangs when its counters stand still and nobody gets
a token: neither those that it serves, nor the canary, twice.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

Mark = tuple[float, ...]


class Canary(StrEnum):
    """What became of the request for one token."""

    ANSWERED = "answered"
    MISSED = "missed"  # nothing came before its deadline, or the connection broke
    REFUSED = "refused"  # the server answers, the engine was not asked: it proves nothing


@dataclass(frozen=True, slots=True)
class Rules:
    """When to ask and when to judge; seconds.

    ``every_s`` parts two looks. A canary is sent when the counters have stood still for
    ``still_s`` while somebody is served, and when nothing has been seen of the engine for
    ``idle_s``. It has ``deadline_s``. ``misses`` of them, one after the other, are a hung engine.
    """

    every_s: float = 15.0
    still_s: float = 30.0
    idle_s: float = 300.0
    deadline_s: float = 30.0
    misses: int = 2


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an engine, at a moment of a clock that never goes back.

    ``mark`` differs from the last one when something was generated between the two; None where
    no counters could be read. ``serving`` counts the requests that it has. ``canary`` is what
    became of one that was sent since the last look.
    """

    at_s: float
    healthy: bool
    mark: Mark | None
    serving: int
    canary: Canary | None = None


@dataclass(frozen=True, slots=True)
class Liveness:
    """What the looks so far come to.

    ``alive_s`` is when the engine last gave a sign of generating, ``misses`` how many canaries
    in a row came to nothing since. ``asks`` says that a canary should be sent now.
    """

    mark: Mark | None
    alive_s: float
    misses: int = 0
    asks: bool = False
    hung: str | None = None


def begin(at_s: float) -> Liveness:
    """An engine that has just answered: it is ready."""
    return Liveness(mark=None, alive_s=at_s)


def judge(before: Liveness, look: Look, rules: Rules) -> Liveness:
    """What is known after another look. ``hung`` is the reason, in words, once it is sure."""
    mark = before.mark if look.mark is None else look.mark
    if _has_moved(before, look) or look.canary is Canary.ANSWERED:
        return Liveness(mark=mark, alive_s=look.at_s)
    if _is_excused(look):
        return replace(before, misses=0, asks=False)
    missed = before.misses + (look.canary is Canary.MISSED)
    now = replace(before, mark=mark, misses=missed)
    if missed >= rules.misses:
        return replace(now, asks=False, hung=_reason(now, look))
    return replace(now, asks=_should_ask(now, look, rules))


def _has_moved(before: Liveness, look: Look) -> bool:
    return None not in (before.mark, look.mark) and before.mark != look.mark


def _is_excused(look: Look) -> bool:
    """Without counters nobody can tell whether it gets on with those before the canary."""
    return look.mark is None and look.serving > 0 and look.healthy


def _should_ask(state: Liveness, look: Look, rules: Rules) -> bool:
    quiet_s = look.at_s - state.alive_s
    suspicious = look.serving > 0 and quiet_s >= rules.still_s
    return suspicious or state.misses > 0 or not look.healthy or quiet_s >= rules.idle_s


def _reason(state: Liveness, look: Look) -> str:
    health = "says that it is healthy" if look.healthy else "does not answer /health"
    seen = "its counters stand still" if look.mark is not None else "it shows no counters"
    return (
        f"the engine {health} and generates nothing: {seen}, the last sign of a token is "
        f"{look.at_s - state.alive_s:.0f} s old, and {state.misses} requests for one token in a "
        "row came to nothing"
    )
