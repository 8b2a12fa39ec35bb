"""One container instance's folder: what was to run, how it ended, and its log after the end.

Whoever starts the container or settles its end holds the lock on .lock meanwhile. The command
that starts it inherits the lock, so a start that outlives its daemon is seen as one.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.drivers.process import records
from sparkwell.drivers.process.shim import files
from sparkwell.drivers.process.shim.keeper import LAST_LINES
from sparkwell.drivers.process.shim.logfile import tail

SPEC = "spec.json"
COMPOSE = "compose.yaml"
STOP = "stop.json"  # when it was asked to end, and whether because its start failed
EXIT = files.EXIT
LOCK = ".lock"


class ContainerFolder:
    """Reads, writes and locks one folder. Holds paths only: every answer is fresh."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / files.LOG
        self.compose = path / COMPOSE

    @property
    def instance(self) -> str:
        """The instance id: the folder's name."""
        return self.path.name

    @property
    def exists(self) -> bool:
        """Whether anything was ever meant to run here."""
        return (self.path / SPEC).exists()

    @property
    def has_exit(self) -> bool:
        """Whether the end is on record, and the log beside it."""
        return (self.path / EXIT).exists()

    def spec(self) -> LaunchSpec | None:
        """Read what was to run; None when spec.json is missing or damaged."""
        found = self._read(SPEC)
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return records.spec_from_json(found) if found else None
        return None

    def exit(self) -> ExitRecord | None:
        """Read how it ended; None while it has not."""
        found = self._read(EXIT)
        return records.exit_from_json(found) if found is not None else None

    def log_bytes(self) -> int | None:
        """How long the log was before the oldest of it was dropped; None before the end."""
        return (self._read(EXIT) or {}).get("log_bytes")

    def last_lines(self) -> tuple[str, ...]:
        """The end of the log as it lies here."""
        return tuple(tail(str(self.path), LAST_LINES))

    @contextlib.contextmanager
    def claimed(self, spec: LaunchSpec, compose: str) -> Iterator[int]:
        """Make the folder for a start, locked: yields the lock's file descriptor.

        Raises ConflictError when the id was used before, EnvironmentFault when the disk refuses.
        """
        with self._writing():
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
        with self.lock() as lock:
            if lock is None or self.exists:
                raise ConflictError(f"Instance {self.instance} exists already.")
            with self._writing():
                self._write_compose(compose)
                self._write(SPEC, records.spec_to_json(spec))
            yield lock

    def note_stop(self, *, abandoned: bool = False) -> None:
        """Write down, once, that somebody wants the end, before it is brought about."""
        noted = self._read(STOP) or {}
        if not noted or (abandoned and not noted.get("abandoned")):
            asked_at = noted.get("asked_at", time.time())
            with self._writing():
                self._write(STOP, {"asked_at": asked_at, "abandoned": abandoned})

    @property
    def asked_at(self) -> float | None:
        """When somebody wanted it to end, in Unix seconds; None when nobody did."""
        return (self._read(STOP) or {}).get("asked_at")

    @property
    def is_abandoned(self) -> bool:
        """Whether its start failed, or nobody waited for it: what runs here is a mistake."""
        return bool((self._read(STOP) or {}).get("abandoned"))

    def write_exit(self, record: ExitRecord, log_bytes: int) -> None:
        """Write down how it ended; from then on the folder speaks for it."""
        with self._writing():
            self._write(EXIT, records.exit_to_json(record) | {"log_bytes": log_bytes})

    def clear_log(self) -> None:
        """Remove what an earlier attempt to save the log has left."""
        for part in self.path.glob(f"{files.LOG}*"):
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[int | None]:
        """Hold the lock if nobody else does: yields its file descriptor, or None."""
        try:
            file = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the folder was removed
            yield None
            return
        try:
            yield file if _try_lock(file) else None
        finally:
            os.close(file)

    def remove(self) -> None:
        """Remove it all, under a name that no scan takes for an instance until it is gone."""
        gone = self.path.with_name(f".{self.path.name}.gone")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _write_compose(self, text: str) -> None:
        self.compose.touch(mode=0o600)
        self.compose.write_text(text, encoding="utf-8")

    def _read(self, name: str) -> dict[str, Any] | None:
        return files.read_json(str(self.path / name))

    def _write(self, name: str, value: object) -> None:
        files.write_json(str(self.path / name), value)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentFault(
                f"{self.path} cannot be written: {error.strerror or error}.",
                hint="The state folder must be writable, on a disk with space left.",
            ) from error


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
