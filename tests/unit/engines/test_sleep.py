"""Sleep mode: which engines and machines have it, what is asked, what stays held."""

from dataclasses import replace

import pytest

from sparkwell.core.units import GIB
from sparkwell.engines.vllm.flags import check_flags
from sparkwell.engines.vllm.sleep import (
    FLAGS,
    RESIDUE_BYTES,
    BackEnd,
    Call,
    allowed_back_ends,
    asleep_bytes,
    asleep_host_bytes,
    impossible,
    sleep_calls,
    wake_calls,
)
from sparkwell.hardware.machine import Machine

H100 = Machine("h100", "an H100", "cuda", 80 * GIB, unified=False, sleep_mode_safe=True)
SPARK = Machine("spark", "a Spark", "cuda", 121 * GIB, unified=True, sleep_mode_safe=False)
SLEEPS = (BackEnd.SLEEP_1, BackEnd.SLEEP_2)
WEIGHTS = 9 * GIB


def test_back_ends_by_name_and_level() -> None:
    assert [(each.value, each.level) for each in BackEnd] == [
        ("cold", 0),
        ("sleep-1", 1),
        ("sleep-2", 2),
    ]


def test_level_1_is_one_call_each_way() -> None:
    assert sleep_calls(BackEnd.SLEEP_1) == (Call("/sleep?level=1"),)
    assert wake_calls(BackEnd.SLEEP_1) == (Call("/wake_up"),)


def test_level_2_loads_the_weights_before_the_cache_takes_the_room() -> None:
    assert sleep_calls(BackEnd.SLEEP_2) == (Call("/sleep?level=2"),)
    assert wake_calls(BackEnd.SLEEP_2) == (
        Call("/wake_up?tags=weights"),
        Call("/collective_rpc", {"method": "reload_weights"}),
        Call("/wake_up?tags=kv_cache"),
    )


def test_the_flag_is_one_of_vllms() -> None:
    assert check_flags(FLAGS, version="0.25.0") == FLAGS


@pytest.mark.parametrize(
    ("back_end", "unified", "held", "host"),
    [
        (BackEnd.COLD, False, 0, 0),
        (BackEnd.COLD, True, 0, 0),
        (BackEnd.SLEEP_1, False, RESIDUE_BYTES, int(1.5 * WEIGHTS)),
        (BackEnd.SLEEP_1, True, RESIDUE_BYTES + int(1.5 * WEIGHTS), 0),
        (BackEnd.SLEEP_2, False, RESIDUE_BYTES, 0),
        (BackEnd.SLEEP_2, True, RESIDUE_BYTES, 0),
    ],
)
def test_what_stays_held(back_end: BackEnd, unified: bool, held: int, host: int) -> None:
    assert asleep_bytes(back_end, WEIGHTS, unified=unified) == held
    assert asleep_host_bytes(back_end, WEIGHTS, unified=unified) == host


def test_unknown_weights_are_unknown_where_they_matter() -> None:
    assert asleep_bytes(BackEnd.SLEEP_1, None, unified=True) is None
    assert asleep_host_bytes(BackEnd.SLEEP_1, None, unified=False) is None
    assert asleep_bytes(BackEnd.SLEEP_2, None, unified=True) == RESIDUE_BYTES


@pytest.mark.parametrize(
    ("weights", "seen_gib"), [(9_436_551_168, 12.8), (9_436_551_168, 12.5), (9_081_202_688, 10.2)]
)
def test_what_the_host_gave_on_an_h100_is_not_above_the_figure(
    weights: int, seen_gib: float
) -> None:
    figure = asleep_host_bytes(BackEnd.SLEEP_1, weights, unified=False)
    assert figure is not None
    assert seen_gib * GIB <= figure <= 2 * weights


def test_another_residue() -> None:
    assert asleep_bytes(BackEnd.SLEEP_2, None, unified=False, residue_bytes=GIB) == GIB


def test_an_h100_may_sleep_either_way() -> None:
    assert allowed_back_ends(H100, "vllm", "0.25.0+cu130", "cuda") == dict.fromkeys(BackEnd)


@pytest.mark.parametrize("back_end", SLEEPS)
def test_a_spark_does_not_sleep_unless_it_is_forced(back_end: BackEnd) -> None:
    allowed = allowed_back_ends(SPARK, "vllm", "0.32.0", "cuda")
    assert allowed[BackEnd.COLD] is None
    assert "50011" in str(allowed[back_end])
    assert "same memory" in str(allowed[back_end])
    assert impossible(back_end, "vllm", "0.32.0", "cuda") is None


@pytest.mark.parametrize("back_end", SLEEPS)
def test_nobody_has_tried_is_no_yes(back_end: BackEnd) -> None:
    unknown = replace(H100, sleep_mode_safe=None)
    assert "not known" in str(allowed_back_ends(unknown, "vllm", "0.32.0", "cuda")[back_end])


@pytest.mark.parametrize(
    ("engine", "version", "device", "words"),
    [
        ("ollama", "0.12.0", "cuda", "ollama has no sleep mode"),
        ("vllm", "0.32.0", "cpu", "on a CPU"),
        ("vllm", None, "cuda", "not known"),
        ("vllm", "nightly", "cuda", "not known"),
        ("vllm", "0.10.0", "cuda", "too old"),
    ],
)
@pytest.mark.parametrize("back_end", SLEEPS)
def test_what_no_setting_can_force(
    back_end: BackEnd, engine: str, version: str | None, device: str, words: str
) -> None:
    assert words in str(impossible(back_end, engine, version, device))
    allowed = allowed_back_ends(H100, engine, version, device)
    assert words in str(allowed[back_end])
    assert allowed[BackEnd.COLD] is None


@pytest.mark.parametrize(
    ("version", "level_2"), [("0.10.1.1", False), ("0.15.1", False), ("0.16.0", True)]
)
def test_loading_again_came_later_than_sleeping(version: str, level_2: bool) -> None:
    allowed = allowed_back_ends(H100, "vllm", version, "cuda")
    assert allowed[BackEnd.SLEEP_1] is None
    assert (allowed[BackEnd.SLEEP_2] is None) is level_2
