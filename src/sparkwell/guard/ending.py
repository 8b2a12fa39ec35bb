"""Ends an instance: every process of it, by pidfd, or its whole control group.

A process is named by (pid, start ticks): the pidfd is opened first and the ticks are compared
after that, so a later process with the same pid is never hit. Docker is not asked for anything.
"""
# ruff: noqa: PTH116, PTH208 - pathlib would cost the guard a megabyte

import os
import signal

from . import cgroups, proc
from .judge import Target

Identity = tuple[int, int]
ROUNDS = 4  # of looking for what was forked meanwhile; the next samples look again


class Outcome:
    """Which pids got a signal, and why others did not: ``{pid: reason}``."""

    __slots__ = ("refused", "signalled")

    def __init__(self) -> None:
        self.signalled: list[int] = []
        self.refused: dict[int, str] = {}

    def note(self, pid: int, problem: str | None) -> None:
        """Take one process's result; a pid is noted once."""
        if problem is not None:
            self.refused[pid] = problem
        elif pid not in self.signalled:
            self.signalled.append(pid)


class Ender:
    """Remembers the processes of those it has asked to end: orphans are found by that alone."""

    def __init__(self) -> None:
        self._known: dict[str, set[Identity]] = {}

    def term(self, target: Target) -> Outcome:
        """Ask the engine to end; where its first process is gone, ask all that is left."""
        outcome = Outcome()
        members = self._look(target)
        first = {(pid, ticks) for pid, ticks in members if pid == target.pid}
        for pid, ticks in sorted(first or members):
            _note(outcome, pid, ticks, signal.SIGTERM)
            _note(outcome, pid, ticks, signal.SIGCONT)  # a stopped one would never see it
        return outcome

    def kill(self, target: Target) -> Outcome:
        """Kill every process there is now, looking again until no new one is found."""
        outcome = Outcome()
        done: set[Identity] = set()
        folder = _group(target)
        for _ in range(ROUNDS):
            new = self._look(target) - done
            if not new:
                break
            _kill_round(folder, new, outcome)
            done |= new
        return outcome

    def is_alive(self, target: Target) -> bool:
        """Whether any process of the instance is left."""
        if self._look(target):
            return True
        self._known.pop(target.instance, None)
        return False

    def keep(self, instances: set[str]) -> None:
        """Forget the processes of others than these."""
        self._known = {name: known for name, known in self._known.items() if name in instances}

    def _look(self, target: Target) -> set[Identity]:
        """Find all live processes of the instance, those seen earlier included."""
        known = self._known.setdefault(target.instance, set())
        known |= members(target)
        known &= {each for each in known if is_alive(each)}
        return set(known)


def members(target: Target) -> set[Identity]:
    """List the live processes: in the group, below the keeper, below the first process."""
    pids = set(cgroups.pids(folder) if (folder := _group(target)) else ())
    pids.update(descendants([pid for pid, _ in _roots(target)]))
    looked = ((pid, _stat(pid)) for pid in pids - {0, 1, os.getpid(), target.keeper})
    return {(pid, found[2]) for pid, found in looked if found and found[0]}


def is_there(target: Target) -> bool:
    """Whether the instance lives, at a fraction of the cost of listing its processes."""
    folder = _group(target)
    return bool(_roots(target)) or bool(folder and cgroups.pids(folder))


def problem(target: Target) -> str | None:
    """Tell why a target could not be ended, without signalling it; None when it could be."""
    if (folder := _group(target)) and cgroups.may_kill(folder):
        return None
    found = members(target)
    if not found:
        return "no process of it is known"
    outcome = Outcome()
    for pid, ticks in sorted(found):
        outcome.note(pid, send(pid, ticks, 0))
    return next(iter(outcome.refused.values()), None)


def send(pid: int, ticks: int, number: int) -> str | None:
    """Signal that very process; gives what is in the way, or None. One that is gone is well."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        return error.strerror or str(error)
    try:
        if start_ticks(pid) == ticks:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return None
    except PermissionError:
        return _whose(pid)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        os.close(handle)
    return None


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none."""
    found = _stat(pid)
    return found[2] if found else None


def is_alive(identity: Identity) -> bool:
    """Whether that very process runs: not a later one with its pid, not a zombie."""
    found = _stat(identity[0])
    return found is not None and found[0] and found[2] == identity[1]


def descendants(roots: list[int]) -> list[int]:
    """List the roots and all that descends from them: a snapshot without a lock.

    Reads all of /proc, at about 10 µs a process.
    """
    if not roots:
        return []
    by_parent: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := _stat(int(name))):
            by_parent.setdefault(found[1], []).append(int(name))
    order = list(roots)
    for pid in order:
        order.extend(by_parent.pop(pid, ()))
    return order


def _kill_round(folder: str | None, new: set[Identity], outcome: Outcome) -> None:
    inside = set(cgroups.pids(folder)) if folder else set()
    if folder and cgroups.kill(folder):
        for pid, ticks in sorted(new):
            _note(outcome, pid, ticks, 0 if pid in inside else signal.SIGKILL)
        return
    with cgroups.frozen(folder or ""):
        for pid, ticks in sorted(new):
            _note(outcome, pid, ticks, signal.SIGKILL)


def _note(outcome: Outcome, pid: int, ticks: int, number: int) -> None:
    outcome.note(pid, send(pid, ticks, number))


def _whose(pid: int) -> str:
    try:
        return f"not permitted: it belongs to user {os.stat(f'/proc/{pid}').st_uid}"
    except OSError:
        return "not permitted"


def _roots(target: Target) -> list[Identity]:
    """The keeper and the first process, as far as they live."""
    pairs = ((target.keeper, target.keeper_ticks), (target.pid, target.start_ticks))
    named = [(pid, ticks) for pid, ticks in pairs if pid is not None and ticks is not None]
    return [each for each in named if is_alive(each)]


def _group(target: Target) -> str | None:
    folder = target.cgroup
    return folder if folder and cgroups.is_usable(folder) else None


def _stat(pid: int) -> tuple[bool, int, int] | None:
    text = cgroups.read(f"/proc/{pid}/stat")
    return proc.parse_stat(text.encode("ascii", "replace")) if text else None
