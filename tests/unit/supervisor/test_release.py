"""Whether memory has come back: judged from looks, without a machine."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.units import GIB, MIB
from sparkwell.engines.vllm.sleep import RELOADED_BYTES
from sparkwell.supervisor.release import (
    GIVE_UP_S,
    SUSPECT_S,
    Baseline,
    Judgement,
    Look,
    Verdict,
    judge,
    tolerance_bytes,
    words_of,
)

TOTAL = 128 * GIB
BEFORE = Baseline(Look(0.0, 100 * GIB, 10 * GIB))


def judged(
    *looks: Look, baseline: Baseline = BEFORE, total: int = TOTAL, engines_left: bool = False
) -> Judgement:
    return judge(baseline, looks, total, engines_left=engines_left)


def verdict(
    available_gib: float, others_gib: float | None = 10.0, at: float = 0.0, *, left: bool = False
) -> Verdict:
    """What a look at this moment means, the first one having been at 0."""
    others = None if others_gib is None else int(others_gib * GIB)
    last = Look(at, int(available_gib * GIB), others)
    looks: Sequence[Look] = [Look(0.0, 0, others), last] if at else [last]
    return judged(*looks, engines_left=left).verdict


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (100.0, Verdict.BACK),
        (120.0, Verdict.BACK),  # something else has ended meanwhile
        (98.8, Verdict.BACK),  # the system's own needs vary
        (98.6, Verdict.WAIT),
        (40.0, Verdict.WAIT),
    ],
)
def test_back_is_nearly_what_it_was(available: float, expected: Verdict) -> None:
    assert verdict(available) is expected


def test_the_tolerance_is_a_share_of_the_memory_and_never_too_small() -> None:
    assert tolerance_bytes(TOTAL) == int(0.01 * TOTAL)
    assert tolerance_bytes(8 * GIB) == 512 * MIB


def test_what_started_since_may_hold_more_than_its_plan() -> None:
    # As seen on an H100: 79.2 GiB before, an engine planned at 56.0 GiB since, 21.6 left.
    beside = Baseline(Look(0.0, int(79.2 * GIB)), newer_bytes=int(56.0 * GIB))
    at = Look(0.0, int(21.6 * GIB))
    assert judged(at, baseline=beside, total=int(79.2 * GIB)).verdict is Verdict.BACK
    alone = Baseline(Look(0.0, int(23.2 * GIB)))
    assert judged(at, baseline=alone, total=int(79.2 * GIB)).verdict is Verdict.WAIT
    much = Look(0.0, int(18.9 * GIB))
    assert judged(much, baseline=beside, total=int(79.2 * GIB)).verdict is Verdict.WAIT
    assert tolerance_bytes(TOTAL, 50 * GIB) == tolerance_bytes(TOTAL) + 3 * GIB
    assert tolerance_bytes(TOTAL, 56 * GIB) - tolerance_bytes(TOTAL) > 1.6 * GIB + RELOADED_BYTES


def test_what_other_programs_have_taken_is_not_waited_for() -> None:
    assert verdict(60.0, 50.0) is Verdict.EXPLAINED
    assert verdict(60.0, 30.0) is Verdict.WAIT  # half of it
    assert verdict(60.0, 5.0) is Verdict.WAIT  # they have freed some
    assert verdict(60.0, 49.0) is Verdict.EXPLAINED  # the system's own needs vary here too
    freed = Baseline(Look(0.0, 100 * GIB, 50 * GIB))
    assert judged(Look(0.0, 60 * GIB, 10 * GIB), baseline=freed).verdict is Verdict.WAIT
    found = judged(Look(0.0, 60 * GIB, 50 * GIB))
    assert (found.missing_bytes, found.others_bytes) == (40 * GIB, 40 * GIB)


def test_where_others_cannot_be_counted_nothing_is_explained() -> None:
    assert verdict(60.0, None) is Verdict.WAIT
    found = judged(Look(0.0, 60 * GIB), baseline=Baseline(Look(0.0, 100 * GIB)))
    assert (found.verdict, found.others_bytes) == (Verdict.WAIT, None)


def test_a_reboot_is_suspected_late_and_only_without_another_reason() -> None:
    assert verdict(60.0, at=SUSPECT_S - 0.1) is Verdict.WAIT
    assert verdict(60.0, at=SUSPECT_S) is Verdict.SUSPECT
    assert verdict(60.0, at=4 * SUSPECT_S, left=True) is Verdict.WAIT
    assert verdict(60.0, 50.0, at=SUSPECT_S) is Verdict.EXPLAINED
    assert verdict(99.0, at=SUSPECT_S) is Verdict.BACK


def test_an_engine_that_nobody_accounts_for_is_not_waited_for_without_end() -> None:
    assert verdict(60.0, at=GIVE_UP_S - 0.1, left=True) is Verdict.WAIT
    assert verdict(60.0, at=GIVE_UP_S, left=True) is Verdict.UNEXPLAINED
    assert verdict(60.0, at=GIVE_UP_S) is Verdict.SUSPECT
    assert verdict(99.0, at=GIVE_UP_S, left=True) is Verdict.BACK


def test_what_started_since_may_keep_what_it_holds() -> None:
    both = Baseline(Look(0.0, 100 * GIB), newer_bytes=30 * GIB)
    assert both.expected_bytes == 70 * GIB
    assert judged(Look(0.0, 70 * GIB), baseline=both).verdict is Verdict.BACK
    assert judged(Look(0.0, 60 * GIB), baseline=both).missing_bytes == 10 * GIB


@given(
    available=st.integers(0, TOTAL),
    others=st.none() | st.integers(0, TOTAL),
    newer=st.integers(0, 60 * GIB),
    waited=st.floats(0, 1000),
    left=st.booleans(),
)
def test_every_verdict_has_its_reason(
    available: int, others: int | None, newer: int, waited: float, left: bool
) -> None:
    baseline = Baseline(BEFORE.look, newer)
    looks = [Look(5.0, 0, others), Look(5.0 + waited, available, others)]
    found = judge(baseline, looks, TOTAL, engines_left=left)
    missing = baseline.expected_bytes - available
    taken = 0 if others is None else max(0, others - 10 * GIB)
    tolerance = tolerance_bytes(TOTAL, newer)
    assert found.missing_bytes == max(0, missing)
    match found.verdict:
        case Verdict.BACK:
            assert missing <= tolerance
        case Verdict.EXPLAINED:
            assert missing - taken <= tolerance
        case Verdict.SUSPECT:
            assert found.waited_s >= SUSPECT_S
            assert not left
            assert missing - taken > tolerance
        case Verdict.WAIT:
            assert found.waited_s < (GIVE_UP_S if left else SUSPECT_S)
        case Verdict.UNEXPLAINED:
            assert found.waited_s >= GIVE_UP_S
            assert left


@given(st.integers(0, TOTAL), st.integers(0, TOTAL))
def test_more_memory_never_makes_it_worse(one: int, other: int) -> None:
    worse, better = sorted((one, other))
    order = [Verdict.SUSPECT, Verdict.WAIT, Verdict.EXPLAINED, Verdict.BACK]
    places = [
        order.index(judged(Look(0.0, 0, 20 * GIB), Look(200.0, each, 20 * GIB)).verdict)
        for each in (worse, better)
    ]
    assert places[0] <= places[1]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (Look(0.4, 100 * GIB, 10 * GIB), "Memory is back 0.4 s after the end of m: 100.0 GiB"),
        (Look(6.0, 70 * GIB, 10 * GIB), "Memory is not back 6.0 s after the end of m: 70.0 GiB"),
        (Look(6.0, 70 * GIB, 40 * GIB), "Other programs have taken 30.0 GiB since"),
        (Look(130.0, 70 * GIB, 10 * GIB), "A reboot may be needed"),
    ],
)
def test_words_carry_the_evidence(last: Look, expected: str) -> None:
    found = judged(Look(0.0, 0, 10 * GIB), last)
    said = words_of(found, "m", BEFORE, last)
    assert expected in said
    assert "100.0" in said


def test_words_of_what_nobody_explains() -> None:
    last = Look(GIVE_UP_S, 70 * GIB, 10 * GIB)
    found = judged(Look(0.0, 0, 10 * GIB), last, engines_left=True)
    assert words_of(found, "m", BEFORE, last) == (
        "Memory has not come back 600.0 s after the end of m: 70.0 GiB available, 100.0 were "
        "before it started. An engine that nobody accounts for may hold it; it is not waited for "
        "any longer"
    )
