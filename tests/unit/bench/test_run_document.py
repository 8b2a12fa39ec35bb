"""A run's document, read again."""

import pytest

from sparkwell.bench.run_document import mean_of, requests_of


def test_requests_have_the_names_of_their_columns() -> None:
    repeat = {"requests": {"columns": ["ttft_s", "error"], "rows": [[0.1, None], [None, "cut"]]}}
    assert requests_of(repeat) == [
        {"ttft_s": 0.1, "error": None}, {"ttft_s": None, "error": "cut"},
    ]  # fmt: skip


def test_a_row_that_lacks_something_is_no_request() -> None:
    with pytest.raises(ValueError, match="shorter"):
        requests_of({"requests": {"columns": ["ttft_s", "error"], "rows": [[0.1]]}})


def test_a_mean_that_nobody_could_take_is_none() -> None:
    case = {"measured": {"ttft_p50_s": {"mean": 0.25, "low": None}}}
    assert mean_of(case, "ttft_p50_s") == 0.25
    assert mean_of(case, "goodput") is None
