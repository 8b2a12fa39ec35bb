"""`sparkwell top` on a terminal of its own, over the real daemon and the fake engine."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.conftest import Home, command, end, wait_for

IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal on stdin its own, as a shell's window does: Ctrl-C becomes a signal there."""
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ENTER, LEAVE, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"


class Terminal:
    """A pseudo-terminal with a command in it, and all that it has written."""

    def __init__(self, home: Home, *words: str, columns: int = 100, lines: int = 30) -> None:
        self._ours, self.theirs = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(self.theirs)
        environ = {key: value for key, value in home.environ.items() if key != "COLUMNS"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_A_TERMINAL, *command(*words)],
            env={**environ, "TERM": "xterm-256color"},
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
        )
        os.set_blocking(self._ours, False)
        self.written = ""

    def resize(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def read(self) -> str:
        """Everything that was written so far."""
        try:
            self.written += os.read(self._ours, 1_000_000).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.02)
        return self.written

    def frame(self) -> str:
        """The newest whole frame, without colours: frames begin where the cursor goes home."""
        frames = self.read().split("\x1b[H")
        return CONTROLS.sub("", frames[-2]) if len(frames) > 2 else ""

    def shows(self, words: str) -> None:
        wait_for(lambda: words in self.frame())

    def ended(self) -> int:
        """The exit status; everything that it wrote has been read."""
        wait_for(lambda: self.read() is not None and self.process.poll() is not None)
        self.read()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self.theirs)


@pytest.fixture
def daemon(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    daemon = home.serve()
    yield daemon
    if daemon.poll() is None:
        end(daemon)


@pytest.fixture
def terminal(home: Home, daemon: subprocess.Popen[bytes]) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*words: str, columns: int = 100, lines: int = 30) -> Terminal:
        opened.append(Terminal(home, *words, columns=columns, lines=lines))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def is_as_before(terminal: Terminal) -> bool:
    """Whether screen, cursor and keyboard were given back as they were."""
    rest = terminal.written[terminal.written.rindex(LEAVE) :]
    same = termios.tcgetattr(terminal.theirs) == terminal.before
    return same and ENTER not in rest and SHOW_CURSOR in terminal.written


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "Ctrl-C"])
def test_top_draws_frames_until_somebody_quits(
    home: Home, terminal: Callable[..., Terminal], key: str
) -> None:
    top = terminal("top")
    top.shows("Nothing is loaded")
    home.ok("up", "demo-qwen3")
    top.shows("demo-qwen3 is ready")
    assert f"{home.url}/v1" in top.frame()
    assert re.search(r"demo-qwen3 +ready +0", top.frame())
    top.type(key)
    assert top.ended() == 0
    assert top.written.count("\x1b[H") > 3
    assert is_as_before(top)


def test_a_start_is_followed_and_a_smaller_terminal_is_filled(
    home: Home, terminal: Callable[..., Terminal], script: Callable[..., None]
) -> None:
    script(phases={"weights": 60})
    top = terminal("top", "--interval", "0.1")
    up = home.spawn("up", "demo-qwen3")
    top.shows("▸ loading weights")
    top.resize(50, 12)
    wait_for(lambda: len(top.frame().split("\n")) == 12)
    assert max(map(len, top.frame().split("\r\n"))) <= 51
    assert "demo-qwen3" in top.frame()
    top.process.send_signal(signal.SIGTERM)
    assert top.ended() == 0
    assert is_as_before(top)
    up.kill()
    up.wait()


@contextmanager
def asked(home: Home) -> Iterator[None]:
    """Somebody asks for one long answer after the other."""
    over = threading.Event()
    body = {"model": "demo-qwen3", "prompt": "Hi", "max_tokens": 1500, "ignore_eos": True}

    def ask() -> None:
        while not over.is_set():
            request = urllib.request.Request(  # noqa: S310
                f"{home.url}/v1/completions",
                json.dumps({**body, "stream": True}).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                while not over.is_set() and answer.readline():
                    pass

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()


def test_the_speed_of_a_model_that_is_asked(
    home: Home, terminal: Callable[..., Terminal], script: Callable[..., None]
) -> None:
    script(tokens_per_s=40, reply_tokens=400)
    home.ok("up", "demo-qwen3")
    top = terminal("top", columns=100, lines=30)
    top.shows("TOK/S")
    with asked(home):
        speed = r"demo-qwen3 +ready +[01] +\d+ +\d*[1-9][\d,.]* +[\d.]+ m?s +\d+ %"
        wait_for(lambda: re.search(speed, top.frame()) is not None)
        assert re.search(r"Machine .*CPU \d+ %", top.frame())
        wait_for(lambda: "tok/s out, first token" in home.ok("status"))
    top.type("q")
    assert top.ended() == 0


def test_what_is_amiss_and_what_to_type(
    home: Home, daemon: subprocess.Popen[bytes], script: Callable[..., None]
) -> None:
    script(fail_at_phase="weights", fail_message="cuda-oom")
    assert home.run("up", "demo-qwen3").returncode != 0
    home.environ["LINES"] = "60"
    frame = home.ok("top")
    assert re.search("── Findings  1 error", frame)
    assert " ✗ demo-qwen3 failed\n   ▸ sparkwell logs demo-qwen3 --errors\n" in frame
    said = home.ok("status")
    assert "Error    demo-qwen3 failed\n         `sparkwell logs demo-qwen3 --errors`" in said


def test_a_daemon_that_ends_is_waited_for(
    home: Home, daemon: subprocess.Popen[bytes], terminal: Callable[..., Terminal]
) -> None:
    top = terminal("top")
    top.shows("Nothing is loaded")
    end(daemon)
    top.shows("The daemon ended")
    second = home.serve()
    wait_for(lambda: "The daemon ended" not in top.frame())
    home.ok("up", "demo-qwen3")
    top.shows("demo-qwen3 is ready")
    top.type("q")
    assert top.ended() == 0
    assert end(second) == 0


def test_without_a_terminal_it_is_one_frame(home: Home, daemon: subprocess.Popen[bytes]) -> None:
    home.ok("up", "demo-qwen3")
    said = home.ok("top")
    assert said.startswith(" Sparkwell ")
    assert "demo-qwen3 is ready" in said
    assert "\x1b" not in said
    assert home.json("top").keys() == home.json("status").keys()


def test_without_a_daemon_it_says_so(home: Home) -> None:
    done = home.run("top")
    assert done.returncode == 2
    assert "No daemon is running." in done.stderr
