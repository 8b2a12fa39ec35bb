"""The interpretation of a serving model: each threshold at its border, and what a finding says."""

import math
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkwell.catalog.guide_claims import load_guides
from sparkwell.catalog.recipe import FlagValue
from sparkwell.checks.serving import CHECKS, interpret
from sparkwell.checks.serving_cache import FULL, ROOMY
from sparkwell.checks.serving_changes import changes, effect
from sparkwell.checks.serving_latency import LONG, TTFT
from sparkwell.checks.serving_limits import Limit, LimitName, Limits, limit, limits
from sparkwell.checks.serving_parts import PlanChange, Planned, Repeats, Serving, Window
from sparkwell.checks.serving_prefix import PREFIX
from sparkwell.checks.serving_speed import GPU, SINGLE, THROUGHPUT
from sparkwell.cli.main import cli
from sparkwell.core.findings import Finding, Severity
from sparkwell.core.units import GIB

OK, INFO, WARNING = Severity.OK, Severity.INFO, Severity.WARNING
SEVENTY, THIRTY, OTHER = "llama33-70b-fp8", "qwen3-30b-a3b-fp8", "qwen3-32b-fp8"
FLAGS: dict[str, FlagValue] = {
    "max_num_seqs": 64,
    "max_model_len": 65536,
    "gpu_memory_utilization": 0.80,
    "max_num_batched_tokens": 8192,
    "enable_prefix_caching": True,
    "kv_cache_dtype": "bfloat16",
}
PLANNED = Planned(
    kv_cache_tokens=270_000,
    max_concurrency=4.1,
    single_tokens_per_s=6.0,
    tokens_per_s=100.0,
    ttft_s=0.5,
    headroom_bytes=20 * GIB,
)
LOADED = Window(
    samples=24,
    seconds=120.0,
    busy=1.0,
    running=8.0,
    running_max=10.0,
    waiting=0.0,
    kv_used_mean=0.88,
    kv_used_max=0.90,
    preemptions=0.0,
    prefix_hit=0.4,
    gpu_used=0.85,
    requests=40.0,
    prompt_tokens=500.0,
    ttft_p95_s=0.4,
    single_tokens_per_s=6.0,
    output_tokens_per_s=98.0,
)
GOOD = Serving(OTHER, LOADED, flags=FLAGS, planned=PLANNED, repeats=Repeats(200, 0.5, 0.0))


def but(serving: Serving = GOOD, **window: Any) -> Serving:
    return replace(serving, window=replace(serving.window, **window))


def found(serving: Serving, id_: str) -> Finding | None:
    own = [each for each in interpret(serving) if each.id == id_]
    assert len(own) <= 1
    return own[0] if own else None


def severity(serving: Serving, id_: str) -> Severity | None:
    finding = found(serving, id_)
    return finding.severity if finding else None


# ── what is said of a model that serves well, and of nothing ────────────────────────────────


def test_all_is_well() -> None:
    assert [each.severity for each in interpret(GOOD)] == [OK] * 5
    assert {each.id for each in interpret(GOOD)} == {ROOMY, TTFT, THROUGHPUT, GPU, PREFIX}


def test_an_idle_machine_has_no_findings() -> None:
    idle = Window(samples=60, seconds=300.0, busy=0.0, running=0.0, waiting=0.0, gpu_used=0.0,
                  kv_used_mean=0.0, kv_used_max=0.0, preemptions=0.0, requests=0.0)  # fmt: skip
    assert interpret(replace(GOOD, window=idle)) == ()


def test_unknown_figures_are_no_findings() -> None:
    unknown = Window(samples=60, seconds=300.0, busy=1.0, running=64.0, requests=100.0)
    assert interpret(Serving("demo-qwen3", unknown)) == ()


@pytest.mark.parametrize(("samples", "seconds"), [(5, 120.0), (24, 29.9), (0, 0.0)])
def test_a_short_window_says_nothing(samples: int, seconds: float) -> None:
    bad = but(kv_used_mean=1.0, kv_used_max=1.0, ttft_p95_s=9.0, gpu_used=0.1,
              single_tokens_per_s=1.0, output_tokens_per_s=1.0)  # fmt: skip
    assert len(interpret(bad)) >= 5
    assert interpret(but(bad, samples=samples, seconds=seconds)) == ()


def test_light_use_does_not_judge_what_needs_load() -> None:
    light = but(busy=0.49, kv_used_mean=0.99, kv_used_max=0.99, gpu_used=0.1)
    assert [severity(light, id_) for id_ in (FULL, ROOMY, GPU, THROUGHPUT)] == [None] * 4
    assert severity(but(light, busy=0.5), FULL) is WARNING


def test_a_percentile_of_few_requests_says_nothing() -> None:
    assert severity(but(ttft_p95_s=9.0, requests=4.0), TTFT) is None
    assert severity(but(ttft_p95_s=9.0, requests=5.0), TTFT) is WARNING


# ── every row of the table, at its border ───────────────────────────────────────────────────

JUST = 1e-6


def kv_low(value: float) -> tuple[str, Serving]:
    return ROOMY, but(kv_used_max=value, kv_used_mean=min(value, 0.6))


def kv_high(value: float) -> tuple[str, Serving]:
    return FULL, but(kv_used_max=1.0, kv_used_mean=value)


def gpu(value: float) -> tuple[str, Serving]:
    return GPU, but(gpu_used=value)


def ttft(value: float) -> tuple[str, Serving]:
    return TTFT, but(ttft_p95_s=value)


def single(value: float) -> tuple[str, Serving]:
    plan = replace(PLANNED, single_tokens_per_s=None)
    return SINGLE, replace(but(single_tokens_per_s=value), planned=plan)


def running(value: float) -> tuple[str, Serving]:
    return LONG, but(running=value, prompt_tokens=40_000.0)


def prompt(value: float) -> tuple[str, Serving]:
    return LONG, but(running=6.0, prompt_tokens=value)


def plan_share(value: float) -> tuple[str, Serving]:
    return THROUGHPUT, but(output_tokens_per_s=value * 100.0)


def prefix_hit(value: float) -> tuple[str, Serving]:
    return PREFIX, but(prefix_hit=value, prompt_tokens=100.0)


def repeats(value: float) -> tuple[str, Serving]:
    return PREFIX, replace(but(prefix_hit=0.01), repeats=Repeats(200, 0.0, value))


# For each limit: how to make the figure, whether it speaks below or above its value, and whether
# the value itself is still well.
BORDERS: dict[str, tuple[Callable[[float], tuple[str, Serving]], str, bool]] = {
    "kv-low": (kv_low, "below", True),
    "kv-high": (kv_high, "above", True),
    "gpu-low": (gpu, "below", True),
    "ttft": (ttft, "above", True),
    "single-slow": (single, "below", True),
    "long-running": (running, "above", True),
    "long-prompt": (prompt, "above", False),
    "plan-share": (plan_share, "below", True),
    "prefix-hit": (prefix_hit, "below", True),
    "repeats": (repeats, "above", False),
}
ROWS = limits().limits


def name(row: Limit) -> str:
    return f"{row.limit} {' '.join(row.models)}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.limit != "gpu-high"], ids=name)
def test_a_limit_at_its_border(row: Limit) -> None:
    make, side, border_is_well = BORDERS[row.limit]
    bad, good = row.value - JUST, row.value + JUST
    if side == "above":
        bad, good = good, bad
    model = row.models[0] if row.models else OTHER

    def speaks(value: float) -> bool:
        id_, serving = make(value)
        return severity(replace(serving, model=model), id_) in (INFO, WARNING)

    assert speaks(bad)
    assert not speaks(good)
    assert speaks(row.value) is not border_is_well


def test_a_gpu_that_is_busier_than_typical_is_no_trouble() -> None:
    at, over = found(but(gpu_used=0.90), GPU), found(but(gpu_used=0.90 + JUST), GPU)
    assert at is not None
    assert over is not None
    assert (at.severity, over.severity) == (OK, OK)
    assert (at.title, over.title) == (
        "The GPU is as busy as expected",
        "The GPU is busy nearly all the time",
    )


def test_the_exceptions_are_those_of_the_guides() -> None:
    def values(model: str) -> list[float]:
        names: tuple[LimitName, ...] = ("kv-low", "kv-high", "gpu-low", "single-slow", "ttft")
        return [limit(each, model).value for each in names]

    assert values(SEVENTY) == [0.70, 0.90, 0.70, 4.0, 2.0]
    assert values(THIRTY) == [0.80, 0.95, 0.80, 5.0, 2.0]
    assert values(OTHER) == [0.80, 0.95, 0.50, 5.0, 2.0]


def test_every_guide_row_stands_where_it_says() -> None:
    claims = {claim.id: (guide, claim) for guide in load_guides() for claim in guide.claims}
    for row in ROWS:
        assert bool(row.guide) is (row.source is None)
        for id_ in row.claims:
            assert id_ in claims
        lines = {
            (guide.document.removesuffix(".md"), place.line)
            for guide, claim in (claims[id_] for id_ in row.claims)
            for place in claim.places
        }
        if row.claims:
            assert (row.guide, row.line) in lines, name(row)


def test_two_rows_for_one_model_are_refused() -> None:
    rows = [*ROWS, ROWS[0]]
    with pytest.raises(ValueError, match="same model"):
        Limits(evidence=limits().evidence, limits=tuple(rows))


# ── the findings ────────────────────────────────────────────────────────────────────────────


def test_a_full_cache_says_what_would_help_and_what_the_plan_gives() -> None:
    larger = replace(PLANNED, kv_cache_tokens=300_000, headroom_bytes=14 * GIB)
    what_if = {
        "larger-share": PlanChange(True, larger),
        "shorter-context": PlanChange(True, PLANNED),
        "fp8-cache": PlanChange(False, PLANNED),
    }
    full = replace(but(kv_used_mean=0.99, preemptions=3.0, waiting=2.0), what_if=what_if)
    finding = found(full, FULL)
    assert finding is not None
    assert finding.evidence == (
        "KV cache in use: 99 %; 95 % at most (the guide of qwen3-30b-a3b-fp8, line 486)",
        "8 run on average",
        "2 wait on average",
        "3 requests set back (preempted)",
    )
    share, fewer, shorter = finding.remedies
    assert share.text == (
        "Give the engine more of the memory: --gpu-memory-utilization 0.85 instead of 0.8. By the "
        "plan: KV cache 270,000 tokens -> 300,000 tokens; headroom 20.0 GiB -> "
        "14.0 GiB."
    )
    assert share.command == (
        f"sparkwell down {OTHER} && sparkwell up {OTHER} --set gpu_memory_utilization=0.85"
    )
    assert "32 instead of 64. The plan could not say" in fewer.text
    assert shorter.text.endswith("49152 instead of 65536. By the plan no figure changes.")


def test_requests_set_back_are_a_full_cache_at_any_fill() -> None:
    assert severity(but(preemptions=1.0), FULL) is WARNING
    assert severity(but(preemptions=None), FULL) is None


def test_room_in_the_cache_is_worth_knowing_and_a_queue_beside_it_is_trouble() -> None:
    roomy = but(kv_used_max=0.30, kv_used_mean=0.2)
    finding = found(roomy, ROOMY)
    assert finding is not None
    assert finding.severity is INFO
    assert "--max-num-seqs allows 64" in finding.remedies[0].text
    queued = found(but(roomy, running_max=64.0, waiting=5.0), ROOMY)
    assert queued is not None
    assert queued.severity is WARNING
    assert "--max-num-seqs 96 instead of 64" in queued.remedies[0].text
    assert severity(but(roomy, running_max=63.0, waiting=5.0), ROOMY) is INFO
    assert severity(but(roomy, running_max=64.0, waiting=0.9), ROOMY) is INFO


def test_a_full_cache_is_not_called_well_filled() -> None:
    assert severity(but(kv_used_max=1.0, kv_used_mean=0.99), ROOMY) is None


@pytest.mark.parametrize(
    ("window", "plan_ttft", "cause", "expected"),
    [
        ({"kv_used_mean": 0.99}, 0.5, "room in the KV cache", WARNING),
        ({"preemptions": 1.0}, 0.5, "room in the KV cache", WARNING),
        ({"running_max": 64.0, "waiting": 1.0}, 0.5, "as many run as may", WARNING),
        ({"prompt_tokens": 20_000.0}, 16.0, "also alone", INFO),
        ({}, 0.5, "prompts of others", WARNING),
    ],
)
def test_why_the_first_token_takes_long(
    window: dict[str, Any], plan_ttft: float, cause: str, expected: Severity
) -> None:
    slow = replace(but(ttft_p95_s=3.1, **window), planned=replace(PLANNED, ttft_s=plan_ttft))
    finding = found(slow, TTFT)
    assert finding is not None
    assert finding.severity is expected
    assert cause in (finding.cause or "")
    assert finding.remedies
    assert finding.evidence[0].startswith("first token, 95th percentile: 3.10 s; 2 s at most")


def test_the_70b_is_slow_as_planned_and_slow_beyond_that() -> None:
    plan = replace(PLANNED, single_tokens_per_s=2.8)
    as_planned = replace(but(single_tokens_per_s=2.75), model=SEVENTY, planned=plan)
    finding = found(as_planned, SINGLE)
    assert finding is not None
    assert finding.severity is INFO
    assert finding.evidence[:2] == (
        "one request alone: 2.75 tok/s; 4 tok/s or more (the guide of llama33-70b-fp8, line 634)",
        "one request alone: 2.75 tok/s; 2.80 tok/s planned, 75 % of it or more wanted (the plan)",
    )
    slower = but(as_planned, single_tokens_per_s=2.0)
    assert severity(slower, SINGLE) is WARNING


def test_a_stream_above_the_guide_but_below_the_plan() -> None:
    fast_plan = replace(PLANNED, single_tokens_per_s=40.0)
    slow = replace(but(single_tokens_per_s=29.9), model=THIRTY, planned=fast_plan)
    assert severity(slow, SINGLE) is WARNING
    assert severity(but(slow, single_tokens_per_s=30.0), SINGLE) is None


def test_throughput_of_one_request_is_not_that_of_many() -> None:
    assert severity(but(output_tokens_per_s=5.0, running=1.9), THROUGHPUT) is None
    assert severity(but(output_tokens_per_s=5.0, running=2.0), THROUGHPUT) is WARNING


def test_an_idle_gpu_under_a_lone_request_is_not_alarming() -> None:
    assert severity(but(gpu_used=0.2, running=1.0), GPU) is INFO
    assert severity(but(gpu_used=0.2), GPU) is WARNING


def test_long_contexts_that_fit_are_only_worth_knowing() -> None:
    assert severity(but(running=6.0, prompt_tokens=30_000.0), LONG) is INFO
    finding = found(but(running=10.0, prompt_tokens=30_000.0), LONG)
    assert finding is not None
    assert finding.severity is WARNING
    assert "30,000 tokens a prompt on average, 300,000 in all" in finding.evidence


# ── prompts that repeat ─────────────────────────────────────────────────────────────────────


def prefix(repeats: Repeats | None, hit: float | None, **flags: FlagValue) -> Finding | None:
    serving = replace(but(prefix_hit=hit, prompt_tokens=400.0), repeats=repeats)
    return found(replace(serving, flags={**FLAGS, **flags}), PREFIX)


def test_a_question_in_front_of_the_document_is_the_wrong_order() -> None:
    finding = prefix(Repeats(100, 0.05, 0.8), 0.02)
    assert finding is not None
    assert finding.severity is WARNING
    assert "80 % of 100 prompts end as one before did" in finding.evidence
    assert "fixed part first" in finding.remedies[0].text
    assert "DOCUMENT + QUESTION" in finding.remedies[0].text


def test_prompts_that_begin_alike_and_are_not_found() -> None:
    finding = prefix(Repeats(100, 0.9, 0.0), 0.10)
    assert finding is not None
    assert "left the cache" in (finding.cause or "")
    both = prefix(Repeats(100, 0.9, 0.9), 0.10)  # the same as a whole: that is no wrong order
    assert both == finding


def test_long_prompts_with_the_same_short_beginning_hit_little_and_that_is_right() -> None:
    serving = replace(but(prefix_hit=0.05, prompt_tokens=20_000.0), repeats=Repeats(100, 0.9, 0.0))
    assert found(serving, PREFIX) is None


def test_caching_that_is_switched_off() -> None:
    finding = prefix(Repeats(100, 0.5, 0.0), None, enable_prefix_caching=False)
    assert finding is not None
    assert "--enable-prefix-caching true instead of false" in finding.remedies[0].text
    assert prefix(Repeats(100, 0.2, 0.0), None, enable_prefix_caching=False) is None


@pytest.mark.parametrize(
    ("repeats", "hit"),
    [(None, 0.0), (Repeats(19, 0.0, 1.0), 0.0), (Repeats(100, 0.0, 1.0), None)],
)
def test_without_a_hint_nothing_is_said_of_prompts(
    repeats: Repeats | None, hit: float | None
) -> None:
    assert prefix(repeats, hit) is None


# ── changes and their effects ───────────────────────────────────────────────────────────────


def test_the_changes_that_are_to_be_planned() -> None:
    assert changes(replace(GOOD, flags={**FLAGS, "enable_prefix_caching": False})) == {
        "more-sequences": {"max_num_seqs": 96},
        "fewer-sequences": {"max_num_seqs": 32},
        "larger-share": {"gpu_memory_utilization": 0.85},
        "shorter-context": {"max_model_len": 49152},
        "fp8-cache": {"kv_cache_dtype": "fp8"},
        "prefix-caching": {"enable_prefix_caching": True},
        "larger-batch": {"max_num_batched_tokens": 16384},
    }
    assert changes(Serving(OTHER, LOADED)) == {}
    assert changes(replace(GOOD, engine="ollama")) == {}


def test_a_share_is_never_raised_over_the_guides_warning() -> None:
    def share(now: float) -> object:
        given = replace(GOOD, flags={"gpu_memory_utilization": now})
        return changes(given).get("larger-share", {}).get("gpu_memory_utilization")

    assert [share(each) for each in (0.70, 0.88, 0.90, 0.92)] == [0.75, 0.90, None, None]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(FLAGS)), st.integers(0, 10**7) | st.booleans()))
def test_changes_are_changes_whatever_the_flags(flags: dict[str, int | bool]) -> None:
    for change in changes(replace(GOOD, flags=flags)).values():
        for flag, value in change.items():
            assert value != flags.get(flag)
            assert value


def test_an_effect_below_two_per_cent_is_none() -> None:
    near = replace(PLANNED, kv_cache_tokens=271_000)
    assert effect(PLANNED, PlanChange(True, near)) == "By the plan no figure changes."


NUMBERS = st.none() | st.floats(0, 1e7)
SHARES = st.none() | st.floats(0, 1)


@settings(deadline=None)
@given(
    st.builds(
        Window,
        samples=st.integers(0, 100),
        seconds=st.floats(0, 1e6),
        busy=SHARES, running=NUMBERS, running_max=NUMBERS, waiting=NUMBERS,
        kv_used_mean=SHARES, kv_used_max=SHARES, preemptions=NUMBERS, prefix_hit=SHARES,
        gpu_used=SHARES, requests=NUMBERS, prompt_tokens=NUMBERS, ttft_p95_s=NUMBERS,
        single_tokens_per_s=NUMBERS, output_tokens_per_s=NUMBERS,
    ),
    st.sampled_from([SEVENTY, THIRTY, OTHER]),
)  # fmt: skip
def test_whatever_the_readings_findings_are_whole(window: Window, model: str) -> None:
    ids = [check.id for check in CHECKS]
    for finding in interpret(replace(GOOD, window=window, model=model)):
        assert finding.id in ids
        assert finding.title
        assert finding.evidence
        assert finding.severity is OK or (finding.cause and finding.remedies)
        assert not any(math.nan.__repr__() in text for text in finding.evidence)


def test_every_command_of_a_remedy_is_one() -> None:
    bad = but(kv_used_mean=0.99, kv_used_max=1.0, ttft_p95_s=9.0, gpu_used=0.1,
              single_tokens_per_s=1.0, output_tokens_per_s=1.0)  # fmt: skip
    commands = [
        each.command for f in interpret(bad) for each in f.remedies if each.command is not None
    ]
    assert commands
    for words in (shlex.split(part) for text in commands for part in text.split(" && ")):
        assert words[0] == "sparkwell"
        command = cli.get_command(click.Context(cli), words[1])
        assert command is not None
        command.make_context(words[1], words[2:], resilient_parsing=True)
