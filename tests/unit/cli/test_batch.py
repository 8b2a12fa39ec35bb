from pathlib import Path

import pytest

from sparkwell.app.batching import BatchWish
from sparkwell.batch.concurrency import Concurrency
from sparkwell.batch.run import Course
from sparkwell.cli.batch_text import document, so_far, text

WISH = BatchWish(Path("in"), (), Path("out"), Path("refused"), "http://box")
AT_ONCE = {"m": Concurrency(8, "so many")}


@pytest.mark.parametrize(
    ("course", "said"),
    [
        (Course(10, 10), "All 10 requests are answered in out already."),
        (Course(10, 7, failed=3, model="m"), "No new answer came; out has 7 of 10."),
        (
            Course(2_000, 7, 1_993, prompt_tokens=9, output_tokens=40, model="m"),
            "1,993 of 2,000 requests answered in 4 s, 7 were answered before: 9 prompt tokens, "
            "40 generated (10 tokens/s). They are in out.",
        ),
    ],
)
def test_what_came_of_it_in_a_line(course: Course, said: str) -> None:
    assert text(WISH, course, 4.0).splitlines()[0] == said


def test_how_many_at_a_time_and_what_failed_are_told() -> None:
    said = text(WISH, Course(4, 0, 3, 1, concurrency=AT_ONCE), 1.0)
    assert "m: 8 at a time (so many)." in said
    assert "1 failed: refused says why." in said


def test_the_document() -> None:
    found = document(WISH, Course(4, 1, 2, 1, 5, 6, concurrency=AT_ONCE), 1.23456)
    assert found == {
        "requests": 4, "answered_before": 1, "answered": 2, "failed": 1,
        "prompt_tokens": 5, "output_tokens": 6, "seconds": 1.235,
        "concurrency": {"m": {"at_once": 8, "why": "so many"}},
        "answers_file": "out", "failed_file": "refused",
    }  # fmt: skip


def test_how_far_it_came() -> None:
    assert so_far(WISH, Course(10, 2, 3)) == "5 of 10 requests are answered in out; 5 are left."
