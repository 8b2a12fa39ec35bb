"""How an instance comes to its end: which signal is due when. Pure; times are monotonic.

    runs ──stop──> main asked (SIGTERM) ──grace──> all killed, again and again
      └───main ends──> the rest asked ──2 s──────────┘        until waitpid says ECHILD

What has ended is never asked or killed again: the keeper stops at ECHILD.
"""

LEFTOVER_GRACE_S = 2.0  # for descendants that outlive the main process, e.g. to free a GPU
FIRST_KILL_AGAIN_S = 0.05
LONGEST_KILL_AGAIN_S = 1.0

ASK_MAIN = "ask-main"
ASK_ALL = "ask-all"
KILL_ALL = "kill-all"


class Ending:
    """What was asked, what has happened, and what is due next.

    ``requested`` says that a stop was asked for while the main process still ran: that is what
    tells a stop from a crash.
    """

    __slots__ = ("_again_s", "kill_at", "main_ended", "requested")

    def __init__(self) -> None:
        self.requested = False
        self.main_ended = False
        self.kill_at: float | None = None
        self._again_s = FIRST_KILL_AGAIN_S

    @property
    def state(self) -> str:
        """``running`` until something ends it, then ``stopping``."""
        return "running" if self.kill_at is None else "stopping"

    def stop(self, now: float, grace_s: float) -> str | None:
        """Somebody asks for a stop. A second caller can shorten the grace, never lengthen it."""
        first = not self.requested and not self.main_ended
        self.requested = self.requested or first
        self._kill_by(now + grace_s)
        return ASK_MAIN if first else None

    def main_has_ended(self, now: float) -> str:
        """Note that the main process is gone: what is left gets a short while."""
        self.main_ended = True
        self._kill_by(now + LEFTOVER_GRACE_S)
        return ASK_ALL

    def due(self, now: float) -> str | None:
        """Return what the clock asks for: to kill, and to kill again what was forked since."""
        if self.kill_at is None or now < self.kill_at:
            return None
        self.kill_at = now + self._again_s
        self._again_s = min(2 * self._again_s, LONGEST_KILL_AGAIN_S)
        return KILL_ALL

    def _kill_by(self, at: float) -> None:
        self.kill_at = at if self.kill_at is None else min(self.kill_at, at)
