"""Which model for which need: the order, what is too little, and what would be enough."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.needs import (
    NEEDS,
    Wanted,
    figures,
    find_need,
    longest_context,
    requests_at_once,
)
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.question import Question
from sparkwell.planner.recommend import (
    Offer,
    Recommendation,
    least_memory,
    recommend,
    shortcoming,
)

GIB = 1024**3
CATALOG = load_catalog()
FLAGS: dict[str, FlagValue] = {
    "max_model_len": 32768,
    "max_num_seqs": 32,
    "max_num_batched_tokens": 8192,
    "gpu_memory_utilization": 0.85,
}


def plan(name: str, **flags: FlagValue) -> Plan:
    described = describe_recipe(CATALOG.get(name))
    question = Question(described, find_machine("dgx-spark"), rules_for("0.25.0"), FLAGS | flags)
    return make_plan(question)


MODELS = ("llama33-70b-fp8", "qwen3-32b", "qwen3-32b-fp8", "qwen3-30b-a3b-fp8", "qwen3-8b-fp8")
PLANS = {name: plan(name) for name in MODELS}


def offer(name: str, made: Plan | None = None) -> Offer:
    recipe = CATALOG.get(name)
    lists = (recipe.use_for, recipe.not_for)
    return Offer(name, "latency", *lists, {}, made or PLANS[name])


def asked(need: str, wanted: Wanted | None = None, *offers: Offer) -> Recommendation:
    every = offers or tuple(offer(name) for name in reversed(MODELS))
    return recommend(every, find_need(need), wanted or Wanted())


def order(found: Recommendation) -> list[str]:
    return [each.offer.model for each in found.ranked]


@pytest.mark.parametrize(
    "text", ["long context", "Long-Context", "long_context", " long  context "]
)
def test_a_need_however_it_is_spaced(text: str) -> None:
    assert find_need(text).name == "long-context"


def test_an_unknown_need_lists_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="'speed' is not a need") as caught:
        find_need("speed")
    assert caught.value.hint is not None
    assert all(need.name in caught.value.hint for need in NEEDS)


def test_latency_goes_by_the_single_stream() -> None:
    names = order(asked("latency"))
    assert names[:2] == ["qwen3-30b-a3b-fp8", "qwen3-8b-fp8"]
    assert names[-1] == "llama33-70b-fp8"


def test_quality_has_the_order_of_the_guides() -> None:
    assert order(asked("quality")) == list(MODELS)


def test_throughput_goes_by_all_together_at_the_wished_number() -> None:
    found = asked("throughput", Wanted(concurrency=4))
    rates = [each.score[0] for each in found.ranked]
    assert rates == sorted(rates, reverse=True)
    first = found.ranked[0]
    assert "with 4 at once" in first.why[0]
    assert figures(first.plan, found.wanted)["concurrency"] == 4


def test_long_context_goes_by_what_each_request_may_have() -> None:
    long = [
        offer(name, plan(name, max_model_len=length))
        for name, length in (("qwen3-30b-a3b-fp8", 262_144), ("mistral-nemo-12b-fp8", 131_072))
    ]
    assert order(asked("long context", None, *long))[0] == "qwen3-30b-a3b-fp8"
    shared = asked("long context", Wanted(concurrency=16), *long)
    for each in shared.ranked:
        tokens = longest_context(each.plan, shared.wanted)
        assert tokens == each.plan.memory.kv_tokens // 16
        assert f"{tokens:,} tokens for each of 16" in each.why[0]


def test_scaled_positions_are_said() -> None:
    scaled = replace(PLANS["qwen3-8b-fp8"].settings, max_model_len=65536)
    made = replace(PLANS["qwen3-8b-fp8"], settings=scaled)
    (first,) = asked("long context", None, offer("qwen3-8b-fp8", made)).ranked
    assert first.why[0].endswith("positions scaled from 32,768")


def test_concurrency_goes_by_requests_of_the_wished_length() -> None:
    wanted = Wanted(context=8192)
    found = asked("concurrency", wanted)
    held = [requests_at_once(each.plan, wanted) for each in found.ranked]
    assert held == sorted(held, reverse=True)
    seventy = PLANS["llama33-70b-fp8"]
    assert requests_at_once(seventy, wanted) == min(32, seventy.memory.kv_tokens // 8192)


def test_each_has_its_figures_its_lists_and_its_command() -> None:
    with_flags = replace(offer("qwen3-8b-fp8"), flags={"max_model_len": 32768})
    (first,) = asked("latency", None, with_flags).ranked
    assert "tokens/s for one" in first.why[0]
    assert len(first.why) == 3
    assert first.offer.use_for == CATALOG.get("qwen3-8b-fp8").use_for
    assert first.command == "sparkwell up qwen3-8b-fp8 --profile latency --set max_model_len=32768"


def test_what_does_not_fit_says_why() -> None:
    greedy = plan("qwen3-8b-fp8", gpu_memory_utilization=0.99)
    found = asked("latency", None, offer("qwen3-8b-fp8", greedy), offer("qwen3-32b"))
    assert order(found) == ["qwen3-32b"]
    (unfit,) = found.unfit
    assert unfit.model == "qwen3-8b-fp8"
    assert unfit.reason == greedy.problems[0].message


def test_what_cannot_be_planned_says_why() -> None:
    error = UsageError("The context is too long.", hint="Ask for less.")
    broken = replace(offer("qwen3-8b-fp8"), plan=None, error=error)
    (unfit,) = asked("latency", None, broken).unfit
    assert (unfit.reason, unfit.remedy) == ("The context is too long.", "Ask for less.")


def test_too_short_a_context() -> None:
    said = shortcoming(PLANS["qwen3-8b-fp8"], Wanted(context=65536))
    assert said == ("It takes 32,768 tokens, not 65,536.", "Ask for --context 32768.")
    assert shortcoming(PLANS["qwen3-8b-fp8"], Wanted(context=32768)) is None


def test_too_many_requests() -> None:
    seventy = PLANS["llama33-70b-fp8"]
    said = shortcoming(seventy, Wanted(concurrency=32, context=32768))
    assert said is not None
    held = seventy.memory.kv_tokens // 32768
    assert said[0] == f"It holds {held} requests of 32,768 tokens at once, not 32."
    assert f"--concurrency {held}, or" in (said[1] or "")
    assert shortcoming(seventy, Wanted(held, 32768)) is None
    assert shortcoming(seventy, Wanted(held + 1, 32768)) is not None


def test_the_shorter_context_that_is_named_is_enough() -> None:
    seventy = PLANS["llama33-70b-fp8"]
    said = shortcoming(seventy, Wanted(32, 32768))
    assert said is not None
    shorter = int(str(said[1]).rpartition("--context ")[2].rstrip("."))
    assert shorter % 1024 == 0
    assert shortcoming(seventy, Wanted(32, shorter)) is None
    assert shortcoming(seventy, Wanted(32, shorter + 1024)) is not None


def test_without_a_known_speed_only_memory_can_rank() -> None:
    made = replace(PLANS["qwen3-8b-fp8"], speed=None)
    found = asked("latency", None, offer("qwen3-8b-fp8", made))
    assert "speed is unknown" in found.unfit[0].reason
    (first,) = asked("long context", None, offer("qwen3-8b-fp8", made)).ranked
    assert len(first.why) == 1
    assert figures(made, Wanted())["single_tokens_per_s"] is None


@given(st.integers(1, 10_000), st.integers(1, 100))
def test_the_least_memory_is_the_least(needed: int, total: int) -> None:
    found = least_memory(lambda size: size >= needed * GIB, total * GIB)
    if needed > 4096 * total:
        assert found is None
    else:
        assert found == max(needed, total + 1) * GIB


def test_the_least_memory_asks_seldom() -> None:
    sizes: list[int] = []

    def fits_in(size: int) -> bool:
        sizes.append(size)
        return size >= 200 * GIB

    assert least_memory(fits_in, 24 * GIB) == 200 * GIB
    assert len(sizes) <= 12
