"""Which of the files that were kept somebody means."""

import pytest

from sparkwell.core.errors import UsageError
from sparkwell.core.kept_names import named

NAMES = ("20260102-m-x", "20260102-m", "20260101-m")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("1", "20260102-m-x"), ("3", "20260101-m"), ("20260101", "20260101-m"),
        ("20260102-m", "20260102-m"), ("20260102-m-", "20260102-m-x"),
    ],
)  # fmt: skip
def test_by_number_by_name_or_by_how_one_begins(asked: str, found: str) -> None:
    assert named(NAMES, asked, "run", "") == found


def test_a_number_of_one_that_is_there_goes_before_a_beginning() -> None:
    assert named(("2026", "1999"), "2", "run", "") == "1999"
    assert named(("2026", "1999"), "2026", "run", "") == "2026"


def test_the_second_of_one_is_not_the_first_whose_name_begins_with_2() -> None:
    """`bench compare 1 2` had compared the only run with itself."""
    with pytest.raises(UsageError, match="There is no run '2'"):
        named(("20260101-m",), "2", "run", "")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("2026", "3 runs begin with '2026'."), ("9", "There is no run '9'."),
        ("0", "There is no run '0'."), ("", "There is no run ''."), ("m", "There is no run 'm'."),
    ],
)  # fmt: skip
def test_none_and_several_are_told(asked: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        named(NAMES, asked, "run", "`sparkwell bench list` names them.")
    assert caught.value.message == said
    assert caught.value.hint == "`sparkwell bench list` names them."
