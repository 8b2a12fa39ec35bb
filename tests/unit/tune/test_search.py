"""What comes next: by Optuna, but never what is known, refused, or hopeless."""

from collections.abc import Mapping

import pytest
from tests.unit.tune.made import SPACE, failed, trial

from sparkwell.tune.knobs import Knob, Value
from sparkwell.tune.search import Candidate, Foretold, Search
from sparkwell.tune.trial import Trial

Values = Mapping[str, Value]


def nothing(_values: Values) -> Foretold:
    return Foretold()


def next_of(search: Search) -> Candidate:
    found, _ = search.next()
    assert found is not None
    return found


def as_trial(candidate: Candidate, number: int, value: float) -> Trial:
    return Trial(
        number=number, values=candidate.values, end="measured", at=0.0, value=value, kept=True
    )


def run(search: Search, worth: Mapping[int, float], most: int = 40) -> list[Trial]:
    """Until nothing is left: what a start is worth goes by its sequences."""
    done: list[Trial] = []
    for number in range(1, most):
        found, _ = search.next()
        if found is None:
            return done
        done.append(as_trial(found, number, worth[int(str(found.values["max_num_seqs"]))]))
        search.told(done[-1])
    return done


WORTH = {8: 1.0, 16: 2.0, 32: 4.0, 64: 3.0}


def test_what_is_suggested_comes_first() -> None:
    search = Search(SPACE, [trial(0)], nothing, seed=1)
    wanted: dict[str, Value] = {
        "max_num_seqs": 64,
        "kv_cache_dtype": "fp8",
        "attention_backend": None,
    }
    search.suggest(wanted)
    assert next_of(search).values == wanted


def test_a_small_space_is_searched_whole_and_nothing_twice() -> None:
    done = run(Search(SPACE, [trial(0)], nothing, seed=1), WORTH)
    tried = {tuple(sorted(each.values.items(), key=str)) for each in done}
    assert len(tried) == len(done) == 4 * 2 * 2 - 1, "all but the one from before"


def test_it_comes_near_the_best_soon() -> None:
    """Of sixteen in a row only one is as good as the best two."""
    knob = Knob("max_num_seqs", tuple(range(1, 101)), ordered=True)
    found = []
    for seed in range(10):
        search = Search((knob,), [], nothing, seed=seed)
        best = 0.0
        for number in range(1, 21):
            candidate = next_of(search)
            worth = 100.0 - abs(int(str(candidate.values["max_num_seqs"])) - 70)
            best = max(best, worth)
            search.told(as_trial(candidate, number, worth))
        found.append(best)
    assert sorted(found)[2] >= 97, found


def test_what_the_plan_refuses_is_not_started_and_told() -> None:
    def foretell(values: Values) -> Foretold:
        return Foretold("too large" if values["max_num_seqs"] != 8 else None)

    search = Search(SPACE, [], foretell, seed=3)
    seen: list[str | None] = []
    for number in range(1, 6):
        candidate, against = search.next()
        seen += [each.foretold.refusal for each in against]
        if candidate is None:
            break
        assert candidate.values["max_num_seqs"] == 8
        search.told(as_trial(candidate, number, 1.0))
    assert seen
    assert set(seen) == {"too large"}


def test_what_the_plan_expects_far_less_of_is_passed_over() -> None:
    def foretell(values: Values) -> Foretold:
        return Foretold(value=WORTH[int(str(values["max_num_seqs"]))])

    first = trial(0, 4.0, max_num_seqs=32, expected=4.0)
    search = Search(SPACE, [first], foretell, seed=1)
    done = run(search, WORTH)
    assert {each.values["max_num_seqs"] for each in done} == {32, 64}
    _, against = search.next()
    assert any("50% of what it does of the best" in str(each.foretold.refusal) for each in against)


def test_values_that_crash_are_not_tried_again() -> None:
    trials = [trial(0), failed(1, attention_backend="FLASHINFER"), failed(2, kv_cache_dtype="fp8")]
    done = run(Search(SPACE, trials, nothing, seed=1), WORTH)
    assert {each.values["attention_backend"] for each in done} == {None}
    assert {each.values["kv_cache_dtype"] for each in done} == {"bfloat16"}


def test_more_sequences_than_a_step_has_tokens_are_not_tried() -> None:
    tokens = Knob("max_num_batched_tokens", (16, 64), ordered=True)
    space = (SPACE[0], tokens)
    done = run(Search(space, [], nothing, seed=1), WORTH)
    assert {(each.values["max_num_seqs"], each.values["max_num_batched_tokens"]) for each in done} \
        == {(8, 16), (16, 16), (8, 64), (16, 64), (32, 64), (64, 64)}  # fmt: skip


def test_a_search_goes_on_from_trials_of_before() -> None:
    first = Search(SPACE, [trial(0)], nothing, seed=1)
    done = [trial(0)]
    for number in range(1, 6):
        done.append(as_trial(next_of(first), number, 1.0))
        first.told(done[-1])
    rest = run(Search(SPACE, done, nothing, seed=1), WORTH)
    known = {tuple(sorted(each.values.items(), key=str)) for each in done}
    new = {tuple(sorted(each.values.items(), key=str)) for each in rest}
    assert not known & new
    assert len(known | new) == 16


def test_a_first_repeat_far_behind_is_hopeless() -> None:
    search = Search(SPACE, [], nothing, seed=1)
    for number in range(1, 7):
        candidate = next_of(search)
        assert not search.is_hopeless(10.0)
        search.told(as_trial(candidate, number, 10.0))
    next_of(search)
    assert search.is_hopeless(1.0)


@pytest.mark.parametrize(("value", "hopeless"), [(6.9, True), (7.1, False)])
def test_far_behind_the_best_it_is_hopeless_from_the_first_on(value: float, hopeless: bool) -> None:
    search = Search(SPACE, [trial(0, 10.0)], nothing, seed=1, far_behind=0.7)
    next_of(search)
    assert search.is_hopeless(value) is hopeless


def test_without_a_trial_that_counts_nothing_is_far_behind() -> None:
    search = Search(SPACE, [trial(0, 10.0, kept=False)], nothing, seed=1, far_behind=0.7)
    next_of(search)
    assert not search.is_hopeless(0.1)


@pytest.mark.parametrize("overran", [False, True])
def test_what_the_budgets_end_cut_is_tried_again(overran: bool) -> None:
    """It was the budget that was too small; one that took too long would again."""
    knob = Knob("max_num_seqs", (16, 64), ordered=True)
    cut = Trial(
        number=1, values={"max_num_seqs": 64}, end="pruned", at=0.0, overran=overran,
        why="took too long",
    )  # fmt: skip
    first = Trial(
        number=0, values={"max_num_seqs": 16}, end="measured", at=0.0, value=2.0, kept=True
    )
    search = Search((knob,), [first, cut], nothing, seed=1)
    search.suggest({"max_num_seqs": 64})
    found, _ = search.next()
    assert (found is None) is overran
    if found is not None:
        assert found.values == cut.values


@pytest.mark.parametrize("end", ["failed", "refused", "passed over", "pruned"])
def test_every_end_is_remembered(end: str) -> None:
    """Optuna takes them all, with no value or with one."""
    before = trial(1, 0.5 if end == "pruned" else None, end=end, kept=False, max_num_seqs=64)
    assert run(Search(SPACE, [trial(0), before], nothing, seed=1), WORTH)
