"""Prompts have the length that is said, and share what is said."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.bench.workload import Vocabulary, Workload, body, prompts

WORDS = Vocabulary(32_000)


def drawn(workload: Workload, count: int = 4, seed: str = "s") -> list[list[int]]:
    return list(prompts(workload, count, WORDS, seed))


def test_prompts_have_their_exact_length() -> None:
    assert {len(each) for each in drawn(Workload(300, 10), 20)} == {300}


def test_no_two_prompts_share_a_beginning() -> None:
    """A prefix cache works on blocks of 16 tokens and more."""
    assert len({tuple(each[:16]) for each in drawn(Workload(300, 10), 200)}) == 200


def test_another_seed_asks_something_else_and_the_same_one_the_same() -> None:
    work = Workload(64, 8, document_tokens=32)
    assert drawn(work, seed="a") == drawn(work, seed="a")
    assert drawn(work, seed="a")[0][:16] != drawn(work, seed="b")[0][:16]


def test_ids_are_of_the_vocabulary_and_no_special_ones() -> None:
    ids = {each for prompt in drawn(Workload(2000, 1), 20) for each in prompt}
    assert min(ids) >= 1000
    assert max(ids) < WORDS.size


def test_a_small_vocabulary_is_enough() -> None:
    [prompt] = prompts(Workload(50, 1), 1, Vocabulary(300), "s")
    assert all(150 <= each < 300 for each in prompt)


def test_a_document_stands_first() -> None:
    found = drawn(Workload(100, 1, document_tokens=60))
    assert len({tuple(each[:60]) for each in found}) == 1
    assert len({tuple(each[60:]) for each in found}) == 4


def test_a_document_after_the_question_is_shared_and_cannot_be_cached() -> None:
    work = Workload(100, 1, document_tokens=60, order="question first")
    found = drawn(work)
    assert len({tuple(each[40:]) for each in found}) == 1
    assert len({tuple(each[:16]) for each in found}) == 4
    assert not work.is_cached


def test_documents_take_turns() -> None:
    found = drawn(Workload(100, 1, document_tokens=60, documents=2), 6)
    assert [found[0][:60], found[1][:60]] * 3 == [each[:60] for each in found]


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(2, 5000), st.floats(0, 0.99))
def test_what_is_shortened_fits_and_keeps_a_question(
    prompt: int, output: int, most: int, share: float
) -> None:
    short = Workload(prompt, output, document_tokens=int(prompt * share)).within(most)
    assert short.tokens <= most
    assert short.prompt_tokens >= 1
    assert short.output_tokens >= 1
    assert short.document_tokens < short.prompt_tokens


def test_what_fits_is_left_alone() -> None:
    assert Workload(100, 50).within(150) == Workload(100, 50)


@pytest.mark.parametrize("tokens", [1, 256])
def test_an_answer_has_just_so_many_tokens(tokens: int) -> None:
    asked = json.loads(body("m", [5, 6], tokens))
    assert (asked["model"], asked["prompt"]) == ("m", [5, 6])
    assert (asked["max_tokens"], asked["min_tokens"], asked["ignore_eos"]) == (tokens, tokens, True)
    assert asked["stream"] is asked["stream_options"]["include_usage"] is True
