"""Work in threads, told about several times a second by the one thread that may print."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from sparkwell.drivers.download.messages import Progress, Stage
from sparkwell.drivers.download.meter import Meter

Item = TypeVar("Item")
Result = TypeVar("Result")

TICK_S = 0.5
# More connections at once are no faster where one of them fills the line.
AT_ONCE = 4


class Watch:
    """Runs a piece of work for each of several files, and says how far it all is."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._meter = Meter()
        self.stop = threading.Event()

    def begin(self, stage: Stage, total_bytes: int | None = None, done_bytes: int = 0) -> None:
        """Begin a stage, and say so."""
        self._meter.begin(stage, total_bytes, done_bytes)
        self.tell()

    def add(self, count: int) -> None:
        """Count bytes, from any thread."""
        self._meter.add(count)

    def tell(self) -> None:
        """Say how far it is; raises OSError where nobody listens any more."""
        self._tell(self._meter.progress(time.monotonic()))

    def waits(self) -> None:
        """Say that somebody else has to end first."""
        if self._meter.stage is not Stage.WAITING:
            self._meter.begin(Stage.WAITING)
        self.tell()

    def run(self, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results, in order. The first error stops the others, and is raised."""
        pool = ThreadPoolExecutor(max_workers=AT_ONCE)
        tasks = [pool.submit(work, item) for item in items]
        try:
            self._until_done(tasks)
        except BaseException:
            self.stop.set()
            # Not waited for: a thread may listen to a dead line for many seconds.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        return [task.result() for task in tasks]

    def _until_done(self, tasks: list[Future[Result]]) -> None:
        waiting = set(tasks)
        while waiting:
            done, waiting = wait(waiting, timeout=TICK_S, return_when=FIRST_EXCEPTION)
            self.tell()
            for task in done:
                task.result()
