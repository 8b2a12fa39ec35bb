import pytest

from sparkwell.batch.concurrency import MOST, UNKNOWN, Room, concurrency
from sparkwell.batch.lines import Line

LINES = [
    Line(n, str(n), "/v1/completions", "m", 0, 0, tokens) for n, tokens in ((1, 500), (2, 1500))
]


@pytest.mark.parametrize(
    ("room", "given", "at_once"),
    [
        (None, None, UNKNOWN),
        (None, 3, 3),
        (Room(64), None, 64),
        (Room(64, 1_000_000), None, 64),
        (Room(64, 10_000), None, 10),
        (Room(64, 500), None, 1),
        (Room(64, 0), None, 1),
        (Room(1024, 10_000_000), None, MOST),
        (Room(1024, 100_000), None, 100),
        (Room(64, 10_000), 100, 100),
    ],
)
def test_as_many_as_the_engine_takes(room: Room | None, given: int | None, at_once: int) -> None:
    found = concurrency(LINES, room, given)
    assert found.at_once == at_once
    assert found.why


def test_why_names_what_binds() -> None:
    assert (
        "KV cache holds so many of about 1,000 tokens"
        in concurrency(LINES, Room(64, 10_000), None).why
    )
    assert "max_num_seqs" in concurrency(LINES, Room(64, 10**9), None).why
