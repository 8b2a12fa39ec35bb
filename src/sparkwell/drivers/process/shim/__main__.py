"""From a folder's name to a running keeper: ``python -I -S .../shim FOLDER``.

File descriptors are given by the driver: 0 is the locked shim.lock, held as long as this
process lives and by nothing else; 1 takes one line of JSON when the engine runs or cannot;
2 is shim.err.
"""
# ruff: noqa: PTH100, PTH120 - pathlib would cost every shim a megabyte

import os
import sys

if not __package__:  # run as a folder: make this folder a package (PEP 366), stdlib names first
    sys.path[:] = [*sys.path[1:], os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    __package__ = "shim"
    # Python 3.12 and later warn where this speaks of another package than __package__.
    __spec__ = None

import contextlib
import json
import signal
import time

from . import control, files, proc
from .engine import Engine, become_subreaper, fork_engine
from .keeper import Keeper
from .logfile import RotatingLog


def main(folder: str) -> None:
    """Detach, keep the engine; whatever goes wrong here, leave none of its processes behind."""
    detach()
    try:
        keep(folder)
    except BaseException:  # the guard: only its traceback is of use, in shim.err
        sys.excepthook(*sys.exc_info())
        end_all()
        record_crash(folder)
        os._exit(1)


def detach() -> None:
    """Leave the driver: init, or the session's own subreaper, takes this process over.

    The driver has put it into a session of its own, so no Ctrl-C and no hang-up reaches it.
    """
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")


def keep(folder: str) -> None:
    """Run the engine that launch.json describes until no process of it is left; never returns."""
    launch = files.read_json(files.join(folder, files.LAUNCH)) or {}
    become_subreaper()
    server = control.listen(files.join(str(launch["sockets"]), files.CONTROL_SOCKET))
    log = RotatingLog(folder, int(str(launch["log_bytes"])), int(str(launch["log_files"])))
    engine = fork_from(launch)
    keeper = Keeper(folder, engine, log, server, float(str(launch["stop_grace_s"])))
    about = describe(engine)
    files.write_json(files.join(folder, files.SHIM), about)
    error = engine.release()
    if not error:
        announce(about)
    keeper.run(error)
    tidy(folder, str(launch["sockets"]))
    if error:
        announce({"error": json.loads(error)})
    # Not by way of the interpreter's end, which closes connections before the lock is free:
    # a client that reads the end of its connection may rely on the shim being gone.
    os._exit(0)


def fork_from(launch: dict[str, object]) -> Engine:
    """Fork the engine, held back before its first instruction."""
    argv, env = launch["argv"], launch["env"]
    if not isinstance(argv, list) or not isinstance(env, dict):
        raise TypeError("launch.json: argv is a list, env an object")
    return fork_engine(argv, env, str(launch["cwd"]))


def describe(engine: Engine) -> dict[str, object]:
    """Both processes, named beyond doubt: the content of shim.json."""
    return {
        "shim_pid": os.getpid(),
        "shim_start_ticks": proc.start_ticks(os.getpid()),
        "pid": engine.pid,
        "start_ticks": engine.start_ticks,
        "output": engine.output_name,
        "boot_id": proc.boot_id(),
        "started_at": time.time(),
    }


def announce(news: dict[str, object]) -> None:
    """Tell the driver, if it still listens, and let go of it."""
    with contextlib.suppress(OSError):  # it was killed meanwhile: the next one adopts the engine
        os.write(1, json.dumps(news).encode() + b"\n")
    os.dup2(2, 1)


def tidy(folder: str, sockets: str) -> None:
    """Remove what means nothing once all has ended."""
    for name in (files.CONTROL_SOCKET, files.ENGINE_SOCKET):
        files.remove(files.join(sockets, name))
    errors = files.join(folder, files.ERRORS)
    if os.fstat(2).st_size == 0:
        files.remove(errors)


def end_all() -> None:
    """Kill every descendant, again and again, until waitpid says that none is left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            for pid in proc.descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            time.sleep(0.02)


def record_crash(folder: str) -> None:
    """Leave an exit record that says: the end was not seen."""
    path = files.join(folder, files.EXIT)
    if files.read_json(path) is None:
        with contextlib.suppress(OSError):
            files.write_json(path, {"code": None, "signal": None, "ended_at": time.time()})


if __name__ == "__main__":
    main(sys.argv[1])
