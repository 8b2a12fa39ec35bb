"""What ran before a tuning, kept until it has been brought back: also where the tuning was killed.

It lies in the tunings' folder and not in a tuning's file: that can be carried to another machine.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sparkwell.cli.earlier import Earlier
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.whole_files import write_whole

BEGINS_WITHIN_S = 120.0
"""Of being asked for: an engine that began later, somebody else has started."""


class Before(msgspec.Struct, frozen=True):
    """``started`` is when the tuning last began to start the model, in Unix time; None is never."""

    model: str
    daemon: bool
    given: dict[str, Any] | None = None
    started: float | None = None


class BeforeFile:
    """The one note of this host; whoever writes it has the lock of the tunings."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ran-before"

    def of(self, model: str) -> Before | None:
        """What a tuning of the model that was killed has left; None without, or of another."""
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Before)
        except (OSError, msgspec.MsgspecError):
            return None
        return kept if kept.model == model else None

    def keep(self, before: Before) -> None:
        """Write it down; EnvironmentFault as where a disk is full."""
        try:
            write_whole(self._file, msgspec.json.encode(before))
        except OSError as error:
            raise EnvironmentFault(
                f"What runs now could not be written to {self._file}: {error.strerror}.",
                hint="Make room there, and run the same command again.",
            ) from error

    def starting(self, model: str) -> None:
        """The model is about to be started for a trial."""
        if (kept := self.of(model)) is not None:
            self.keep(msgspec.structs.replace(kept, started=time.time()))

    def clear(self) -> None:
        """It has been brought back, or whoever asked has been told that it could not."""
        self._file.unlink(missing_ok=True)


def right(model: str, kept: Before | None, now: Earlier) -> Before:
    """What is to be brought back: what a killed tuning had found, unless somebody came since.

    A daemon that somebody runs, as a service does, is never ended for it.
    """
    if kept is None or (now.given is not None and not _is_ours(kept, now)):
        return Before(model, now.daemon, _plain(now.given))
    return msgspec.structs.replace(kept, daemon=kept.daemon or now.served)


def _is_ours(kept: Before, now: Earlier) -> bool:
    """Whether what runs of the model was started by the tuning that was killed."""
    if kept.started is None:
        return False
    return now.started_at is None or 0 <= now.started_at - kept.started <= BEGINS_WITHIN_S


def _plain(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if given is None else dict(given)
