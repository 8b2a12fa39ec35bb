"""https: a certificate and its key from files, and new ones as soon as they are there.

What renews certificates (certbot, Caddy) writes two files, one after the other. So the files are
looked at when a client connects, and new ones are taken only if they load together and are valid;
until then the ones before them serve on. Connections that are there keep what they began with.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sparkwell.app.listener.certificate_files import TlsFiles, load, said_of_dates
from sparkwell.core.errors import EnvironmentFault

logger = logging.getLogger(__name__)
LOOK_S = 5.0
"""Seconds between two looks at the files."""
_State = tuple[tuple[int, int, int], ...]


class Tls:
    """The context of a server whose certificate may be renewed while it runs.

    ``clock`` is Unix time in seconds. Making one raises EnvironmentFault for files that are
    missing, cannot be read, do not belong together, or are no longer valid. What is to be said of
    them is logged unless it is ``quiet``: of several processes with the same files one speaks.
    """

    def __init__(
        self, files: TlsFiles, clock: Callable[[], float] = time.time, *, quiet: bool = False
    ) -> None:
        self._files, self._clock = files, clock
        self._quiet = quiet
        self._looked_at, self._seen = clock(), _state(files)
        self._current = load(files, clock())
        self.context = load(files, clock())
        self._say_of_dates()
        self.context.sni_callback = self._choose

    def look(self) -> bool:
        """Take up new files; whether that was done. What is wrong with them is logged, once."""
        state = _state(self._files)
        if state == self._seen:
            return False
        self._seen = state
        try:
            self._current = load(self._files, self._clock())
        except EnvironmentFault as fault:
            self._say(logging.WARNING, f"The certificate is still the one before: {fault}")
            return False
        self._say_of_dates()
        said = f"The certificate of {self._files.certificate} is in use from now on"
        self._say(logging.INFO, said)
        return True

    async def keep_looking(self) -> None:
        """Take up new files, and say so, without a client that connects; until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def _say_of_dates(self) -> None:
        said = said_of_dates(self._files.certificate, self._clock())
        if said is not None:
            self._say(logging.WARNING, said)

    def _say(self, level: int, said: str) -> None:
        if not self._quiet:
            logger.log(level, "%s", said)

    def _choose(self, connection: Any, _name: str | None, _first: ssl.SSLContext) -> None:
        """Called in each handshake, before a certificate is sent."""
        now = self._clock()
        if abs(now - self._looked_at) >= LOOK_S:
            self._looked_at = now
            self.look()
        connection.context = self._current


def _state(files: TlsFiles) -> _State:
    """What tells that a file is another one; a link counts as what it names."""
    return tuple(_stamp(each) for each in (files.certificate, files.key))


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
