"""Keeps the memory guard: starts it, starts it again when it died, feeds it, hears from it.

The guard is a program of its own (sparkwell.guard), and all talk goes through files in one
folder. So it acts without the daemon, and what it did meanwhile is told to the next one.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import sparkwell.guard
from sparkwell.app.guard.last_words import end_of, is_whole_traceback
from sparkwell.app.lock import is_held
from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.process.inherited import base_environment
from sparkwell.guard import ending, files
from sparkwell.guard.finding import Target
from sparkwell.guard.rules import Limits
from sparkwell.guard.status import status_of
from sparkwell.guard.trips import Cursor, Trip, load_cursor, unread

PROGRAM = Path(sparkwell.guard.__file__).parent
CURSOR = "trips.cursor"  # how far the daemon has read
START_S, END_S = 10.0, 5.0
POLL_S, TRIPS_S, LOOK_S = 0.02, 0.25, 2.0
LONGEST_BACK_OFF_S = 60.0

log = logging.getLogger(__name__)
Told = Callable[[str, str], None]


class GuardKeeper:
    """The daemon's side of the guard in ``folder``.

    ``daemon_lock`` is the file that the daemon holds locked: without it and without a living
    target the guard ends. ``told`` hears a kind of event ("guard.started", "guard.lost",
    "guard.cannot_end") and a sentence.
    ``options`` are more arguments for the program.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits,
        *,
        daemon_lock: Path,
        python: str = sys.executable,
        options: Sequence[str] = (),
        told: Told = lambda _kind, _message: None,
        look_s: float = LOOK_S,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._argv = [python, "-I", "-S", "-X", "utf8", str(PROGRAM), str(folder),
                      "--daemon-lock", str(daemon_lock), *options]  # fmt: skip
        self._told = told
        self._look_s = look_s
        self._targets: tuple[Target, ...] = ()
        self._watching: asyncio.Task[None] | None = None
        self._missing = False
        self._untouchable: frozenset[str] = frozenset()

    async def start(self) -> None:
        """Have a guard live from now on. Where it does not start, that is told and tried again."""
        if not self._lives():
            await self._try_to_launch()
        self._watching = asyncio.create_task(self._watch())

    def tell(self, targets: Sequence[Target]) -> None:
        """Say whom the guard may end, the newest start first by ``started_at``.

        Raises EnvironmentFault when it cannot be written.
        """
        self._targets = tuple(targets)
        document: dict[str, object] = {
            "boot_id": files.boot_id(),
            "limits": {name: getattr(self._limits, name) for name in files.LIMITS},
            "targets": [dataclasses.asdict(target) for target in targets],
        }
        self._write(files.TARGETS, document)

    async def trips(self) -> AsyncIterator[Trip]:
        """Give every trip once, those of the time without a daemon first; never ends.

        A trip is over when the next one is asked for: only then it is not told again.
        """
        cursor = load_cursor(self._folder / CURSOR)
        while True:
            for trip, behind in unread(self._folder, cursor):
                yield trip
                cursor = behind
                self._remember(cursor)
            await asyncio.sleep(TRIPS_S)

    def status(self) -> dict[str, object]:
        """Tell whether it lives and how well it is protected, for status JSON.

        ``cannot_end`` says by model why it could not end one that runs.
        """
        return {
            **status_of(self._guard() if self._lives() else None),
            "cannot_end": {each.model: why for each, why in self._beyond_reach()},
        }

    async def close(self) -> None:
        """Leave the guard alone if an engine lives on; end it otherwise."""
        if self._watching:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        if any(map(_is_there, self._targets)):
            return
        found = self._guard()
        if found and self._lives():
            ending.send(int(found["pid"]), int(found["start_ticks"]), signal.SIGTERM)
            await self._until(lambda: not self._lives(), END_S)

    async def _watch(self) -> None:
        back_off_s = self._look_s
        while True:
            await asyncio.sleep(back_off_s)
            if self._lives():
                back_off_s = self._look_s
                self._tell_whom_it_cannot_end()
                continue
            if not self._missing:
                self._told("guard.lost", "The memory guard has ended; it is started again.")
            await self._try_to_launch()
            back_off_s = min(2 * back_off_s, LONGEST_BACK_OFF_S)

    def _tell_whom_it_cannot_end(self) -> None:
        """Told once for each instance, as soon as the guard has found out."""
        found = self._beyond_reach()
        for each, why in found:
            if each.instance not in self._untouchable:
                said = f"The memory guard cannot end {each.model} when memory runs out: {why}"
                log.warning(said)
                self._told("guard.cannot_end", said)
        self._untouchable = frozenset(each.instance for each, _ in found)

    def _beyond_reach(self) -> list[tuple[Target, str]]:
        """Find the targets that the guard says it cannot end, and why.

        It says so too of one that has just ended by itself: such a one is in nobody's way.
        """
        guard = (self._guard() if self._lives() else None) or {}
        cannot = guard.get("cannot_end") or {}
        named = [each for each in self._targets if each.instance in cannot]
        return [(each, str(cannot[each.instance])) for each in named if _is_there(each)]

    async def _try_to_launch(self) -> None:
        """Launch it; that it fails is told the first time, and keeps nobody from serving."""
        try:
            await self._launch()
        except EnvironmentFault as error:
            log.warning("There is no memory guard: %s", error)
            if not self._missing:
                self._told("guard.lost", f"There is no memory guard: {error}")
            self._missing = True
        else:
            self._missing = False

    async def _launch(self) -> None:
        """Start the program, and return when it guards; raises EnvironmentFault."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            first = self._spawn()
        except OSError as error:
            raise self._fault(error.strerror or str(error)) from error
        try:
            await self._until(lambda: self._guard() or is_whole_traceback(self._words()), START_S)
        finally:
            first.kill()  # it has forked the guard and gone by now; if not, it must not any more
            first.wait()
        if self._guard() is None:
            raise self._fault(end_of(self._words()))
        self._told("guard.started", "The memory guard watches this machine.")

    def _spawn(self) -> subprocess.Popen[bytes]:
        """The program detaches itself, so the daemon is not its parent."""
        files.remove(str(self._folder / files.GUARD))
        last_words = self._folder / files.ERRORS
        last_words.touch(mode=0o600)
        with last_words.open("wb") as errors:
            return subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd="/",
                env=base_environment(os.environ), start_new_session=True,
            )  # fmt: skip

    def _words(self) -> str:
        """Read what the program has said on standard error; a traceback is its last word."""
        with contextlib.suppress(OSError):
            return (self._folder / files.ERRORS).read_text("utf-8", "replace")
        return ""

    def _fault(self, reason: str) -> EnvironmentFault:
        return EnvironmentFault(
            f"The memory guard in {self._folder} did not start: {reason}.",
            hint="The state folder must be writable. guard.enabled: false does without a guard.",
        )

    def _lives(self) -> bool:
        with contextlib.suppress(OSError):  # another user's: then it is not ours to rely on
            return is_held(self._folder / files.LOCK)
        return False

    def _guard(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self._folder / files.GUARD).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _remember(self, cursor: Cursor) -> None:
        try:
            self._write(CURSOR, dataclasses.asdict(cursor))
        except EnvironmentFault as error:  # the next daemon will tell this trip again
            log.warning("%s", error)

    def _write(self, name: str, document: dict[str, object]) -> None:
        path = self._folder / name
        try:
            files.write_json(str(path), document)
        except OSError as error:
            raise EnvironmentFault(
                f"Cannot write {path}: {error.strerror or error}.",
                hint="The state folder must be writable, on a disk with space left.",
            ) from error

    async def _until(self, condition: Callable[[], object], patience_s: float) -> bool:
        try:
            async with asyncio.timeout(patience_s):
                while not condition():  # noqa: ASYNC110 - a file tells nobody
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            return False
        return True


def _is_there(target: Target) -> bool:
    return ending.is_there(files.target_of(dataclasses.asdict(target)))


__all__ = ["Cursor", "GuardKeeper", "Limits", "Target", "Trip"]
