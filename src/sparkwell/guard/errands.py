"""All that may wait for a disk, in a thread of its own: targets in, trips and news out.

The loop that samples and signals must not wait when writes do, so it hands over here. It reads
``limits`` and ``targets``, which are replaced as a whole.
"""
# ruff: noqa: PTH116 - pathlib would cost the guard a megabyte

import _thread
import fcntl
import os
import sys
import time
from _queue import Empty, SimpleQueue

from . import ending, files, protect
from .judge import Target
from .rules import Limits

LOOK_S = 0.25
LIFE_S = 1.0
NEWS_S = 60.0
FLUSH_S = 2.0
STACK_BYTES = 512 * 1024  # locked, so not the usual 8 MiB

News = dict[str, object]


class Errands:
    """The thread and what it has found. ``idle`` is true when nobody needs the guard."""

    def __init__(self, folder: str, daemon_lock: str, linger_s: float, news: News) -> None:
        self.limits = Limits()
        self.targets: list[Target] = []
        self.idle = False
        self.samples = 0
        self._folder, self._daemon_lock, self._linger_s = folder, daemon_lock, linger_s
        self._news = news
        self._boot = files.boot_id()
        self._seen: tuple[int, int, int] | None = None
        self._needed_at = time.monotonic()
        self._told_at = self._looked_at = float("-inf")
        self._cannot: dict[str, str] = {}
        self._trips: SimpleQueue[News] = SimpleQueue()
        self._given = self._written = 0

    def begin(self) -> None:
        """Do one round at once, so that targets are known, and the others in the thread."""
        self.round()
        _thread.stack_size(STACK_BYTES)
        _thread.start_new_thread(self._run, ())

    def trip(self, trip: News) -> None:
        """Hand over a decision to be written down; never waits."""
        self._given += 1
        self._trips.put(trip)

    def flush(self) -> None:
        """Wait a little until all that was handed over is written."""
        until = time.monotonic() + FLUSH_S
        while self._written < self._given and time.monotonic() < until:
            time.sleep(0.01)

    def round(self) -> None:
        """Look once at everything."""
        now = time.monotonic()
        self._read_targets()
        if now - self._looked_at >= LIFE_S:
            self._looked_at = now
            self._look_who_needs_us(now)
        if now - self._told_at >= NEWS_S:
            self._told_at = now
            self._tell()

    def _run(self) -> None:
        try:
            while True:
                self._write_trips()
                self.round()
        except BaseException:  # without this thread the guard is blind: the keeper starts another
            sys.excepthook(*sys.exc_info())
            os._exit(1)

    def _write_trips(self) -> None:
        try:
            trip = self._trips.get(timeout=LOOK_S)
        except Empty:
            return
        try:
            files.append_line(self._folder, trip)
        except OSError as error:
            print(f"a trip was not written: {error}: {trip}", file=sys.stderr, flush=True)
        self._written += 1

    def _read_targets(self) -> None:
        path = files.join(self._folder, files.TARGETS)
        try:
            status = os.stat(path)
        except OSError:
            return
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self.limits, self.targets = files.read_targets(path, self._boot)
        except (OSError, ValueError) as error:
            print(f"targets are as before: {error}", file=sys.stderr, flush=True)
            return
        problems = ((each.instance, ending.problem(each)) for each in self.targets)
        self._cannot = {instance: why for instance, why in problems if why}
        self._told_at = self._looked_at = float("-inf")

    def _look_who_needs_us(self, now: float) -> None:
        if any(ending.is_there(each) for each in self.targets) or is_held(self._daemon_lock):
            self._needed_at = now
        self.idle = now - self._needed_at > self._linger_s

    def _tell(self) -> None:
        news = {
            **self._news, "sample_ms": round(self.limits.sample_s * 1000),
            "targets": [each.instance for each in self.targets], "cannot_end": self._cannot,
            "samples": self.samples, **protect.usage(),
        }  # fmt: skip
        try:
            files.write_json(files.join(self._folder, files.GUARD), news)
        except OSError as error:
            print(f"guard.json was not written: {error}", file=sys.stderr, flush=True)


def is_held(lock: str) -> bool:
    """Whether the daemon whose lock file that is lives."""
    try:
        file = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False
