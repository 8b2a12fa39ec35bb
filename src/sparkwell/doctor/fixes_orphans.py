"""Ends engine processes that have outlived their server, and nobody else's.

A number of a process may be another one's by the time that somebody says yes. So each process is
held (pidfd) first, then looked at again: same start, still an orphan, in no container. What is
signalled after that is what was looked at.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from sparkwell.checks.engines import END_ORPHAN
from sparkwell.checks.host_parts import Engine
from sparkwell.checks.snapshot import Snapshot
from sparkwell.doctor.fixes_result import Fixed
from sparkwell.doctor.processes import container_id, forest, list_processes

GRACE_S = 10.0
"""How long a process has to end by itself; a clean end of vLLM takes 2 s."""
_KILLED_S = 5.0
_SAME_START_S = 1.5
"""The kernel counts starts in ticks since boot, and boot's own time is known to a second."""

Look = Callable[[Path | None], Sequence[Engine]]


def engines_now(home: Path | None) -> Sequence[Engine]:
    """The engines among the processes of this moment; ``home`` is this Sparkwell's state folder."""
    return forest(list_processes(), home=home).engines()


def end_orphan(snapshot: Snapshot, *, look: Look = engines_now, grace_s: float = GRACE_S) -> Fixed:
    """End each orphan of the snapshot that still is one, with its children: asked, then killed."""
    orphans = [each for each in snapshot.engines or () if each.orphan and each.pid]
    now = {each.pid: each for each in look(_home(snapshot))}
    told = [(each, _ended(each, now.get(each.pid), grace_s)) for each in orphans]
    kept = [f"kept process {each.pid}: {why}" for each, why in told if why]
    ended = [str(each.pid) for each, why in told if why is None]
    done = f"Ended process {', '.join(ended)}" if ended else "Ended nothing"
    return Fixed(END_ORPHAN, bool(ended) and not kept, f"{'; '.join([done, *kept])}.")


def _home(snapshot: Snapshot) -> Path | None:
    states = (each.path for each in snapshot.folders or () if each.role == "state")
    return next(map(Path, states), None)


def _ended(known: Engine, now: Engine | None, grace_s: float) -> str | None:
    """None once it has ended; else why it was kept."""
    pid = known.pid or 0
    with ExitStack() as held:
        try:
            top = _hold(held, pid)
            if why := _why_kept(known, now):
                return why
            tree = [top, *_below(held, pid)]
            return _end(tree, grace_s)
        except ProcessLookupError:
            return None
        except (PermissionError, psutil.AccessDenied):
            return "it is another user's; only root may end it"
        except OSError as error:  # a kernel without such handles, or too many files are open
            return f"it cannot be held: {error.strerror}"


def _why_kept(known: Engine, now: Engine | None) -> str | None:
    """Why this process is not the one that was found, or is not to be ended."""
    pid = known.pid or 0
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        raise ProcessLookupError from None
    if known.started_at is None or abs(started - known.started_at) > _SAME_START_S:
        return "it is not the process that was found"
    if now is None or not now.orphan:
        return "it is no orphan any more"
    if known.container or now.container or container_id(pid):
        return "it is a container's; `docker stop` ends that"
    return None


def _hold(held: ExitStack, pid: int) -> int:
    """A handle that stays this process's, whoever gets its number; raises ProcessLookupError."""
    descriptor = os.pidfd_open(pid)
    held.callback(os.close, descriptor)
    return descriptor


def _below(held: ExitStack, pid: int) -> Iterator[int]:
    """Handles of all processes below: workers go on without the core that they work for."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for child in children:
        with suppress(ProcessLookupError):
            descriptor = _hold(held, child.pid)
            if child.is_running():  # else its number was given anew before it was held
                yield descriptor


def _end(tree: Sequence[int], grace_s: float) -> str | None:
    """Ask the topmost, wait, kill what is left; None when nothing is."""
    with suppress(ProcessLookupError):  # it has just ended; those below it may live on
        signal.pidfd_send_signal(tree[0], signal.SIGTERM)
    left = _still_there(tree, grace_s)
    for descriptor in left:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    return "the kernel does not let it end; it may wait for the driver" if _still_there(
        left, _KILLED_S) else None  # fmt: skip


def _still_there(tree: Iterable[int], wait_s: float) -> list[int]:
    """Those that have not ended when the time is over; a handle can be read once it has."""
    left, deadline = set(tree), time.monotonic() + wait_s
    poll = select.poll()
    for descriptor in left:
        poll.register(descriptor, select.POLLIN)
    while left and (rest := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(1000 * rest):
            poll.unregister(descriptor)
            left.discard(descriptor)
    return list(left)
