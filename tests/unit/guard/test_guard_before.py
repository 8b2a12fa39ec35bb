"""Before a start: room is counted, and the page cache is dropped where that is permitted."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sparkwell.guard.before import drop_page_cache, refusal
from sparkwell.guard.rules import GIB

SIZES = st.integers(0, 200 * GIB)


def test_a_start_with_room_is_not_refused() -> None:
    assert refusal(20 * GIB, 12 * GIB, 8 * GIB) is None


def test_a_refusal_says_what_is_there_what_is_needed_and_what_would_be_left() -> None:
    found = refusal(20 * GIB, 15 * GIB, 8 * GIB)
    assert found is not None
    assert found.short_bytes == 3 * GIB
    assert found.message == (
        "20.0 GiB are available and the start needs 15.0 GiB: that would leave 5.0 GiB, and the "
        "memory guard keeps 8.0 GiB free."
    )
    assert found.hint.startswith("Make 3.0 GiB available")


def test_more_than_there_is_is_lacking() -> None:
    found = refusal(10 * GIB, 15 * GIB, 8 * GIB)
    assert found is not None
    assert "lacks 5.0 GiB" in found.message


@given(SIZES, SIZES, SIZES)
def test_what_is_short_is_exactly_what_makes_it_fit(
    available: int, needed: int, floor: int
) -> None:
    found = refusal(available, needed, floor)
    assert (found is None) == (available - needed >= floor)
    assert found is None or refusal(available + found.short_bytes, needed, floor) is None


def test_the_page_cache_is_dropped_by_a_write(tmp_path: Path) -> None:
    file = tmp_path / "drop_caches"
    file.write_text("0")
    assert drop_page_cache(file)
    assert file.read_text() == "3"


def test_where_that_is_not_permitted_it_says_so(tmp_path: Path) -> None:
    assert not drop_page_cache(tmp_path / "missing")
    assert not drop_page_cache(tmp_path)
