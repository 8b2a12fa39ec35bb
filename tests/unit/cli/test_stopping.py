"""How commands that measure are ended by others; real signals, to this very process."""

import os
import signal
from collections.abc import Iterator

import pytest

from sparkwell.cli.main import _signal_of
from sparkwell.cli.stopping import StoppedError, as_at_ctrl_c, undisturbed

BOTH = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in BOTH}
    yield
    after = {each: signal.getsignal(each) for each in BOTH}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", BOTH)
def test_the_signal_is_known_afterwards(number: int) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, as_at_ctrl_c():
        send(number)
    assert _signal_of(caught.value) == number
    around = RuntimeError()
    around.__cause__ = caught.value
    assert _signal_of(around) == number
    assert _signal_of(KeyboardInterrupt()) == signal.SIGINT


def test_what_is_undisturbed_is_done_to_its_end_and_then_the_signal_counts() -> None:
    done = []

    def work() -> None:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        done.append(True)

    with pytest.raises(StoppedError) as caught, as_at_ctrl_c(), undisturbed():
        work()
    assert done == [True]
    assert caught.value.number == signal.SIGTERM


def test_ctrl_c_ends_that_too() -> None:
    with pytest.raises(KeyboardInterrupt), undisturbed():
        signal.raise_signal(signal.SIGINT)


def test_without_a_signal_nothing_is_raised_and_what_fails_is_told() -> None:
    with as_at_ctrl_c(), undisturbed():
        pass
    with pytest.raises(OSError, match="full"), as_at_ctrl_c(), undisturbed():
        raise OSError("full")
