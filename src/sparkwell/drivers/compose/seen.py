"""A container as Docker describes it: JSON in, values out. Pure."""

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparkwell.core.launch import ExitRecord

INSTANCE = "ai.sparkwell.instance"
MODEL = "ai.sparkwell.model"
HOME = "ai.sparkwell.home"
_LIVE = frozenset({"running", "paused", "restarting"})
_LAST_SIGNAL = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """A container. Times are Unix seconds, None before the event.

    ``status`` is Docker's word (created, running, paused, restarting, removing, exited, dead),
    ``pid`` its first process's on the host, ``stop_signal`` what its image wants to be ended by.
    """

    id: str
    name: str
    image: str
    labels: Mapping[str, str]
    status: str
    pid: int | None
    exit_code: int
    oom_killed: bool
    started_at: float | None
    finished_at: float | None
    stop_signal: str = "SIGTERM"

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or would go on by itself."""
        return self.status in _LIVE

    @property
    def instance(self) -> str | None:
        """The instance that it is; None for somebody else's."""
        return self.labels.get(INSTANCE)

    @property
    def project(self) -> str | None:
        """The Compose project that it belongs to."""
        return self.labels.get("com.docker.compose.project")


def read_seen(found: Mapping[str, Any]) -> Seen:
    """Read what `docker inspect` shows."""
    config, state = found["Config"], found["State"]
    return Seen(
        id=found["Id"],
        name=found["Name"].removeprefix("/"),
        image=config["Image"],
        labels=config.get("Labels") or {},
        status=state["Status"],
        pid=state["Pid"] or None,
        exit_code=state["ExitCode"],
        oom_killed=bool(state.get("OOMKilled")),
        started_at=_unix(state["StartedAt"]),
        finished_at=_unix(state["FinishedAt"]),
        stop_signal=config.get("StopSignal") or "SIGTERM",
    )


def exit_of(seen: Seen | None) -> tuple[int | None, int | None]:
    """The exit code and the signal that ended it; both None when nobody saw the end.

    Docker reports a signal as 128 and its number, as shells do. So a program that exits with
    137 by itself reads as killed by signal 9.
    """
    if seen is None or seen.started_at is None:
        return None, None
    signal = seen.exit_code - 128
    return (None, signal) if 0 < signal <= _LAST_SIGNAL else (seen.exit_code, None)


def record_of(
    seen: Seen | None, *, asked_at: float | None, last_lines: tuple[str, ...], now: float
) -> ExitRecord:
    """The exit record of a container that is not alive, None for one that is not there.

    ``asked_at`` is when it was asked to end; an end before that was its own.
    """
    code, signal = exit_of(seen)
    ended_at = (seen.finished_at if seen else None) or now
    requested = asked_at is not None and (seen is None or ended_at >= asked_at)
    return ExitRecord(code, signal, requested, ended_at, last_lines)


def _unix(text: str) -> float | None:
    """Read 2026-11-21T08:08:54.867137468Z; Docker writes the year 1 for never."""
    if text.startswith("0001-"):
        return None
    seconds = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    fraction = text[19:].removeprefix(".").rstrip("Z") or "0"
    return seconds + float(f"0.{fraction}")
