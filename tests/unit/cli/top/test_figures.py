"""Figures in words."""

import pytest
from tests.unit.cli.top import documents

from sparkwell.cli.top.figures import (
    asked,
    figures_of,
    figures_words,
    machine_words,
    plain_words,
    rate,
    share,
    short_time,
)
from sparkwell.core.units import GIB


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), (0, "0"), (0.04, "0.0"), (39.46, "39.5"), (99.96, "100"), (1204.4, "1,204")],
)
def test_rates_have_three_figures(value: float | None, words: str) -> None:
    assert rate(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *[(None, ""), (0.0009, "1 ms"), (0.0994, "99 ms"), (0.0996, "0.10 s"), (0.344, "0.34 s")],
        *[(9.994, "9.99 s"), (9.996, "10.0 s"), (12.44, "12.4 s")],
    ],
)
def test_short_times_have_two_figures_or_three(value: float | None, words: str) -> None:
    assert short_time(value) == words
    assert short_time(123.4) == "123 s"


def test_a_share_may_be_more_than_the_whole() -> None:
    assert [share(each) for each in (None, 0.0, 0.667, 1.2)] == ["", "0 %", "67 %", "120 %"]


def test_a_model_in_one_line() -> None:
    figures = {
        "output_tokens_per_s": 39.5,
        "ttft_p95_s": 0.34,
        "kv_used": 0.67,
        "running": 2.0,
        "waiting": 0.0,
        "plan_share": 0.82,
    }
    assert ", ".join(figures_words(figures)) == (
        "39.5 tok/s out, first token 0.34 s (p95), KV 67 %, 2 running, 0 waiting, 82 % of the plan"
    )


def test_what_is_unknown_is_left_out() -> None:
    assert figures_words({}) == figures_words(documents.UNKNOWN) == []
    assert figures_words({**documents.UNKNOWN, "waiting": 0}) == ["0 waiting"]
    assert machine_words(None) == machine_words(dict.fromkeys(documents.MACHINE)) == []
    assert asked(None) == asked({"gateway_requests_per_s": None}) == []


@pytest.mark.parametrize(
    ("state", "there"),
    [("ready", True), ("draining", True), ("starting", False), ("failed", False)],
)
def test_only_what_can_serve_has_figures(state: str, there: bool) -> None:
    entry = {"state": state, "figures": documents.FIGURES}
    assert bool(figures_of(entry)) is there
    assert figures_of({"state": "ready", "figures": None}) == figures_of({"state": "ready"}) == {}


def test_a_machine_that_is_well_says_nothing_of_swap_and_stalls() -> None:
    calm = {"cpu_used": 0.0, "swap_used_bytes": GIB // 100, "memory_stalled": 0.004}
    assert plain_words(machine_words(calm)) == ["CPU 0 %"]
    amiss = {"swap_used_bytes": 2 * GIB, "memory_stalled": 0.2}
    assert machine_words(amiss) == [("swap 2.0 GiB", ""), ("20 % stalled for memory", "yellow")]


def test_how_many_requests_come() -> None:
    assert asked({"gateway_requests_per_s": 0.0}) == ["0 requests/s"]
    assert asked({"gateway_requests_per_s": 1.25}) == ["1.2 requests/s"]
