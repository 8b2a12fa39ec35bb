"""The shim's event loop: one thread, one selector, asleep unless something happens."""

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable

from . import control, ending, files
from .engine import Engine
from .ledger import Ledger
from .logfile import RotatingLog, tail
from .tree import Tree

CHUNK = 64 * 1024
CHUNKS_A_TURN = 16  # then the control socket has its turn, however much the engine says
LAST_LINES = 40
GOODBYE_S = 1.0


class Keeper:
    """Keeps one engine until no process of it is left; then writes how it ended.

    ``run`` returns the exit record, which is on disk by then and sent to all who wait.
    """

    def __init__(
        self, folder: str, engine: Engine, log: RotatingLog, server: socket.socket, grace_s: float
    ) -> None:
        self._folder = folder
        self._engine = engine
        self._log = log
        self._grace_s = grace_s
        self._ending = ending.Ending()
        self._ledger = Ledger(files.join(folder, files.DESCENDANTS), os.getpid())
        self._tree = Tree(engine.pid)
        self._selector = selectors.DefaultSelector()
        self._control = control.Control(self._selector, server, self._handle)
        self._selector.register(engine.output, selectors.EVENT_READ, self._read_output)
        self._signals = self._watch_signals()

    def run(self, start_error: str | None = None) -> dict[str, object]:
        """Keep the engine until its end; ``start_error`` says that it never began."""
        self._reap()  # a child may have ended before the handler was there
        while not self._tree.all_ended:
            self._turn(self._pause())
            self._tend(time.monotonic())
        return self._finish(start_error)

    def _turn(self, pause_s: float) -> None:
        for key, events in self._selector.select(pause_s):
            callback: Callable[[int], None] = key.data
            now = self._selector.get_map().get(key.fd)
            if now is not None and now.fileobj == key.fileobj:  # not dropped earlier in this turn
                callback(events)

    def _pause(self) -> float:
        due = self._ledger.due_at
        if self._ending.kill_at is not None:
            due = min(due, self._ending.kill_at)
        return max(due - time.monotonic(), 0.0)

    def _tend(self, now: float) -> None:
        self._obey(self._ending.due(now))
        if now >= self._ledger.due_at:
            self._ledger.refresh(now)

    # What arrives: output, signals, requests.

    def _read_output(self, _events: int) -> None:
        for _ in range(CHUNKS_A_TURN):
            if not self._read_chunk():
                return

    def _read_chunk(self) -> bool:
        try:
            data = os.read(self._engine.output, CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._log.write(data)
        elif self._engine.output in self._selector.get_map():
            # Every writer has closed it; the engine may well run on. Unwatched, or it would spin.
            self._selector.unregister(self._engine.output)
        return bool(data)

    def _watch_signals(self) -> int:
        """Signals come as bytes in a pipe, so they wake the selector and interrupt nothing."""
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(reader, selectors.EVENT_READ, self._take_signals)
        return reader

    def _take_signals(self, _events: int) -> None:
        arrived = os.read(self._signals, 4096)
        if signal.SIGTERM in arrived or signal.SIGINT in arrived:
            self._obey(self._ending.stop(time.monotonic(), self._grace_s))
        self._reap()

    def _handle(self, request: control.Answer) -> control.Answer | None:
        match request.get("op"):
            case "status":
                return self._status()
            case "stop":
                grace_s = control.grace_of(request, self._grace_s)
                self._obey(self._ending.stop(time.monotonic(), grace_s))
                return self._status()
            case "wait":
                return None
        raise ValueError("op is one of status, stop, wait")

    def _status(self) -> control.Answer:
        return {
            "ok": True,
            "state": self._ending.state,
            "pid": self._engine.pid,
            "start_ticks": self._engine.start_ticks,
            "shim_pid": os.getpid(),
            "descendants": len(self._tree.pids()),
            "dropped_bytes": self._log.dropped,
        }

    # What is done about it.

    def _obey(self, order: str | None) -> None:
        if order == ending.ASK_MAIN:
            self._tree.ask_main()
        elif order == ending.ASK_ALL:
            self._tree.ask_all()
        elif order == ending.KILL_ALL:
            self._tree.kill_all()
            self._reap()

    def _reap(self) -> None:
        if self._tree.reap():
            self._obey(self._ending.main_has_ended(time.monotonic()))

    def _finish(self, start_error: str | None) -> dict[str, object]:
        """Write the exit record, then answer: who has an answer finds the record too."""
        self._drain()
        record = self._record(start_error)
        self._write_exit(record)
        self._control.answer_waiters({"ok": True, "state": "ended", "exit": record})
        deadline = time.monotonic() + GOODBYE_S
        while self._control.unsent and time.monotonic() < deadline:
            self._turn(0.1)
        return record

    def _drain(self) -> None:
        """All writers are gone, so what the pipe holds now is all there will be."""
        while self._read_chunk():
            pass
        self._log.close()

    def _write_exit(self, record: dict[str, object]) -> None:
        path = files.join(self._folder, files.EXIT)
        try:
            files.write_json(path, record)
        except OSError:  # a full disk: the oldest output gives way to the reason of the end
            self._log.drop_oldest()
            _try_to_write(path, record)

    def _record(self, start_error: str | None) -> dict[str, object]:
        code, number = self._tree.result
        return {
            "code": code,
            "signal": number,
            "requested": self._ending.requested,
            "ended_at": time.time(),
            "last_lines": tail(self._folder, LAST_LINES),
            "descendants_killed": self._tree.descendants_killed,
            "dropped_bytes": self._log.dropped,
            "start_error": start_error,
        }


def _try_to_write(path: str, record: dict[str, object]) -> None:
    try:
        files.write_json(path, record)
    except OSError as error:  # those who wait are answered all the same
        sys.stderr.write(f"{path}: {error}\n")
