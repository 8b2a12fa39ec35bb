"""Several engines on one device."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine
from sparkwell.planner.fit import Case, fits
from sparkwell.planner.online import in_format
from sparkwell.planner.placement import Engine, Entry, Fixed, Placement, ollama, place

CATALOG = load_catalog()
MODELS = {recipe.name: describe_recipe(recipe) for recipe in CATALOG}
SPARK, H100 = find_machine("dgx-spark"), find_machine("h100-80gb")
OLD, NEW = "0.10.1.1", "0.25.0"
SERVED = Fixed("ollama/gpt-oss", 20 * GIB)
SMALL: dict[str, FlagValue] = {"max_num_batched_tokens": 8192, "max_num_seqs": 32}


def engine(model: str, version: str = OLD, **flags: FlagValue) -> Engine:
    return Engine(model, MODELS[model], rules_for(version), {**SMALL, **flags})


def share(entry: Entry) -> float:
    return float(entry.flags["gpu_memory_utilization"])


def check(placement: Placement, wishes: list[Engine | Fixed], machine: Machine) -> None:
    """Each one fits beside all others, planned anew; all together leave the floor."""
    held = sum(entry.held_bytes for entry in placement.entries)
    kept = (machine.system_bytes or 0) + machine.floor_bytes if machine.unified else 0
    for wish, entry in zip(wishes, placement.entries, strict=True):
        assert entry.name == wish.name
        if isinstance(wish, Engine):
            beside = held - entry.held_bytes
            case = Case(wish.described, machine, wish.rules, beside)
            memory = case.plan(entry.flags)[1]
            assert fits(memory)
            assert held + kept <= memory.total
            assert entry.flags.items() >= {**wish.flags, **entry.flags}.items()


def test_the_guides_host_runs_a_32b_at_55_percent_beside_ollama() -> None:
    wishes: list[Engine | Fixed] = [
        engine("qwen3-32b-fp8", gpu_memory_utilization=0.55, max_model_len=16_384),
        SERVED,
    ]
    placement = place(wishes, SPARK)
    assert placement.fits
    assert share(placement.entries[0]) == 0.55
    assert placement.entries[1] == Entry("ollama/gpt-oss", 20 * GIB, True, {})
    check(placement, wishes, SPARK)
    assert [advice.id for advice in placement.advice] == ["start-one-by-one"]


def test_in_16_bits_55_percent_are_too_little_and_what_is_enough_is_said() -> None:
    short = engine("qwen3-32b", gpu_memory_utilization=0.55, max_model_len=16_384)
    placement = place([short, SERVED], SPARK)
    assert not placement.fits
    assert "at least 0.58" in str(placement.why_not)
    assert "is 0.55" in str(placement.why_not)
    change = placement.advice[0].flags
    assert change == {"gpu_memory_utilization": 0.58}
    assert place([replace(short, flags={**short.flags, **change}), SERVED], SPARK).fits
    assert place([engine("qwen3-32b", max_model_len=16_384), SERVED], SPARK).fits


def test_three_share_by_what_they_need() -> None:
    wishes: list[Engine | Fixed] = [
        engine("qwen3-32b-fp8", max_model_len=32_768),
        SERVED,
        engine("qwen3-8b-fp8", max_model_len=32_768),
    ]
    placement = place(wishes, SPARK)
    check(placement, wishes, SPARK)
    large, _, small = placement.entries
    assert 0.4 < share(large) < 0.6
    assert 0.15 < share(small) < share(large)


def test_without_a_floor_the_start_up_check_lowers_what_the_headroom_would_allow() -> None:
    machine = replace(SPARK, floor_bytes=0, max_utilization=0.95)
    wishes: list[Engine | Fixed] = [
        engine("qwen3-32b-fp8", max_model_len=16_384),
        engine("qwen3-8b-fp8", max_model_len=16_384),
    ]
    placement = place(wishes, machine)
    assert placement.fits
    check(placement, wishes, machine)


def test_one_alone_gets_what_the_machine_allows() -> None:
    placement = place([engine("qwen3-32b-fp8", NEW, max_model_len=32_768)], SPARK)
    assert share(placement.entries[0]) == SPARK.max_utilization
    assert placement.advice == ()


def test_two_that_are_too_large_name_what_each_needs_and_who_would_have_to_go() -> None:
    wishes = [engine(name, max_model_len=16_384) for name in ("llama33-70b-fp8", "qwen3-32b")]
    placement = place(wishes, SPARK)
    assert not placement.fits
    assert "llama33-70b-fp8 needs" in str(placement.why_not)
    assert "103.0 GiB are there" in str(placement.why_not)
    ids = [advice.id for advice in placement.advice]
    assert ids == ["without-llama33-70b-fp8", "without-qwen3-32b"]


def test_too_much_in_ollama_alone_is_said() -> None:
    placement = place([Fixed("ollama/large", 110 * GIB)], SPARK)
    assert not placement.fits
    assert not placement.entries[0].fits
    assert "110.0 GiB" in str(placement.why_not)


def test_a_shorter_context_makes_room_and_is_verified() -> None:
    first = engine("llama33-70b-fp8", max_model_len=65_536)
    second = engine("qwen3-8b-fp8", max_model_len=32_768)
    placement = place([first, second], SPARK)
    assert not placement.fits
    change = next(each for each in placement.advice if each.id == "change-llama33-70b-fp8")
    assert int(change.flags["max_model_len"]) < 65_536
    assert place([replace(first, flags={**first.flags, **change.flags}), second], SPARK).fits


def test_a_cache_given_in_bytes_is_not_lowered() -> None:
    given_bytes = engine("qwen3-32b-fp8", NEW, max_model_len=8192, kv_cache_memory_bytes=10 * GIB)
    placement = place([given_bytes, engine("qwen3-8b-fp8", NEW, max_model_len=8192)], SPARK)
    memory = placement.entries[0].memory
    assert memory is not None
    assert memory.kv_cache == 10 * GIB
    assert placement.fits


def test_ollama_takes_weights_cache_and_a_runner() -> None:
    described = in_format(MODELS["qwen3-8b-fp8"], "awq")
    assert described is not None
    short, long = ollama("x", described, 8192), ollama("x", described, 16_384)
    assert long.held_bytes - short.held_bytes == 8192 * 147_456
    assert short.held_bytes == described.parts.total + 8192 * 147_456 + GIB
    assert ollama("x", described, 8192, parallel=2).held_bytes == long.held_bytes


names = st.sampled_from(sorted(name for name in MODELS if not name.startswith("demo")))
asks = st.builds(
    lambda name, version, context: engine(name, version, max_model_len=context),
    names,
    st.sampled_from((OLD, NEW, "0.33.0")),
    st.sampled_from((2048, 16_384, 32_768)),
)
others = st.builds(Fixed, st.just("ollama/x"), st.integers(0, 60).map(lambda size: size * GIB))


@settings(deadline=None, max_examples=60)
@given(st.lists(asks, min_size=1, max_size=3), st.lists(others, max_size=1), st.booleans())
def test_what_fits_together_does(asked: list[Engine], fixed: list[Fixed], spark: bool) -> None:
    machine = SPARK if spark else H100
    wishes: list[Engine | Fixed] = [*asked, *fixed]
    placement = place(wishes, machine)
    assert placement.fits == all(entry.fits for entry in placement.entries)
    if placement.fits:
        check(placement, wishes, machine)
    else:
        assert placement.why_not


@settings(deadline=None, max_examples=30)
@given(asks, st.integers(0, 50), st.integers(1, 20))
def test_more_beside_it_never_gives_more(asked: Engine, beside: int, more: int) -> None:
    shares = [
        share(place([asked, Fixed("x", size * GIB)], SPARK).entries[0])
        for size in (beside, beside + more)
    ]
    assert shares[1] <= shares[0]


@pytest.mark.parametrize("machine", [SPARK, H100], ids=["unified", "discrete"])
def test_nothing_fits_trivially(machine: Machine) -> None:
    assert place([], machine).fits


def test_weights_that_shrink_while_loading_need_room_for_their_peak() -> None:
    shrinking = engine("qwen3-32b", "0.15.1", quantization="fp8")
    placement = place([shrinking, Fixed("ollama/x", 45 * GIB)], find_machine("dgx-spark"))
    assert not placement.fits
    assert "while it loads" in str(placement.why_not)
    assert place([shrinking, Fixed("ollama/x", 20 * GIB)], find_machine("dgx-spark")).fits
