"""Fork and exec of the engine, so that no moment of it can leave an unknown process behind.

The child waits before exec until it is written down on disk. If the shim is killed before
that, the child reads the end of its pipe and goes away; after it, the record names it.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal

from . import proc

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1024 * 1024  # what an unprivileged process may ask for
CANNOT_EXECUTE = 127

_libc = ctypes.CDLL(None, use_errno=True)


class Engine:
    """The engine's main process: ``pid`` and ``start_ticks``, and the pipe it writes to.

    ``output_name`` is that pipe as /proc/PID/fd names it: by it a driver recognizes descendants
    of a killed shim that were forked after the last entry in the ledger.
    """

    __slots__ = ("_errors", "_go", "output", "output_name", "pid", "start_ticks")

    def __init__(self, pid: int, output: int, go: int, errors: int) -> None:
        self.pid = pid
        self.output = output
        self.output_name = f"pipe:[{os.fstat(output).st_ino}]"
        self.start_ticks = proc.start_ticks(pid) or 0
        self._go = go
        self._errors = errors

    def release(self) -> str | None:
        """Let it exec. Returns None when it did, otherwise why not, in words."""
        os.write(self._go, b"!")
        os.close(self._go)
        error = os.read(self._errors, 65536).decode("utf-8", "replace")
        os.close(self._errors)
        return error or None


def become_subreaper() -> None:
    """From now on every orphan below this process becomes its child; raises OSError.

    That is why waitpid's ECHILD proves that nothing is left: neither a second fork nor a
    session of its own takes a process out of this tree.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def fork_engine(argv: list[str], env: dict[str, str], cwd: str) -> Engine:
    """Fork the engine's main process; it executes nothing before ``release``."""
    output, output_w = os.pipe()
    go_r, go = os.pipe()
    errors, errors_w = os.pipe()
    _widen(output)
    pid = os.fork()
    if pid == 0:
        os.close(go)
        _become_engine(argv, env, cwd, output=output_w, go=go_r, errors=errors_w)
    for end in (output_w, go_r, errors_w):
        os.close(end)
    os.set_blocking(output, False)
    return Engine(pid, output, go, errors)


def _become_engine(
    argv: list[str], env: dict[str, str], cwd: str, *, output: int, go: int, errors: int
) -> None:
    """Wait in the child until it is written down, then exec; never returns."""
    try:
        _leave_the_shim()
        if os.read(go, 1):
            _connect(output)
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)  # noqa: S606 - argv, never a shell
    except BaseException as error:  # whatever it is: a second shim must not go on from here
        _report(errors, error, argv[0])
    finally:
        os._exit(CANNOT_EXECUTE)


def _leave_the_shim() -> None:
    """Take a session of its own, every signal as a fresh program expects it, a last wish.

    PR_SET_PDEATHSIG: when the shim is killed with -9 nobody reads the engine's output any
    more, and its next line would end it with SIGPIPE at some random place. SIGTERM lets it
    free its GPU and its workers at once, before a driver comes by to end the rest.
    """
    os.setsid()
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):  # SIGKILL, SIGSTOP, libc's own
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _connect(output: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _report(errors: int, error: BaseException, program: str) -> None:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    name = getattr(error, "filename", None) or program
    os.write(errors, json.dumps([str(name), reason]).encode())


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def _widen(pipe: int) -> None:
    with contextlib.suppress(OSError):  # the user's pipe quota is spent: 64 KiB do as well
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)
