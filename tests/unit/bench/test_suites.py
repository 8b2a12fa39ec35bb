"""Suites, and what somebody wants otherwise."""

import pytest

from sparkwell.bench.suites import SUITES, Changes, cases, suite
from sparkwell.core.errors import UsageError


def test_the_guides_figures_are_a_suite() -> None:
    assert [case.clients for case in suite("guide").cases] == [1, 16, 32, 64]


@pytest.mark.parametrize("name", SUITES)
def test_every_client_asks_at_least_once(name: str) -> None:
    for case in SUITES[name].cases:
        assert (case.clients is None) != (case.rate is None)
        assert case.requests >= (case.clients or 1)
        assert case.name


@pytest.mark.parametrize("name", SUITES)
def test_cases_have_names_of_their_own(name: str) -> None:
    names = [case.name for case in SUITES[name].cases]
    assert len(set(names)) == len(names)


def test_an_unknown_suite_says_which_there_are() -> None:
    with pytest.raises(UsageError, match="no suite 'gude'") as caught:
        suite("gude")
    assert "guide" in str(caught.value.hint)


def test_clients_and_rates_take_the_place_of_the_suites() -> None:
    found = cases(suite("guide"), Changes(clients=(2, 8), rates=(0.5,)), None)
    assert [(case.clients, case.rate) for case in found] == [(2, None), (8, None), (None, 0.5)]
    assert {case.workload for case in found} == {suite("guide").cases[0].workload}


def test_lengths_and_requests_are_taken_as_given() -> None:
    changes = Changes(prompt_tokens=10, output_tokens=5, requests=7)
    for case in cases(suite("prefix"), changes, None):
        assert (case.workload.prompt_tokens, case.workload.output_tokens) == (10, 5)
        assert case.workload.document_tokens < 10
        assert case.requests == 7


def test_what_the_model_cannot_take_is_shortened_and_said() -> None:
    for case in cases(suite("long-context"), Changes(), 2048):
        assert case.workload.tokens <= 2048
        assert case.shortened_to == 2048


def test_what_it_takes_is_as_the_suite_has_it() -> None:
    assert cases(suite("guide"), Changes(), 40_960) == suite("guide").cases
