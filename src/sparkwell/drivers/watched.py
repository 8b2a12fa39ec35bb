"""Running a program to its end while somebody watches how far it is."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

import psutil

from sparkwell.core.errors import EnvironmentFault

TICK_S = 0.2


def run_watched(
    command: list[str],
    environment: Mapping[str, str],
    failure: str,
    tick: Callable[[int], None],
) -> None:
    """Run to the end; ``tick`` is told the bytes that the program has written so far.

    Raises EnvironmentFault that begins with ``failure`` and ends with the program's own words.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = psutil.Popen(command, env=dict(environment), stdout=said, stderr=said)
        except OSError as error:
            raise EnvironmentFault(f"{failure}: {error}.") from None
        code = _watch(process, tick)
        if code != 0:
            raise _failure(failure, code, _end_of(said))


def _watch(process: psutil.Popen, tick: Callable[[int], None]) -> int:
    """Wait for the process; if we are interrupted it ends too."""
    try:
        while True:
            with suppress(psutil.Error):
                tick(process.io_counters().write_chars)
            with suppress(psutil.TimeoutExpired):
                return int(process.wait(timeout=TICK_S))
    except BaseException:
        process.kill()
        process.wait()
        raise


def _end_of(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return "\n".join(f"  {line}" for line in lines[-12:])


def _failure(what: str, code: int, said: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{what} (exit code {code}):\n{said}\nNothing half-made is left.",
        hint="Finished downloads are kept: run the command again when the cause is gone.",
    )
