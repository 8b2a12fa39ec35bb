"""Words on the way, for whoever still reads them."""

import errno
import os
import stat
import sys
from contextlib import suppress

import click

_GONE = (errno.EIO, errno.EPIPE)
"""What a terminal that hung up answers, and a pipe that nobody reads."""


def tell(text: str) -> None:
    """Say it on stderr; where terminal or pipe are gone, or cannot show it, nothing comes of it."""
    with suppress(OSError, UnicodeError):
        click.echo(text, err=True)


def show(text: str) -> None:
    """Say it on stdout, if anybody is still there; OSError for what a person has to know of."""
    try:
        click.echo(text)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        _let_go(sys.stdout.fileno())


def let_go_of_terminal() -> None:
    """Once it has hung up, what is said to it goes nowhere, in the place of ending the command."""
    for number in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode):
                _let_go(number)


def _let_go(number: int) -> None:
    """What is still in a buffer would fail at the very end, and be the exit status."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
