"""How much is done, how fast, and how long it will take yet."""

import threading
from collections import deque

from sparkwell.drivers.download.messages import Progress, Stage

WINDOW_S = 20.0
# A rate over less than this would jump about.
SHORTEST_S = 1.0
# Below this there is no saying when it will end.
SLOWEST_BYTES_PER_S = 1000.0


class Meter:
    """Counts bytes from several threads; tells progress by a clock that it is given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[tuple[float, int]] = deque()
        self.stage = Stage.LISTING
        self.total_bytes: int | None = None
        self.done_bytes = 0

    def begin(self, stage: Stage, total_bytes: int | None = None, done_bytes: int = 0) -> None:
        """A new stage; what was counted before is forgotten."""
        with self._lock:
            self.stage, self.total_bytes, self.done_bytes = stage, total_bytes, done_bytes
            self._seen.clear()

    def add(self, count: int) -> None:
        """Count bytes; fewer than none where some have to be fetched again."""
        with self._lock:
            self.done_bytes += count

    def progress(self, now_s: float) -> Progress:
        """How far the stage is; ``now_s`` never goes back."""
        with self._lock:
            done, total = self.done_bytes, self.total_bytes
            rate = self._rate(now_s, done)
        if total is None:
            return Progress(self.stage)
        left_s = max(0, total - done) / rate if rate and rate > SLOWEST_BYTES_PER_S else None
        return Progress(self.stage, done, total, rate, left_s)

    def _rate(self, now_s: float, done: int) -> float | None:
        self._seen.append((now_s, done))
        while now_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        began_s, began = self._seen[0]
        if now_s - began_s < SHORTEST_S:
            return None
        return max(0.0, (done - began) / (now_s - began_s))
