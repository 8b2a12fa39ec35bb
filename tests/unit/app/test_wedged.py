"""A start in the middle of which the machine went down counts as a failure of its model."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sparkwell.app.guard.wedged import count_wedged
from sparkwell.store import BreakerRow, Store
from sparkwell.supervisor.breaker import FAILURES_TO_OPEN, OPEN_S, PAUSES_AFTER_START_S

UNIX = 1_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "s.db"


def begun(file: Path, kind: str, boot: str | None = "before", model: str | None = "a") -> None:
    """The machine goes down in the middle of it."""
    with closing(Store(file, boot_id=boot)) as store:
        store.intents.begin(kind, model, "a-1")


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with closing(Store(file, boot_id="now")) as store:
        yield store


@pytest.mark.parametrize(("kind", "word"), [("start", "started"), ("wake", "woke")])
def test_it_counts_as_a_failure(file: Path, store: Store, kind: str, word: str) -> None:
    begun(file, kind)
    [said] = count_wedged(store, "now", now=UNIX)
    assert said == f"a: the machine restarted while it {word}, which makes 1 failure"
    row = BreakerRow(
        "a", 1, UNIX + PAUSES_AFTER_START_S[0], f"the machine restarted while it {word}", "a-1"
    )
    assert store.breakers.load() == {"a": row}
    assert store.intents.open() == []
    assert count_wedged(store, "now", now=UNIX) == []


def test_after_three_in_a_row_it_is_left_alone(file: Path, store: Store) -> None:
    for _ in range(FAILURES_TO_OPEN):
        begun(file, "start")
        [said] = count_wedged(store, "now", now=UNIX)
    assert "3 failures in a row. It is left alone until somebody asks for it" in said
    row = store.breakers.load()["a"]
    assert (row.failures, row.not_before) == (FAILURES_TO_OPEN, UNIX + OPEN_S)


def test_it_goes_on_with_a_row_that_began_before(file: Path, store: Store) -> None:
    store.breakers.save(BreakerRow("a", 1, UNIX + 1e9, "CUDA error", "a-0"))
    begun(file, "start")
    count_wedged(store, "now", now=UNIX)
    row = store.breakers.load()["a"]
    assert (row.failures, row.first_reason, row.first_instance) == (2, "CUDA error", "a-0")
    assert row.not_before == UNIX + PAUSES_AFTER_START_S[1]


@pytest.mark.parametrize("kind", ["stop", "sleep", "switch"])
def test_what_takes_no_memory_does_not_count(file: Path, store: Store, kind: str) -> None:
    begun(file, kind)
    assert count_wedged(store, "now", now=UNIX) == []
    assert (store.breakers.load(), len(store.intents.open())) == ({}, 1)


@pytest.mark.parametrize(("then", "now"), [("now", "now"), (None, "now"), ("before", None)])
def test_nor_what_the_machine_has_survived_or_nobody_can_tell(
    file: Path, store: Store, then: str | None, now: str | None
) -> None:
    begun(file, "start", then)
    assert count_wedged(store, now, now=UNIX) == []
    assert len(store.intents.open()) == 1
