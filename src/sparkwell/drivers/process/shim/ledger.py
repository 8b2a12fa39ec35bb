"""The list of descendants on disk: what remains to be ended if the shim itself is killed.

Nothing can make the kernel end a whole tree when its root is killed with -9: PR_SET_PDEATHSIG
reaches one process and is lost on fork, and vLLM's EngineCore and workers live in sessions of
their own. So the shim writes down who descends from it, and the next driver that finds the
folder unlocked ends those that are left (remains.py), guarded by their start ticks.
"""

import time

from . import files, proc

SHORTEST_S = 1.0
LONGEST_S = 8.0
CPU_SHARE = 0.0015  # of one core, at most, whatever one look at /proc costs on this machine


def next_interval(previous_s: float, changed: bool, cost_s: float) -> float:
    """Seconds until the next look: one while the tree changes, then longer and longer."""
    wanted = SHORTEST_S if changed else min(2 * previous_s, LONGEST_S)
    return max(wanted, cost_s / CPU_SHARE)


class Ledger:
    """Keeps descendants.json up to date. ``due_at`` is when it wants to look again."""

    def __init__(self, path: str, root: int) -> None:
        self.due_at = 0.0
        self._path = path
        self._root = root
        self._boot_id = proc.boot_id()
        self._known: list[list[int]] = []
        self._interval_s = SHORTEST_S

    def refresh(self, now: float) -> None:
        """Look, and write if anything has changed. ``now`` is monotonic."""
        before = time.process_time()
        found = self._look()
        changed = found != self._known
        if changed and self._write(found):
            self._known = found
        cost_s = time.process_time() - before
        self._interval_s = next_interval(self._interval_s, changed, cost_s)
        self.due_at = now + self._interval_s

    def _look(self) -> list[list[int]]:
        pairs = ((pid, proc.start_ticks(pid)) for pid in proc.descendants(self._root))
        return sorted([pid, ticks] for pid, ticks in pairs if ticks is not None)

    def _write(self, found: list[list[int]]) -> bool:
        try:
            files.write_json(self._path, {"boot_id": self._boot_id, "descendants": found})
        except OSError:  # a full disk must not end a healthy engine; the next look tries again
            return False
        return True
