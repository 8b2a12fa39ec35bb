"""Values of the flags that are searched: near to others, in their place, beside those before."""

from typing import Any

import pytest

from sparkwell.tune.knobs import Knob
from sparkwell.tune.values import changed, flags_of, is_possible, nearest, own_cache, with_value

SEQS = Knob("max_num_seqs", (8, 64, 256), ordered=True)
BACKEND = Knob("attention_backend", (None, "FLASHINFER"))


@pytest.mark.parametrize(("given", "near"), [(64, 64), (50, 64), (9, 8), (1000, 256), (None, 8)])
def test_a_search_begins_at_the_nearest_value(given: Any, near: int) -> None:
    assert nearest([SEQS], {"max_num_seqs": given})["max_num_seqs"] == near


def test_a_flag_that_is_not_set_is_the_engines_own() -> None:
    assert nearest([BACKEND], {}) == {"attention_backend": None}


def test_a_value_from_before_is_put_in_its_place() -> None:
    assert with_value(SEQS, 48).values == (8, 48, 64, 256)
    assert with_value(SEQS, 64).values == (8, 64, 256)
    assert with_value(BACKEND, None).values == (None, "FLASHINFER")


def test_what_was_set_before_cannot_be_left_out() -> None:
    """To leave a flag out does not unset what recipe or settings say."""
    assert with_value(BACKEND, "TRITON_ATTN").values == ("TRITON_ATTN", "FLASHINFER")
    assert with_value(BACKEND, "FLASHINFER").values == ("FLASHINFER",)


def test_what_was_not_set_before_may_stay_so() -> None:
    """The engine's own choice is no size of ours."""
    knob = with_value(SEQS, None)
    assert knob.values == (None, 8, 64, 256)
    assert nearest([knob], {}) == {"max_num_seqs": None}


def test_no_flag_is_set_for_none() -> None:
    assert flags_of({"a": None, "b": False, "c": 0}) == {"b": False, "c": 0}


def test_what_changed() -> None:
    assert changed({"a": 1, "b": None}, {"a": 2, "b": None}) == {"a": 1}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_num_seqs": 64, "max_num_batched_tokens": 64}, True),
        ({"max_num_seqs": 65, "max_num_batched_tokens": 64}, False),
        ({"max_num_seqs": 65}, True),
        ({}, True),
    ],
)
def test_a_step_has_room_for_all_sequences(values: dict[str, Any], said: bool) -> None:
    assert is_possible(values) is said


def test_a_seed_with_a_narrow_cache_has_a_twin_without() -> None:
    caches = [Knob("kv_cache_dtype", (None, "fp8")), Knob("max_num_seqs", (64, 256), ordered=True)]
    assert own_cache(caches, {"kv_cache_dtype": "fp8", "max_num_seqs": 256}) == {
        "kv_cache_dtype": None, "max_num_seqs": 256,
    }  # fmt: skip
    before = [Knob("kv_cache_dtype", ("fp8", "bfloat16"))]
    assert own_cache(before, {"kv_cache_dtype": "fp8"}) == {"kv_cache_dtype": "bfloat16"}
    assert own_cache([], {"max_num_seqs": 256}) == {"max_num_seqs": 256}
