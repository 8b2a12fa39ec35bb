"""Which cases are measured, and which are refused beforehand."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.bench.test_beside import planned

from sparkwell.app.benching import BenchWish, chosen_cases
from sparkwell.app.planning.planning import Wish
from sparkwell.app.subject import Subject
from sparkwell.bench.connection import Target
from sparkwell.bench.suites import Changes, suite
from sparkwell.bench.workload import Vocabulary
from sparkwell.core.errors import UsageError


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """Behind a gateway that lets twenty in."""
    plan = planned(tmp_path, "qwen3-8b-fp8", Wish(hardware="dgx-spark", profile="guide"))
    target = Target("127.0.0.1", 8000)
    return Subject(
        target, "http://127.0.0.1:8000", "qwen3-8b-fp8", Vocabulary(30_000),
        plan=plan, most_clients=20,
    )  # fmt: skip


def wish(**changes: object) -> BenchWish:
    return BenchWish(suite("quick"), Changes(**changes), 1, "sparkwell bench", "s")  # type: ignore[arg-type]


def test_more_clients_than_the_gateway_lets_in_are_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match="21 clients at once are more than the gateway's 20 "):
        chosen_cases(subject, wish(clients=(4, 21)))
    assert chosen_cases(subject, wish(clients=(4, 20)))


def test_a_rate_with_surely_more_out_at_once_is_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match=r"At 50 requests a second .* 20 connections") as caught:
        chosen_cases(subject, wish(rates=(0.5, 50.0), requests=300))
    assert "gateway.max_connections" in str(caught.value.hint)
    assert "--direct" in str(caught.value.hint)


def test_a_rate_that_may_go_is_measured(subject: Subject) -> None:
    assert chosen_cases(subject, wish(rates=(0.5,), requests=300))
    assert chosen_cases(subject, wish(rates=(50.0,), requests=20))
    assert chosen_cases(replace(subject, most_clients=None), wish(rates=(50.0,)))
    assert chosen_cases(replace(subject, plan=None), wish(rates=(50.0,)))
