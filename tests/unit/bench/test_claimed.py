"""What the guides claim of a case."""

import pytest

from sparkwell.bench.claimed import FIRST, SAVED, Guide, guide
from sparkwell.bench.suites import Case, suite
from sparkwell.bench.workload import Workload

MODEL, LARGE = "qwen3-8b-fp8", "llama33-70b-fp8"


def ranges(found: Guide | None) -> list[tuple[float, float]]:
    return [] if found is None else [(each.low, each.high) for each in (found, *found.others)]


def case(clients: int, prompt_tokens: int = 512, output_tokens: int = 256) -> Case:
    return Case("x", Workload(prompt_tokens, output_tokens), 9, clients=clients)


@pytest.mark.parametrize(("clients", "low", "high"), [(1, 9, 10), (64, 450, 500), (16, 200, 300)])
def test_the_guides_claim_is_the_one_of_that_many(clients: int, low: float, high: float) -> None:
    found = guide(MODEL, Case("x", Workload(512, 256), 9, clients=clients))
    assert found is not None
    assert (found.low, found.high) == (low, high)


def test_a_claim_about_long_contexts_is_not_held_against_short_ones() -> None:
    found = guide("llama33-70b-fp8", Case("x", Workload(512, 256), 9, clients=1))
    assert found is not None
    assert found.claim == "llama33-70b.single"


@pytest.mark.parametrize(("model", "clients"), [(MODEL, 5), ("demo-qwen3", 1)])
def test_nothing_is_claimed_of_others(model: str, clients: int) -> None:
    assert guide(model, Case("x", Workload(512, 256), 9, clients=clients)) is None


def test_claims_that_contradict_each_other_are_all_told() -> None:
    """The model's own guide first; the one that happened to come first was told alone."""
    assert ranges(guide("qwen3-32b-fp8", case(1))) == [(3, 4), (20, 20), (6, 7)]
    assert ranges(guide(MODEL, case(1))) == [(9, 10)], "each range once"


@pytest.mark.parametrize(("clients", "told"), [(15, []), (16, [(80, 150)]), (32, [(80, 150)])])
def test_a_claim_for_a_range_of_clients(clients: int, told: list[tuple[float, float]]) -> None:
    found = guide(LARGE, case(clients))
    assert ranges(found)[:1] == told
    assert found is None or found.claim == "llama33-70b.batched"


def test_long_contexts_have_claims_of_their_own() -> None:
    one, eight = (guide(LARGE, each) for each in suite("long-context").cases)
    assert one is not None
    assert one.claim == "llama33-70b.single-at-32k"
    assert ranges(eight) == [(30, 50)]


@pytest.mark.parametrize("model", [MODEL, "qwen3-32b-fp8", "qwen3-30b-a3b-fp8"])
def test_a_claim_about_short_ones_is_not_held_against_long_contexts(model: str) -> None:
    """Prompts of 32,000 tokens had "9 to 10" beside them."""
    assert [guide(model, each) for each in suite("long-context").cases] == [None, None]
    assert guide(model, case(64, 4_224, 128)) is None


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [(LARGE, 0.3, 0.8), ("qwen3-30b-a3b-fp8", 0.15, 0.4), (MODEL, 0.1, 0.3)],
)
def test_first_tokens_of_a_prompt_alone(model: str, low: float, high: float) -> None:
    assert ranges(guide(model, case(1), FIRST)) == [(low, high)]
    assert guide(model, case(16), FIRST) is None
    assert guide(model, case(1, 32_000), FIRST) is None


@pytest.mark.parametrize(
    ("model", "told"), [(LARGE, True), ("qwen3-30b-a3b-fp8", True), (MODEL, False)]
)
def test_what_a_cache_saves(model: str, told: bool) -> None:
    first, after, nothing = suite("prefix").cases
    assert ranges(guide(model, first, SAVED)) == ([(0.5, 0.8)] if told else [])
    assert guide(model, after, SAVED) is guide(model, nothing, SAVED) is None
