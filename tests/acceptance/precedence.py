"""Precedence over processes that only spin: for a daemon that has to answer beside them, at once.

vLLM's processes wait for one another with sched_yield. On Linux 6.18.44 with two processors two
that do so kept every other ordinary process from running, the kernel's own threads too, for 6.9 s
(`perf sched`, 2026-11-22). That is the kernel's fault, and no test here is about it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def take_precedence(pid: int) -> None:
    """Run the threads that a process has now before ordinary ones, if this user may say so.

    What it starts from now on is ordinary, threads too.
    """
    for thread in Path(f"/proc/{pid}/task").iterdir():
        _set(int(thread.name), os.SCHED_RR | os.SCHED_RESET_ON_FORK, 1)


@contextmanager
def precedence() -> Iterator[None]:
    """The calling thread has it within."""
    _set(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, 1)
    try:
        yield
    finally:
        _set(0, os.SCHED_OTHER, 0)


def _set(thread: int, policy: int, priority: int) -> None:
    with suppress(OSError):
        os.sched_setscheduler(thread, policy, os.sched_param(priority))
