"""What a guard that could not start has written on standard error."""

import pytest

from sparkwell.app.guard.last_words import LONGEST, end_of, is_whole_traceback

WHOLE = """warning: first
Traceback (most recent call last):
  File "main.py", line 38, in main
    guard(folder, options)
FileNotFoundError: [Errno 2] No such file or directory: 'meminfo'
"""


def test_a_traceback_is_whole_with_the_line_that_names_the_exception() -> None:
    assert is_whole_traceback(WHOLE)


@pytest.mark.parametrize("end", range(len(WHOLE)))
def test_no_beginning_of_it_is(end: int) -> None:
    assert not is_whole_traceback(WHOLE[:end])


def test_other_words_are_none() -> None:
    assert not is_whole_traceback("warning: something else\n")


def test_of_much_the_end_is_told_and_of_nothing_that() -> None:
    assert end_of("  \n") == "it said nothing"
    assert end_of("x" * LONGEST + "the end\n").endswith("the end")
    assert len(end_of("x" * LONGEST + "the end\n")) == LONGEST
