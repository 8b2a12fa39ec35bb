"""A repeat in which the engine compiled kernels is measured again; a server compiles and stalls."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.bench.test_load import Server, Writer, answer, serving
from tests.unit.bench.test_stalls import CLIENTS, repeat

from sparkwell.app.compiling import CompileCache, explained
from sparkwell.bench.again import MOST, next_again
from sparkwell.bench.connection import Target
from sparkwell.bench.measuring import measure
from sparkwell.bench.notes import doubts, notes
from sparkwell.bench.order import Order, Progress
from sparkwell.bench.report import About, Beside, document
from sparkwell.bench.results import Measured, Repeat
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Vocabulary, Workload

STALL_S = 1.2
ONE = Case("one", Workload(64, 2), 6, clients=1)
RATE = Case("20/s", Workload(64, 2), 10, rate=20.0)
ATTEMPT = 1 + ONE.requests
"""Requests of an attempt, its warm-up among them."""
STALLS_AT = 4


def said_of(repeats: Sequence[Repeat]) -> list[str]:
    """Without what a busy machine adds: that the client woke late, say."""
    return [each for each in notes(ONE, repeats) if "no token came" in each]


@dataclass
class Engine:
    """Compiles at the requests of those numbers, when nobody gets a token; ``made`` at each."""

    cache: Path
    compiles_at: Sequence[int]
    made: int = 1
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    dies_at: int = 1000

    async def __call__(self, number: int, writer: Writer) -> None:
        if number >= self.dies_at:
            writer.transport.abort()
            return
        async with self.lock:
            if number in self.compiles_at:
                await self._compile(number)
        await answer(number, writer)

    async def _compile(self, number: int) -> None:
        await asyncio.sleep(STALL_S / 2)
        for each in range(self.made):
            kernel = self.cache / f"deep_gemm/{number}-{each}/kernel.cubin"
            kernel.parent.mkdir(parents=True)
            kernel.touch()
        await asyncio.sleep(STALL_S / 2)


def order(target: Target, case: Case, repeats: int = 1) -> Order:
    return Order(target, "m", [case], repeats, "s", Vocabulary(5000))


@dataclass
class Run:
    """One whole measurement of a case, and what the server was asked."""

    measured: Measured = field(default_factory=Measured)
    told: list[Progress] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def repeats(self) -> list[Repeat]:
        return self.measured.repeats[0]

    async def go(
        self, engine: Engine, case: Case = ONE, repeats: int = 1, *, looks: bool = True,
        hear: Callable[[Progress], None] = lambda _: None,
    ) -> "Run":  # fmt: skip
        def explain(case: Case, found: Sequence[Repeat]) -> Sequence[Repeat]:
            return explained(case, found, CompileCache(str(engine.cache)))

        def tell(progress: Progress) -> None:
            self.told.append(replace(progress))
            hear(progress)

        async with serving(engine) as (server, target):
            try:
                asked = order(target, case, repeats)
                await measure(asked, self.measured, tell, explain if looks else None)
            finally:
                self._keep(server)
        return self

    def _keep(self, server: Server) -> None:
        self.bodies = [json.loads(body) for body in server.bodies]


def prompts(bodies: Sequence[dict[str, Any]]) -> list[tuple[int, ...]]:
    return [tuple(each["prompt"]) for each in bodies]


def silences(repeats: Sequence[Repeat]) -> list[float]:
    return [each.figures.silence.seconds for each in repeats if each.figures.silence]


async def test_it_is_measured_again_at_once_with_new_prompts_of_the_same_lengths(
    tmp_path: Path,
) -> None:
    run = await Run().go(Engine(tmp_path, [STALLS_AT], made=2), repeats=2)
    assert len(run.bodies) == 3 * ATTEMPT
    assert set(Counter(prompts(run.bodies)).values()) == {1}
    assert {len(each) for each in prompts(run.bodies)} == {64}
    assert max(silences(run.repeats)) < 1.0
    [aside] = run.repeats[0].set_aside
    assert (aside.compiled, len(aside.samples)) == (2, ONE.requests)
    assert silences([aside])[0] > 1.0
    assert run.repeats[1].set_aside == ()
    assert [each.began_at or 0 for each in (aside, *run.repeats)] == sorted(
        each.began_at or 0 for each in (aside, *run.repeats)
    ), "at once, and not at the end"


async def test_the_first_attempt_asks_the_seeds_prompts_and_so_does_each_run_that_compiles(
    tmp_path: Path,
) -> None:
    calm = await Run().go(Engine(tmp_path / "0", []))
    first = await Run().go(Engine(tmp_path / "1", [STALLS_AT]))
    second = await Run().go(Engine(tmp_path / "2", [STALLS_AT + 1]))
    assert prompts(first.bodies[:ATTEMPT]) == prompts(calm.bodies)
    assert prompts(first.bodies) == prompts(second.bodies)


async def test_requests_of_a_rate_come_at_the_same_moments_again(tmp_path: Path) -> None:
    run = await Run().go(Engine(tmp_path, [1 + 8]), RATE)
    [kept], [aside] = run.repeats, run.repeats[0].set_aside
    dues = [[each.due_s - found.began_s for each in found.samples] for found in (kept, aside)]
    assert dues[0] == pytest.approx(dues[1], abs=0.005)
    assert set(Counter(prompts(run.bodies)).values()) == {1}


async def test_what_compiles_each_time_is_kept_after_two_more(tmp_path: Path) -> None:
    at = [STALLS_AT + ATTEMPT * each for each in range(5)]
    run = await Run().go(Engine(tmp_path, at))
    assert len(run.bodies) == (1 + MOST) * ATTEMPT
    [kept] = run.repeats
    assert [each.compiled for each in kept.set_aside] == [1, 1]
    assert kept.compiled == 1
    *again, said = said_of(run.repeats)
    assert len(again) == MOST
    assert said.endswith("(1 file in the compile cache); they are kept, so measure again.")


async def test_a_stall_of_an_unknown_cause_stays(tmp_path: Path) -> None:
    tmp_path.joinpath("old").mkdir()
    run = await Run().go(Engine(tmp_path, [STALLS_AT], made=0))
    assert len(run.bodies) == ATTEMPT
    assert run.repeats[0].compiled == 0
    [said] = said_of(run.repeats)
    assert said.startswith("In repeat 1 no token came for 1.2 s")


async def test_who_does_not_look_measures_once(tmp_path: Path) -> None:
    """As a tuning, which has a rule of its own."""
    run = await Run().go(Engine(tmp_path, [STALLS_AT]), looks=False)
    assert len(run.bodies) == ATTEMPT
    assert run.repeats[0].set_aside == ()


async def test_progress_has_the_requests_that_are_added(tmp_path: Path) -> None:
    run = await Run().go(Engine(tmp_path, [STALLS_AT]), repeats=2)
    steps = list(dict.fromkeys((each.repeat, each.again, each.added) for each in run.told))
    assert steps == [(1, 0, 0), (1, 1, 6), (2, 0, 6)]
    assert sum(each.done == ONE.requests for each in run.told) == 3


async def stopped(engine: Engine, when: Callable[[Progress], bool]) -> Run:
    """Ended by hand as soon as that is told."""
    run, now = Run(), asyncio.Event()

    def hear(progress: Progress) -> None:
        if when(progress):
            now.set()

    task = asyncio.create_task(run.go(engine, hear=hear))
    await now.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert run.measured.broken == "stopped by hand"
    return run


async def test_ctrl_c_in_the_second_attempt_keeps_both(tmp_path: Path) -> None:
    engine = Engine(tmp_path, [STALLS_AT])
    run = await stopped(engine, lambda at: at.again == 1 and at.done == 3)
    [kept] = run.repeats
    assert kept.broken == "stopped by hand"
    assert sum(each.good for each in kept.samples) == 3
    assert [len(each.samples) for each in kept.set_aside] == [ONE.requests]


async def test_ctrl_c_before_its_first_request_leaves_the_first_attempt(tmp_path: Path) -> None:
    engine = Engine(tmp_path, [STALLS_AT])
    run = await stopped(engine, lambda at: at.again == 1 and at.warming)
    [kept] = run.repeats
    assert (kept.broken, kept.set_aside, len(kept.samples)) == (None, (), ONE.requests)
    assert "Kernels were compiled then (1 file" in said_of(run.repeats)[0]


async def test_an_engine_that_dies_meanwhile_leaves_the_first_attempt(tmp_path: Path) -> None:
    run = await Run().go(Engine(tmp_path, [STALLS_AT], dies_at=ATTEMPT + 1))
    assert run.measured.broken is not None
    assert run.measured.broken.startswith("one, repeat 1: ")
    assert len(run.repeats[0].samples) == ONE.requests


# ── which one ───────────────────────────────────────────────────────────────────────────────

COMPILED = replace(repeat(9.0, 0.4), compiled=3)
CALM = repeat(0.5, 0.4)


def test_the_first_in_which_kernels_were_compiled() -> None:
    assert next_again(CLIENTS, [CALM]) is None
    assert next_again(CLIENTS, [CALM, COMPILED, COMPILED]) == 1
    assert next_again(CLIENTS, [CALM, replace(COMPILED, compiled=0)]) is None
    assert next_again(CLIENTS, [CALM, replace(COMPILED, compiled=None)]) is None


def test_one_of_which_only_a_later_repeat_tells_that_it_stood_still() -> None:
    early = replace(repeat(9.0), compiled=3)
    assert next_again(CLIENTS, [early]) is None
    assert next_again(CLIENTS, [early, CALM]) == 0


def test_one_that_had_its_attempts_leaves_the_next_its_own() -> None:
    tried = replace(COMPILED, set_aside=(COMPILED,) * MOST)
    assert next_again(CLIENTS, [tried, CALM]) is None
    assert next_again(CLIENTS, [tried, CALM, COMPILED]) == 2


def test_who_slept_himself_blames_nobody() -> None:
    asleep = replace(repeat(9.0, 0.4, lag_s=8.0), compiled=3)
    assert next_again(CLIENTS, [asleep]) is None


def test_failed_requests_and_an_early_end_are_to_be_seen() -> None:
    failed = replace(COMPILED, figures=replace(COMPILED.figures, failed=1))
    assert next_again(CLIENTS, [failed]) is None
    assert next_again(CLIENTS, [replace(COMPILED, broken="stopped by hand")]) is None


# ── what is said of it ──────────────────────────────────────────────────────────────────────


def test_what_was_set_aside_is_in_the_document_with_a_note_that_is_no_doubt() -> None:
    repeats = [replace(CALM, set_aside=(replace(COMPILED, compiled=2), COMPILED)), CALM]
    about = About("r", 1.0, "m", "crowd", "u", "c", "1", {"name": "x"}, {})
    [case] = document(about, [CLIENTS], Measured({0: repeats}), lambda _: Beside())["cases"]
    assert case["notes"] == [
        "Measured again with new prompts: repeat 1, as no token came for 9.0 s while kernels were "
        f"compiled ({files} files in the compile cache)."
        for files in (2, 3)
    ]
    assert doubts(case) == []
    asides = [(each["repeat"], each["silence_s"], each["compiled_files"])
              for each in case["set_aside"]]  # fmt: skip
    assert asides == [(1, 9.0, 2), (1, 9.0, 3)]
    assert len(case["set_aside"][0]["requests"]["rows"]) == 1
    assert case["measured"]["silence_s"]["mean"] == 0.5, "of what was kept"
    assert [each["silence_s"] for each in case["repeats"]] == [0.5, 0.5]
