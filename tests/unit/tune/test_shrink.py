"""What crashes teach."""

from tests.unit.tune.made import BACKEND, SPACE, failed, trial

from sparkwell.tune.knobs import Knob
from sparkwell.tune.shrink import dropped, is_dropped
from sparkwell.tune.trial import Trial


def test_nothing_is_dropped_without_a_crash() -> None:
    assert dropped(SPACE, [trial(), trial(max_num_seqs=64)]) == frozenset()


def test_a_value_alone_between_a_good_start_and_a_crash_is_to_blame() -> None:
    found = dropped(SPACE, [trial(), failed(attention_backend="FLASHINFER")])
    assert found == {("attention_backend", "FLASHINFER")}


def test_of_two_changes_none_is_blamed_at_once() -> None:
    crash = failed(attention_backend="FLASHINFER", kv_cache_dtype="fp8")
    assert dropped(SPACE, [trial(), crash]) == frozenset()


def test_what_took_too_long_teaches_as_much_and_what_the_budget_ended_nothing() -> None:
    def ended(*, overran: bool) -> Trial:
        return trial(2, None, end="pruned", kept=False, overran=overran, max_num_seqs=64)

    assert dropped(SPACE, [trial(), ended(overran=True)]) == {("max_num_seqs", 64)}
    assert dropped(SPACE, [trial(), ended(overran=False)]) == frozenset()
    assert dropped(SPACE, [trial(), ended(overran=False), failed(max_num_seqs=64)]) == {
        ("max_num_seqs", 64)
    }


def test_what_crashed_twice_and_never_served_is_to_blame() -> None:
    crashes = [
        failed(attention_backend="FLASHINFER", kv_cache_dtype="fp8"),
        failed(attention_backend="FLASHINFER", max_num_seqs=32),
    ]
    assert dropped(SPACE, [trial(), *crashes]) == {("attention_backend", "FLASHINFER")}


def test_what_served_once_is_not_to_blame() -> None:
    trials = [
        trial(attention_backend="FLASHINFER"),
        failed(attention_backend="FLASHINFER", kv_cache_dtype="fp8"),
        failed(attention_backend="FLASHINFER", kv_cache_dtype="fp8", max_num_seqs=32),
    ]
    assert ("attention_backend", "FLASHINFER") not in dropped(SPACE, trials)


def test_of_sizes_the_larger_go_too_unless_they_served() -> None:
    found = dropped(SPACE, [trial(), failed(max_num_seqs=32)])
    assert found == {("max_num_seqs", 32), ("max_num_seqs", 64)}
    served = [trial(), failed(max_num_seqs=32), trial(max_num_seqs=64, kv_cache_dtype="fp8")]
    assert dropped(SPACE, served) == {("max_num_seqs", 32)}


def test_the_engines_own_choice_is_no_size() -> None:
    knob = Knob("max_num_seqs", (None, 8, 16), ordered=True)
    found = dropped((knob,), [trial(max_num_seqs=8), failed(max_num_seqs=None)])
    assert found == {("max_num_seqs", None)}


def test_without_a_good_start_nothing_is_known() -> None:
    assert dropped(SPACE, [failed(), failed()]) == frozenset()


def test_what_was_ruled_out_by_the_plan_is_no_crash() -> None:
    refused = trial(attention_backend="FLASHINFER", value=None, end="refused", kept=False)
    assert dropped(SPACE, [trial(), refused]) == frozenset()


def test_values_with_a_dropped_one_are_dropped() -> None:
    without = frozenset({(BACKEND.name, "FLASHINFER")})
    assert is_dropped({"attention_backend": "FLASHINFER", "max_num_seqs": 8}, without)
    assert not is_dropped({"attention_backend": None}, without)
