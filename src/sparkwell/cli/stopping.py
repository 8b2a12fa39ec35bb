"""How commands that measure are ended by others: SIGTERM, and the terminal's end, as Ctrl-C."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from sparkwell.cli.telling import let_go_of_terminal

Handlers = Mapping[signal.Signals, Any]


class StoppedError(KeyboardInterrupt):
    """As Ctrl-C; ``number`` is the signal that it was."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


async def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """End at SIGTERM, or with the terminal, as at Ctrl-C: what was measured is kept."""
    task, loop, came = asyncio.ensure_future(work), asyncio.get_running_loop(), list[int]()

    def stop(number: int) -> None:
        came.append(number)
        _quietly(number)
        task.cancel()

    before = _handlers()
    for number in before:
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        raise StoppedError(next(iter(came), signal.SIGINT)) from None
    finally:
        for number in before:
            loop.remove_signal_handler(number)
        _set(before)


@contextmanager
def as_at_ctrl_c() -> Iterator[None]:
    """SIGTERM, and the end of the terminal, end what is done here as Ctrl-C does."""

    def stop(number: int, _frame: object) -> NoReturn:
        _quietly(number)
        raise StoppedError(number)

    with _handled_by(stop):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """SIGTERM, and the end of the terminal, wait for the end of what is done here.

    Whoever ends a group of processes often sends it twice, as `timeout` does; and what was measured
    is to be kept. A second Ctrl-C ends this too: a person may have waited long enough.
    """
    came = list[int]()

    def later(number: int, _frame: object) -> None:
        _quietly(number)
        came.append(number)

    with _handled_by(later):
        yield
    for number in came[:1]:
        signal.raise_signal(number)


@contextmanager
def _handled_by(handler: Callable[[int, Any], object]) -> Iterator[None]:
    before = _handlers()
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        _set(before)


def _quietly(number: int) -> None:
    if number == signal.SIGHUP:
        let_go_of_terminal()


def _handlers() -> Handlers:
    """Those of now, to be set again: what is done later may have to be told as well."""
    found = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    if found[signal.SIGHUP] is signal.SIG_IGN:  # nohup's
        del found[signal.SIGHUP]
    return found


def _set(handlers: Handlers) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
