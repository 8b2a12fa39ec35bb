"""One instance's folder: what was to be loaded, how it ended, and the log that the driver writes.

The lock on starting.lock is held while some daemon brings the model up. Whether it is in memory
afterwards is not written down: the server knows.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparkwell.core.launch import ExitRecord, LaunchSpec, Running
from sparkwell.drivers.process import records
from sparkwell.drivers.process.shim import files

SPEC, EXIT, STOP, LOG, LOCK = "spec.json", "exit.json", "stop", "engine.log", "starting.lock"
_TAIL_BYTES = 16 * 1024
_LAST_LINES = 20


class OllamaFolder:
    """Reads and writes one instance's folder. Holds paths only: every answer is fresh."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / LOG

    @property
    def exists(self) -> bool:
        """Whether anything was ever meant to run here."""
        return (self.path / SPEC).exists()

    def create(self, spec: LaunchSpec, started_at: float) -> None:
        """Write down what is to be loaded; raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.touch(mode=0o600)
        said = {"spec": records.spec_to_json(spec), "started_at": started_at}
        files.write_json(str(self.path / SPEC), said)

    def running(self) -> Running | None:
        """What was to be loaded, as a live instance; None when the record is damaged."""
        found: Any = files.read_json(str(self.path / SPEC)) or {}
        with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
            spec = records.spec_from_json(found["spec"])
            return Running(spec, None, None, float(found["started_at"]))
        return None

    def spec(self) -> LaunchSpec | None:
        """What was to be loaded; None when the record is damaged."""
        running = self.running()
        return running.spec if running else None

    def exit(self) -> ExitRecord | None:
        """How it ended; None while it has not."""
        found = files.read_json(str(self.path / EXIT))
        return records.exit_from_json(found) if found is not None else None

    def end(self, *, code: int | None, requested: bool) -> ExitRecord:
        """Write down how it ended, unless somebody has; returns what stands there then."""
        record = ExitRecord(code, None, requested, time.time(), self.tail())
        draft = self.path / f"{EXIT}.{os.getpid()}"
        files.write_json(str(draft), records.exit_to_json(record))
        with contextlib.suppress(FileExistsError):
            os.link(draft, self.path / EXIT)  # the first one counts, also of two daemons
        draft.unlink(missing_ok=True)
        return self.exit() or record

    def ask_to_stop(self) -> None:
        """Leave a mark for whoever looks after the instance: its end is wanted."""
        (self.path / STOP).touch()

    @property
    def is_to_stop(self) -> bool:
        """Whether somebody has asked for its end."""
        return (self.path / STOP).exists()

    def say(self, line: str) -> None:
        """Add a line to the log; that it cannot be written must not end a model."""
        with contextlib.suppress(OSError), self.log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def tail(self) -> tuple[str, ...]:
        """The last lines of the log."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
            return tuple(lines[-_LAST_LINES:])
        return ()

    @contextlib.contextmanager
    def starting(self) -> Iterator[bool]:
        """Hold the lock of whoever brings the model up; yields False when somebody else does."""
        try:
            file = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # pruned
            yield True
            return
        try:
            yield _try_lock(file)
        finally:
            os.close(file)

    @property
    def is_starting(self) -> bool:
        """Whether some daemon brings the model up just now."""
        with self.starting() as free:
            return not free

    def remove(self) -> None:
        """Remove it all, under a name that no scan takes for an instance until it is gone."""
        gone = self.path.with_name(f".{self.path.name}.gone")
        self.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
