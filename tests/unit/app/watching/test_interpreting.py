"""Figures of the last minutes become findings, and those that have gone are forgotten."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from sparkwell.app.watching.interpreting import WINDOW_S, Interpreter, flags_of_run
from sparkwell.app.watching.run_plans import RunPlans
from sparkwell.checks.serving import interpret
from sparkwell.checks.serving_repeats import RepeatCounter
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.store.series_names import MACHINE, Point, Source

FLAGS = {"max_num_seqs": 64, "max_model_len": 8192}
SPEC = LaunchSpec(
    "q-1",
    "qwen3-8b-fp8",
    "vllm",
    "0.25.0",
    ("true",),
    Endpoint(uds="/s"),
    labels={"flags": json.dumps(FLAGS)},
)
FULL = {"running": 30.0, "waiting": 9.0, "kv_used": 0.99, "output_tokens_per_s": 500.0}
IDLE = {"running": 0.0, "waiting": 0.0, "kv_used": 0.0, "output_tokens_per_s": 0.0}


def points(figures: dict[str, float]) -> list[Point]:
    return [Point(MACHINE, {"gpu_used": 0.9}), Point(Source("q-1", SPEC.model), figures)]


class Bench:
    def __init__(self) -> None:
        self.now = 0.0
        plans = RunPlans(lambda _spec: None)
        self.interpreter = Interpreter(plans, RepeatCounter(), clock=lambda: self.now)

    async def rounds(self, number: int, figures: dict[str, float]) -> None:
        for _ in range(number):
            self.now += 5.0
            await self.interpreter.look(points(figures), {"q-1": SPEC}.get)

    def ids(self, model: str | None = None) -> list[str]:
        return [each.id for each in self.interpreter.findings(model)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_full_cache_is_told_once_it_lasts(bench: Bench) -> None:
    await bench.rounds(1, FULL)
    assert bench.ids() == []
    await bench.rounds(40, FULL)
    assert "kv-cache-full" in bench.ids()
    assert bench.ids("qwen3-8b-fp8") == bench.ids()
    assert bench.ids("another") == []
    assert bench.interpreter.findings()[0].title.startswith("qwen3-8b-fp8: ")


async def test_it_is_over_some_time_after_it_has_ended(bench: Bench) -> None:
    await bench.rounds(40, FULL)
    await bench.rounds(round(WINDOW_S / 5) + 10, IDLE)
    assert bench.ids() == []


async def test_nothing_is_said_of_an_idle_model(bench: Bench) -> None:
    await bench.rounds(80, IDLE)
    assert bench.ids() == []


async def test_who_has_gone_is_forgotten(bench: Bench) -> None:
    await bench.rounds(40, FULL)
    await bench.interpreter.look([Point(MACHINE, {})], {"q-1": SPEC}.get)
    assert bench.ids() == []
    await bench.rounds(1, FULL)
    assert bench.ids() == []  # it begins anew


async def test_one_that_nobody_knows_any_more_is_left_alone(bench: Bench) -> None:
    nobody: Callable[[str], LaunchSpec | None] = lambda _instance: None  # noqa: E731
    for _ in range(40):
        await bench.interpreter.look(points(FULL), nobody)
    assert bench.ids() == []


async def test_what_was_judged_can_be_judged_elsewhere(bench: Bench) -> None:
    assert bench.interpreter.servings() == ()
    await bench.rounds(40, FULL)
    [serving] = bench.interpreter.servings()
    assert (serving.model, serving.flags) == ("qwen3-8b-fp8", FLAGS)
    assert "kv-cache-full" in [each.id for each in interpret(serving)]
    assert serving.slowed_by == ()


async def test_eager_mode_slows_what_runs_on_a_gpu(bench: Bench) -> None:
    for device, slowed in (("cuda", 1), ("cpu", 0)):
        labels = {"flags": json.dumps({"enforce_eager": True}), "device": device}
        spec = replace(SPEC, labels=labels)
        await bench.interpreter.look(points(FULL), {"q-1": spec}.get)
        [serving] = bench.interpreter.servings()
        assert len(serving.slowed_by) == slowed


def test_flags_of_a_run() -> None:
    assert flags_of_run(SPEC) == FLAGS
    bare = LaunchSpec("q-1", "m", "ollama", "0", (), Endpoint(port=1))
    assert flags_of_run(bare) == {}
