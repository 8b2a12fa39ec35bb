"""The one that changes a tuning, and saves it."""

import pytest
from tests.unit.app.tuning.simulated import H100, wish
from tests.unit.tune.made import SEQS, failed, trial

from sparkwell.app.tuning.beginning import begun, place
from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.app.tuning.ledger import Ledger
from sparkwell.tune.trial import Trial

WHERE = place(H100, "vllm", "0.25.0")


class Book:
    """A ledger, and how many trials each state that it saved had."""

    def __init__(self) -> None:
        self.tuning: Tuning = begun(wish(), H100, 8192)
        self.saved: list[int] = []
        self.ledger = Ledger(
            self.tuning, lambda kept: self.saved.append(len(kept.trials)), lambda _: None
        )


def test_what_the_first_start_told_is_saved_with_its_trial() -> None:
    book = Book()
    book.ledger.describe(WHERE, [SEQS])
    assert (book.tuning.place, book.tuning.space, book.saved) == (WHERE, (SEQS,), [])
    book.ledger.begin_with(trial(0))
    assert book.saved == [1]


def test_the_first_takes_the_place_of_what_was_known_of_it() -> None:
    book = Book()
    book.ledger.begin_with(failed(0))
    book.ledger.begin_with(trial(0))
    book.ledger.add(trial(1))
    assert book.ledger.begin_with(trial(0, 2.0)) == trial(0, 2.0)
    assert [each.value for each in book.tuning.trials] == [2.0, 1.0]


def test_what_was_applied_is_part_of_what_came_of_it() -> None:
    book = Book()
    book.ledger.applied("x.yaml", {})
    assert (book.tuning.outcome, book.saved) == (None, []), "nothing came of it yet"
    book.ledger.end(Outcome("done", winner=1, holds=True))
    spent_s = book.tuning.spent_s
    book.ledger.applied("x.yaml", {"max_num_seqs": 2})
    outcome = Outcome(
        "done", winner=1, holds=True, overlay="x.yaml", outweighed={"max_num_seqs": 2}
    )
    assert book.tuning.outcome == outcome
    assert len(book.saved) == 2
    assert book.tuning.spent_s == spent_s


def test_a_trial_stays_as_it_was_written_down() -> None:
    with pytest.raises(AttributeError):
        trial(0).value = 2.0  # type: ignore[misc]


def test_what_is_needed_is_not_known_before_a_whole_trial() -> None:
    first = trial(0, start_s=60.0, measure_s=20.0, figures=[{}])
    assert needed_s() is None
    assert needed_s(failed(0)) is None
    assert (needed_s(first) or 0.0) > 80.0


def needed_s(*trials: Trial) -> float | None:
    book = Book()
    book.tuning.trials[:] = trials
    return book.ledger.needed_s
