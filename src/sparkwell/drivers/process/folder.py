"""One instance's folder: the records in it, and whether a shim keeps it.

The lock on shim.lock is the sign of life. The driver locks it before there is anything to
run, the shim inherits it, and the kernel lets go of it at the shim's last breath, however
that comes. A pid in a file proves nothing by itself: pids come again.
"""

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparkwell.core.errors import UsageError
from sparkwell.core.launch import ExitRecord, LaunchSpec, Running
from sparkwell.drivers.process import records
from sparkwell.drivers.process.shim import files, proc

_INSTANCE = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


def check_instance(instance: str) -> str:
    """Return a valid instance id; raises UsageError for one that could leave the root."""
    if not _INSTANCE.fullmatch(instance):
        raise UsageError(
            f"{instance!r} is no instance id.",
            hint="Use up to 128 of a-z, 0-9, dot, dash and underscore, not a mark first.",
        )
    return instance


class InstanceFolder:
    """Reads and locks one instance's folder. Holds paths only: every answer is fresh."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path / files.LOG

    @property
    def exists(self) -> bool:
        """Whether anything was ever meant to run here."""
        return (self.path / files.LAUNCH).exists()

    def launch(self) -> dict[str, Any] | None:
        """Read launch.json."""
        return files.read_json(str(self.path / files.LAUNCH))

    def spec(self) -> LaunchSpec | None:
        """Read what was to run; None when launch.json is missing or damaged."""
        launch = self.launch()
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return records.spec_from_json(launch["spec"]) if launch else None
        return None

    def sockets(self) -> Path:
        """Find the folder with the sockets, as the driver chose it at the start."""
        launch = self.launch() or {}
        return Path(str(launch.get("sockets", self.path)))

    def exit(self) -> ExitRecord | None:
        """Read how it ended; None while it has not."""
        found = files.read_json(str(self.path / files.EXIT))
        return records.exit_from_json(found) if found is not None else None

    def start_error(self) -> tuple[str, str] | None:
        """Read why the engine never began: (what, reason); None when it did."""
        found: Any = files.read_json(str(self.path / files.EXIT)) or {}
        error = found.get("start_error")
        return (str(error[0]), str(error[1])) if error else None

    def running(self) -> Running | None:
        """Read what the shim has written down about the engine it keeps."""
        spec, shim = self.spec(), self.shim()
        with contextlib.suppress(KeyError, TypeError, ValueError):
            return records.running_from_json(spec, shim) if spec and shim else None
        return None

    def shim(self) -> dict[str, Any] | None:
        """Read shim.json if it is of this boot; pids of an earlier one mean nothing."""
        return self._of_this_boot(files.SHIM)

    def listed(self) -> list[proc.Identity]:
        """Read the (pid, start ticks) of all that the shim knew to descend from it."""
        pairs = (self._of_this_boot(files.DESCENDANTS) or {}).get("descendants", [])
        shim = self.shim()
        if shim:
            pairs = [*pairs, (shim["pid"], shim["start_ticks"])]
        return [(int(pid), int(ticks)) for pid, ticks in pairs]

    @property
    def has_exit(self) -> bool:
        """Whether the end is on record: no process of the instance is left."""
        return (self.path / files.EXIT).exists()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be said here: on record, or nobody there to say it."""
        return self.has_exit or not self.is_kept()

    def is_kept_by_its_shim(self) -> bool:
        """Whether the shim that is written down here, that very process, still lives."""
        identity = self.shim_identity()
        return identity is not None and proc.is_alive(identity)

    def shim_identity(self) -> proc.Identity | None:
        """Read which process keeps this folder, as far as it has been written down."""
        shim = self.shim()
        return (int(shim["shim_pid"]), int(shim["shim_start_ticks"])) if shim else None

    def is_kept(self) -> bool:
        """Whether a shim lives here (or a driver is starting one, or tidying up)."""
        with self.lock(shared=True) as locked:
            return locked is None and self.exists

    @contextlib.contextmanager
    def lock(self, *, shared: bool = False) -> Iterator[int | None]:
        """Hold the lock if nobody else does: yields its file descriptor, or None."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            file = os.open(self.path / files.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the folder was pruned: nobody can live in it
            yield None
            return
        try:
            yield file if _try_lock(file, kind) else None
        finally:
            os.close(file)

    def remove(self) -> None:
        """Remove it all, under a name that no scan takes for an instance until it is gone."""
        sockets = self.sockets()
        gone = self.path.with_name(f".{self.path.name}.gone")
        self.path.rename(gone)
        if sockets != self.path:
            shutil.rmtree(sockets, ignore_errors=True)
        shutil.rmtree(gone, ignore_errors=True)

    def _of_this_boot(self, name: str) -> dict[str, Any] | None:
        found = files.read_json(str(self.path / name))
        return found if found and found.get("boot_id") == proc.boot_id() else None


def _try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
