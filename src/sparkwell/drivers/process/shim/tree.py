"""The engine's process tree, as its keeper and subreaper sees it: signals out, ends in."""

import os
import signal

from . import proc


class Tree:
    """All that descends from this process. ``all_ended`` is true once waitpid has said so."""

    def __init__(self, main: int) -> None:
        self.all_ended = False
        self._main = main
        self._wait_status: int | None = None
        self._killed: set[int] = set()

    @property
    def result(self) -> tuple[int | None, int | None]:
        """How the main process ended: (exit code, signal), one of them None."""
        if self._wait_status is None:
            return None, None
        code = os.waitstatus_to_exitcode(self._wait_status)
        return (code, None) if code >= 0 else (None, -code)

    @property
    def descendants_killed(self) -> int:
        """How many processes but the main one had to be killed."""
        return len(self._killed - {self._main})

    def pids(self) -> list[int]:
        """List all processes of the tree."""
        return proc.descendants(os.getpid())

    def ask_main(self) -> None:
        """Ask the main process to end. Until it is reaped its pid cannot mean another."""
        if self._wait_status is None:
            _signal(self._main, signal.SIGTERM)
            _signal(self._main, signal.SIGCONT)  # a stopped process would never see the request

    def ask_all(self) -> None:
        """Ask every process to end."""
        for pid in self.pids():
            _signal(pid, signal.SIGTERM)
            _signal(pid, signal.SIGCONT)

    def kill_all(self) -> None:
        """Kill every process that there is now; what is forked meanwhile is for the next time."""
        self._killed.update(pid for pid in self.pids() if _signal(pid, signal.SIGKILL))

    def reap(self) -> bool:
        """Take every ended child, adopted ones too; returns whether the main one was among them.

        ECHILD is the proof that nothing is left: orphans become children of a subreaper.
        """
        main_ended = False
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self._main:
                    self._wait_status = found[1]
                    main_ended = True
        except ChildProcessError:
            self.all_ended = True
        return main_ended


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
