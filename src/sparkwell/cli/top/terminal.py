"""The terminal of `sparkwell top`: keys without Enter, signals, and everything put back."""

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

QUITTING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heard(on_quit: Callable[[], None], on_resize: Callable[[], None]) -> Iterator[bool]:
    """Call ``on_quit`` for q, Ctrl-C and SIGTERM, and ``on_resize`` when the size changes.

    Inside a running event loop. What it yields says whether keys are heard: not where stdin is
    no terminal.
    """
    loop = asyncio.get_running_loop()
    for number in QUITTING:
        loop.add_signal_handler(number, on_quit)
    loop.add_signal_handler(signal.SIGWINCH, on_resize)
    try:
        with _keys(on_quit) as keys:
            yield keys
    finally:
        for number in (*QUITTING, signal.SIGWINCH):
            loop.remove_signal_handler(number)


@contextmanager
def _keys(on_quit: Callable[[], None]) -> Iterator[bool]:
    if sys.stdin is None or not sys.stdin.isatty():
        yield False
        return
    number, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(number)

    def typed() -> None:
        keys = os.read(number, 1024)
        if not keys:  # the terminal hung up: it would be readable for ever
            loop.remove_reader(number)
        if not keys or keys in (b"q", b"Q"):
            on_quit()

    try:
        termios.tcsetattr(number, termios.TCSANOW, _without_lines(number))
        loop.add_reader(number, typed)
        yield True
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSAFLUSH, before)


def _without_lines(number: int) -> list[Any]:
    """Keys come one by one and unseen; Ctrl-C stays a signal, Ctrl-Z would leave a torn screen."""
    mode = termios.tcgetattr(number)
    mode[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON)
    characters = mode[tty.CC]
    characters[termios.VMIN], characters[termios.VTIME] = b"\1", b"\0"
    characters[termios.VSUSP] = b"\0"
    return mode
