"""Whose turn it is to be ended, and when the next one's. Pure; times are monotonic.

    nobody ──soft──> asked (SIGTERM) ──hard, or grace over and still low──> killed
      └─────hard──────────────────────────────────────────────────────────────┘
    asked, killed ──gone──> nobody          killed ──settle_s, still low──> the next one's turn

The newest start goes first: what ran before it ran well. One at a time: the next one's turn
comes when the first is gone and memory is low still, or when the first cannot be ended.
"""

from collections.abc import Sequence

from .rules import History, Limits, Pressure, pressure

TERM = "term"
KILL = "kill"
NONE = "none"  # nobody is left who could be ended
SAY_AGAIN_S = 60.0


class Target:
    """An engine's instance that may be ended.

    ``pid`` and ``start_ticks`` name the engine's first process. ``keeper`` and ``keeper_ticks``
    name the shim that adopts all its descendants; it is spared, so that it can write down the
    end. ``cgroup`` is the folder of the container's control group. ``started_at`` is in
    seconds of any clock that is never set back.
    """

    __slots__ = (
        "cgroup", "instance", "keeper", "keeper_ticks", "model", "pid", "start_ticks",
        "started_at",
    )  # fmt: skip

    def __init__(
        self,
        instance: str,
        model: str,
        started_at: float,
        *,
        pid: int | None = None,
        start_ticks: int | None = None,
        keeper: int | None = None,
        keeper_ticks: int | None = None,
        cgroup: str | None = None,
    ) -> None:
        self.instance = instance
        self.model = model
        self.started_at = started_at
        self.pid = pid
        self.start_ticks = start_ticks
        self.keeper = keeper
        self.keeper_ticks = keeper_ticks
        self.cgroup = cgroup


class Decision:
    """What to do now: ``action`` to ``target`` (None when nobody is left), and why."""

    __slots__ = ("action", "kind", "reason", "target")

    def __init__(self, action: str, target: Target | None, found: Pressure) -> None:
        self.action = action
        self.target = target
        self.kind = "hard" if found.hard else "soft"
        self.reason = found.reason


class Judge:
    """Remembers who is being ended; everything else is in the history."""

    def __init__(self) -> None:
        self.victim: Target | None = None
        self.killed_at: float | None = None
        self._asked_at = 0.0
        self._since = float("-inf")
        self._spared: set[str] = set()  # cannot be ended
        self._said_at = float("-inf")

    def decide(
        self, history: History, limits: Limits, targets: Sequence[Target]
    ) -> Decision | None:
        """Tell what is due now, with at least one sample in the history."""
        found = pressure(history, limits, self._since)
        if found is None:
            return None
        now = history.last.at
        if self.victim is not None and not self._given_up(now, limits):
            return self._press(self.victim, found, now, limits)
        return self._next(found, now, targets)

    def ended(self, now: float) -> None:
        """Note that the victim is gone."""
        self.victim = self.killed_at = None
        self._since = now

    def cannot(self, target: Target) -> None:
        """Note that a target could not be signalled: it is the next one's turn, at once."""
        self._spared.add(target.instance)
        if self.victim is target:
            self.victim = self.killed_at = None

    def keep(self, instances: set[str]) -> None:
        """Forget what was noted about others than these."""
        self._spared &= instances

    def _given_up(self, now: float, limits: Limits) -> bool:
        if self.victim is None or self.killed_at is None:
            return False
        if now - self.killed_at < limits.settle_s:
            return False
        self.cannot(self.victim)
        return True

    def _press(
        self, victim: Target, found: Pressure, now: float, limits: Limits
    ) -> Decision | None:
        if self.killed_at is not None:
            return None
        if not found.hard and now - self._asked_at < limits.grace_s:
            return None
        self.killed_at = now
        return Decision(KILL, victim, found)

    def _next(self, found: Pressure, now: float, targets: Sequence[Target]) -> Decision | None:
        able = [each for each in targets if each.instance not in self._spared]
        if not able:
            return self._nobody(found, now)
        self.victim = max(able, key=lambda each: each.started_at)
        self._asked_at, self.killed_at = now, now if found.hard else None
        return Decision(KILL if found.hard else TERM, self.victim, found)

    def _nobody(self, found: Pressure, now: float) -> Decision | None:
        if now - self._said_at < SAY_AGAIN_S:
            return None
        self._said_at = now
        return Decision(NONE, None, found)
