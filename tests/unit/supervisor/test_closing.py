"""The daemon ends: nothing starts any more, and what is stopped then does not come back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.unit.supervisor.story import A, Story, instance
from tests.unit.supervisor.switching_bench import Bench
from tests.unit.supervisor.test_actor import turns, until
from tests.unit.supervisor.transitions import BOXES, NOW

from sparkwell.supervisor import messages as says
from sparkwell.supervisor.box import Leaving, State
from sparkwell.supervisor.machine import step


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.supervisor.close()


# ── nothing starts ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["up", "ask"])
async def test_what_is_prepared_then_is_not_launched(bench: Bench, how: str) -> None:
    bench.fetched.clear()
    if how == "up":
        prepare, provide = await bench.starts.start("a", None, {})
        bench.supervisor.up("a", prepare, provide, terms=bench.terms("a"))
    else:
        bench.ask("a")
    await turns()
    bench.supervisor.refuse_more()
    bench.fetched.set()
    await turns()
    assert bench.driver.launched == []
    await asyncio.wait_for(bench.supervisor.down(), 5)
    assert bench.supervisor.instances == ()


def test_one_that_waits_for_its_turn_is_not_launched() -> None:
    after, _ = step(BOXES["queued"], says.Closed(), NOW)
    after, effects = step(after, says.Settled("i0"), NOW)
    assert effects == ()


def test_nothing_comes_back_and_nothing_retires() -> None:
    idle = instance("a", replace(A, idle_s=10.0), idle_since=990.0)
    story = Story(idle).tell(says.Closed()).tell(says.Wanted((Leaving("b", A, kept=True),)))
    story.tell(says.Tick(), 100_000.0)
    assert (story.effects, story.state("a")) == ((), State.READY)


def test_what_is_ended_then_ends() -> None:
    story = Story(instance("a", A, serving=1)).tell(says.Closed()).tell(says.Down())
    assert story.done(says.Terminate) == [says.Terminate("i-a")]


# ── a person's Ctrl-C in a switch ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("moment", ["draining", "starting"])
async def test_engines_that_are_stopped_leave_no_switch_to_the_next_daemon(
    bench: Bench, moment: str
) -> None:
    await bench.ready("a")
    lease = bench.ask("a").lease
    assert lease is not None
    bench.ask("b")
    await until(lambda: bench.state("a") is State.DRAINING)
    if moment == "starting":
        lease.release()
        await bench.launched("b")
    bench.supervisor.refuse_more()
    assert "switch" in bench.open
    await asyncio.wait_for(bench.supervisor.down(), 5)
    assert bench.notes.of("switch")[-1] == ("b", "called off")
    assert bench.open == []


async def test_engines_that_run_on_leave_it_open(bench: Bench) -> None:
    """The next daemon sees to it that who left comes back, or that the switch goes on."""
    await bench.ready("a")
    bench.ask("b")
    await bench.launched("b")
    bench.supervisor.refuse_more()
    await bench.supervisor.close()
    assert "switch" in bench.open
