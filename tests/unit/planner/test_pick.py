"""Which of those that were rated come into question."""

from collections.abc import Sequence

import pytest

from sparkwell.planner.pick import about_best


@pytest.mark.parametrize(
    ("rated", "found"),
    [
        ([], ""),
        ([(100.0, "A"), (98.0, "B"), (97.9, "C")], "AB"),
        ([(100.0, "A"), (104.9, "a")], "A"),
        ([(100.0, "A"), (105.0, "a")], "a"),
        ([(100.0, "A"), (99.0, "B"), (99.0, "a")], "AB"),
        ([(104.0, "A"), (105.0, "B"), (110.25, "a"), (111.0, "b")], "ab"),
        ([(98.0, "a"), (100.0, "b")], "ab"),
        ([(0.0, "A"), (0.0, "a")], "Aa"),
    ],
)
def test_who_is_narrow_has_to_gain_enough(rated: Sequence[tuple[float, str]], found: str) -> None:
    """Small letters are those with keys and values in 8 bits."""
    assert about_best(rated, str.isupper) == list(found)
