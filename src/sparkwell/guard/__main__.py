"""From a folder's name to a running guard: ``python -I -S .../guard FOLDER --daemon-lock FILE``.

It ends by itself when no target lives and nobody holds the daemon's lock, and upon SIGTERM.
Standard error is guard.err. Exit status 3 means that the folder has a guard already.
"""
# ruff: noqa: PTH100, PTH120 - pathlib would cost the guard a megabyte

import os
import sys

if not __package__:  # run as a folder: make this folder a package (PEP 366), stdlib names first
    sys.path[:] = [*sys.path[1:], os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    __package__ = "guard"
    # Python 3.12 and later warn where this speaks of another package than __package__.
    __spec__ = None

import fcntl
import signal
import time

from . import ending, files, protect, sampling
from .errands import Errands
from .watch import END, Watch

HAS_ONE = 3
LOCK_TRIES, LOCK_TRY_S = 20, 0.05  # somebody may be looking whether it is held
OPTIONS = {
    "--daemon-lock": "", "--meminfo": sampling.MEMINFO, "--pressure": sampling.PRESSURE,
    "--linger-s": "10",
}  # fmt: skip


def main(arguments: list[str]) -> None:
    """Detach and guard; never returns."""
    folder, options = parse(arguments)
    detach()
    try:
        guard(folder, options)
    except BaseException:  # only its traceback is of use, in guard.err
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)  # the errands' thread is waiting for more, and has written all it had


def parse(arguments: list[str]) -> tuple[str, dict[str, str]]:
    """Read ``FOLDER [--option VALUE]…``; raises SystemExit with the usage."""
    folder, rest = arguments[0:1], arguments[1:]
    options = dict(zip(rest[::2], rest[1::2], strict=False))
    if not folder or len(rest) % 2 or not options.keys() <= OPTIONS.keys():
        raise SystemExit(f"usage: guard FOLDER {' '.join(f'[{each} VALUE]' for each in OPTIONS)}")
    return folder[0], OPTIONS | options


def detach() -> None:
    """Leave the daemon: init, or the session's own subreaper, takes this process over."""
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, END)
    os.chdir("/")


def guard(folder: str, options: dict[str, str]) -> None:
    """Take the lock, protect this process, and guard until it is not needed any more."""
    if not take_lock(files.join(folder, files.LOCK)):
        os._exit(HAS_ONE)
    protection = protect.protect()
    news: dict[str, object] = {
        "pid": os.getpid(),
        "start_ticks": ending.start_ticks(os.getpid()),
        "started_at": time.time(),
        "protected": {
            "memory_locked": protection.memory_locked,
            "oom_protected": protection.oom_protected,
        },
        "why_not": protection.why_not,
    }
    reader = sampling.Reader(options["--meminfo"], options["--pressure"] or None)
    errands = Errands(folder, options["--daemon-lock"], float(options["--linger-s"]), news)
    errands.begin()
    Watch(reader, errands).run()


def take_lock(path: str) -> bool:
    """Be the only guard of the folder, as long as this process lives."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOCK_TRY_S)
        else:
            return True
    return False


if __name__ == "__main__":
    main(sys.argv[1:])
