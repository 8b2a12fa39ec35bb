"""What ran before a tuning, kept until it has been brought back: also where the tuning was killed.

It lies in the tunings' folder and not in a tuning's file: that can be carried to another machine.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sparkwell.cli.earlier import Earlier
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.whole_files import clear_drafts, write_whole
from sparkwell.engines.vllm import read_flag

BEGINS_WITHIN_S = 120.0
"""Of being asked for: an engine that began later, somebody else has started."""


class Before(msgspec.Struct, frozen=True):
    """``started`` is when the tuning last began to start the model, in Unix time; None is never.

    ``trial`` are the flags of that start, as `up` was given them.
    """

    model: str
    daemon: bool
    given: dict[str, Any] | None = None
    started: float | None = None
    trial: list[str] = []


class BeforeFile:
    """The note of one model; whoever writes it has the lock of the tunings."""

    def __init__(self, folder: Path, model: str) -> None:
        self._model = model
        self._file = folder / f"ran-before-{model.replace('/', '-')}"

    def read(self) -> Before | None:
        """What a tuning of the model that was killed has left; None without."""
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=Before)
        except (OSError, msgspec.MsgspecError):
            return None
        return kept if kept.model == self._model else None

    def keep(self, before: Before) -> None:
        """Write it down; EnvironmentFault as where a disk is full."""
        try:
            write_whole(self._file, msgspec.json.encode(before))
        except OSError as error:
            raise EnvironmentFault(
                f"What runs now could not be written to {self._file}: {error.strerror}.",
                hint="Make room there, and run the same command again.",
            ) from error

    def starting(self, flags: Sequence[str]) -> None:
        """The model is about to be started for a trial, with such flags for `up`."""
        if (kept := self.read()) is not None:
            self.keep(msgspec.structs.replace(kept, started=time.time(), trial=list(flags)))

    def clear(self) -> None:
        """It has been brought back, or whoever asked has been told that it could not."""
        self._file.unlink(missing_ok=True)
        clear_drafts(self._file)


def right(model: str, kept: Before | None, now: Earlier) -> Before:
    """What is to be brought back: what a killed tuning had found, unless somebody came since.

    A daemon that somebody runs, as a service does, is never ended for it.
    """
    if kept is None or (now.given is not None and not _is_ours(kept, now)):
        return Before(model, now.daemon, _plain(now.given))
    return msgspec.structs.replace(kept, daemon=kept.daemon or now.served)


def _is_ours(kept: Before, now: Earlier) -> bool:
    """Whether what runs of the model was started by the tuning that was killed.

    A daemon that comes again, as after a reboot, starts the trial's engine anew: that is known by
    its flags, where there are any. A plain `up` may be anybody's.
    """
    if kept.started is None:
        return False
    if kept.trial and now.given is not None and _same(kept.trial, now.given["flags"]):
        return True
    return now.started_at is None or 0 <= now.started_at - kept.started <= BEGINS_WITHIN_S


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether they are the same flags: the daemon reads values, and writes them in its own way."""
    return dict(map(read_flag, one)) == dict(map(read_flag, other))


def _plain(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if given is None else dict(given)
