"""The samples of one engine over the last minute. Moments are seconds of a monotonic clock."""

from collections import deque
from dataclasses import dataclass, field

from sparkwell.engines.samples import EngineSample
from sparkwell.monitor.readings import Reading, derive, grown, restarted
from sparkwell.monitor.speed import Planned

WINDOW_S = 60.0
"""What percentiles are of: a quiet second does not blank them."""

At = tuple[float, EngineSample]


@dataclass(slots=True)
class Track:
    """Remembers what was sampled, as long as something can be made of it.

    ``gap_s`` is the longest time between two samples that a rate may span: after a longer one (the
    host was suspended, the engine did not answer) all begins anew.
    """

    gap_s: float
    samples: deque[At] = field(default_factory=deque)
    kept: At | None = None
    before: At | None = None

    def add(self, at: float, sample: EngineSample) -> None:
        """Take the newest sample."""
        self.before = self.samples[-1] if self.samples else None
        if self.before and self._is_anew(self.before, at, sample):
            self.samples.clear()
            self.before = self.kept = None
        self.samples.append((at, sample))
        while at - self.samples[0][0] > WINDOW_S:
            self.samples.popleft()

    def keep(self) -> None:
        """Begin a new interval of what is stored: its newest sample is the first of it."""
        self.kept = self.samples[-1] if self.samples else None

    def generated(self, *, stored: bool = False) -> bool | None:
        """Whether tokens came in the interval; None where that is not known."""
        start = self._start(stored)
        if start is None:
            return None
        tokens = grown(start[1], self.samples[-1][1], "generation_tokens")
        return None if tokens is None else tokens > 0

    def reading(
        self, *, stored: bool = False, power_w: float | None = None, planned: Planned | None = None
    ) -> Reading:
        """What the newest sample says: since the one before, or since what was ``stored`` last."""
        at, newest = self.samples[-1]
        start = self._start(stored)
        if start is None:
            return derive(None, newest, 0.0)
        return derive(
            start[1],
            newest,
            at - start[0],
            earliest=min(start, self.samples[0], key=lambda each: each[0])[1],
            power_w=power_w,
            planned=planned,
        )

    def _start(self, stored: bool) -> At | None:
        return self.kept if stored and self.kept else self.before

    def _is_anew(self, before: At, at: float, sample: EngineSample) -> bool:
        return not 0 < at - before[0] <= self.gap_s or restarted(before[1], sample)
