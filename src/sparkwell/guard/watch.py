"""The guard's loop: take a sample, judge, act, wait. It touches /proc and signals only."""

import signal
import time
from collections.abc import Collection

from . import proc
from .ending import Ender
from .errands import Errands
from .judge import KILL, Decision, Judge
from .rules import History, next_s
from .sampling import Reader

END = (signal.SIGTERM, signal.SIGINT)
TRACE_ROWS = 150  # of at most 600 samples
SHORTEST_S = 0.01


class Watch:
    """What the loop carries from sample to sample."""

    def __init__(self, reader: Reader, errands: Errands) -> None:
        self._reader = reader
        self._errands = errands
        self._history = History()
        self._judge = Judge()
        self._ender = Ender()

    def run(self) -> None:
        """Guard until nobody needs it, or SIGTERM comes, which must be blocked."""
        due = time.monotonic()
        while not self._errands.idle:
            self.tick()
            due += next_s(self._history, self._errands.limits)
            left_s = max(due - time.monotonic(), SHORTEST_S)
            if left_s == SHORTEST_S:  # late: samples that were missed are not made up for
                due = time.monotonic() + SHORTEST_S
            if signal.sigtimedwait(END, left_s):
                break
        self._errands.flush()

    def tick(self) -> None:
        """Take one sample and do what it asks for."""
        sample = self._reader.read(self._errands.limits.soft_floor_bytes)
        self._errands.samples += 1
        if sample is None:
            return
        self._history.add(sample)
        targets = self._errands.targets
        if not targets:
            return
        self._follow_victim(sample.at)
        for _ in range(len(targets) + 1):  # one that cannot be ended: the next one, at once
            decision = self._judge.decide(self._history, self._errands.limits, targets)
            if decision is None or self._act(decision):
                return

    def _follow_victim(self, now: float) -> None:
        """See whether it has gone; kill again what it forked before it died."""
        instances = {each.instance for each in self._errands.targets}
        self._judge.keep(instances)
        victim = self._judge.victim
        if victim is None:
            self._ender.keep(instances)
        elif not self._ender.is_alive(victim):
            self._judge.ended(now)
        elif self._judge.killed_at is not None:
            self._ender.kill(victim)

    def _act(self, decision: Decision) -> bool:
        """Carry it out and hand over the trip; False when nothing of the target could be hit."""
        target = decision.target
        if target is None:
            self._errands.trip(self._trip(decision, (), {}))
            return True
        act = self._ender.kill if decision.action == KILL else self._ender.term
        outcome = act(target)
        if outcome.signalled or outcome.refused:
            self._errands.trip(self._trip(decision, outcome.signalled, outcome.refused))
        if not outcome.signalled:
            self._judge.cannot(target)
        return bool(outcome.signalled)

    def _trip(
        self, decision: Decision, signalled: Collection[int], refused: dict[int, str]
    ) -> dict[str, object]:
        target = decision.target
        return {
            "at": time.time(),
            "kind": decision.kind,
            "action": decision.action,
            "instance": target.instance if target else None,
            "model": target.model if target else None,
            "reason": decision.reason,
            "available_bytes": self._history.last.available,
            "signalled": list(signalled),
            "refused": {str(pid): why for pid, why in refused.items()},
            "trace": self._trace(),
        }

    def _trace(self) -> dict[str, object]:
        """Give the history, times relative to now; every sample of the newest, fewer before."""
        samples = self._history.samples
        step = -(-len(samples) // TRACE_ROWS)
        last = self._history.last.at
        rows = [each.row() for each in samples[-1::-step]][::-1]
        return {
            "columns": list(proc.COLUMNS),
            "rows": [[round(float(row[0] or 0.0) - last, 3), *row[1:]] for row in rows],
        }
