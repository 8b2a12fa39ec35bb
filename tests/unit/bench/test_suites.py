"""Suites, and what somebody wants otherwise."""

import pytest

from sparkwell.bench.suites import SUITES, Case, Changes, cases, suite
from sparkwell.core.errors import UsageError

# Suite, case, clients or rate, requests, tokens of prompt and answer, and of the shared document.
TABLE = """
    quick         1 at once          1 clients    3     128    64     0
    quick         16 at once        16 clients   48     128    64     0
    guide         1 at once          1 clients    3     512   256     0
    guide         16 at once        16 clients   48     512   256     0
    guide         32 at once        32 clients   96     512   256     0
    guide         64 at once        64 clients  192     512   256     0
    prefix        document first     8 clients   24    4224   128  4096
    prefix        question first     8 clients   24    4224   128  4096
    prefix        nothing shared     8 clients   24    4224   128     0
    long-context  1 at once          1 clients    2   32000   256     0
    long-context  8 at once          8 clients    8   32000   256     0
    crowd         short            256 clients  768     512   256     0
    crowd         long answers     256 clients  512     128  1024     0
    crowd         a shared prefix  256 clients  768    8320   128  8192
    mixed         chat, 1/s          1 /s        60     128    64     0
    mixed         chat, 4/s          4 /s       240     128    64     0
    mixed         documents, 0.5/s 0.5 /s        30    4224   128  4096
"""


def said(name: str, case: Case) -> list[str]:
    work = case.workload
    many = [f"{case.clients}", "clients"] if case.rate is None else [f"{case.rate:g}", "/s"]
    counts = (case.requests, work.prompt_tokens, work.output_tokens, work.document_tokens)
    return [name, *case.name.split(), *many, *map(str, counts)]


def test_each_suite_asks_just_this() -> None:
    """As docs/bench.md has it: what is compared over months has to stay the same."""
    rows = [said(name, case) for name, each in SUITES.items() for case in each.cases]
    assert rows == [line.split() for line in TABLE.strip().splitlines()]
    last = [case.name for each in SUITES.values() for case in each.cases
            if case.workload.order == "question first"]  # fmt: skip
    assert last == ["question first"]
    assert {case.workload.documents for each in SUITES.values() for case in each.cases} == {1}


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
