"""What is done for the box, where something else happens in the same moment."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.supervisor.switching_bench import Bench, with_sleep
from tests.unit.supervisor.test_actor import turns, until

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.supervisor import deeds, pulses
from sparkwell.supervisor.box import State
from sparkwell.supervisor.liveness import Rules


class Pulse:
    """Watches of ready engines: who is looked at now, and what is found."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self.finding: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def __call__(self, spec: LaunchSpec, serving: object, rules: Rules) -> "_Watch":
        return _Watch(self, spec.instance)


class _Watch:
    def __init__(self, pulse: Pulse, instance: str) -> None:
        self._pulse = pulse
        self._instance = instance

    async def until_hung(self, _heed: object = None) -> str:
        self._pulse.watched.add(self._instance)
        try:
            return await asyncio.shield(self._pulse.finding)
        finally:
            self._pulse.watched.remove(self._instance)


@pytest.fixture
async def pulse(monkeypatch: pytest.MonkeyPatch) -> Pulse:
    pulse = Pulse()
    monkeypatch.setattr(pulses, "Pulse", pulse)
    return pulse


@pytest.fixture
async def bench(pulse: Pulse, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Bench]:
    """In every test: no task of the supervisor fails, and close leaves none behind."""
    bench = Bench(liveness=Rules())
    yield bench
    await bench.supervisor.close()
    await turns()
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()
    assert pulse.watched == set()
    assert "A supervisor task failed" not in caplog.messages
    assert "An effect could not be carried out" not in caplog.text


# ── while it serves ─────────────────────────────────────────────────────────────────────────


async def test_a_ready_engine_is_watched_until_it_leaves(bench: Bench, pulse: Pulse) -> None:
    instance = await bench.launched_by_hand("a")
    assert pulse.watched == set()
    await bench.answers("a")
    await turns()
    assert pulse.watched == {instance}
    bench.driver.stop_gate.clear()
    down = asyncio.create_task(bench.supervisor.down())
    await until(lambda: bench.driver.stopped)
    await turns()
    assert pulse.watched == set()  # one that is being stopped answers nobody
    bench.driver.stop_gate.set()
    await down


async def test_one_that_hangs_is_ended_and_says_so(bench: Bench, pulse: Pulse) -> None:
    instance = await bench.ready("a")
    await turns()
    pulse.finding.set_result("nothing for 90 s")
    await until(lambda: bench.state("a") is State.FAILED)
    now = bench.supervisor.of("a")
    assert now is not None
    assert now.error == "it hung: nothing for 90 s"
    assert bench.driver.stopped == [instance]
    assert bench.open == []


async def test_one_that_ends_by_itself_is_watched_no_more(bench: Bench, pulse: Pulse) -> None:
    instance = await bench.ready("a")
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.state("a") is State.FAILED)
    await turns()
    assert pulse.watched == set()


async def test_nobody_asks_one_that_sleeps_for_a_token(
    bench: Bench, pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_sleep: list[set[str]] = []

    async def told(*_of_what: object) -> None:
        await asyncio.sleep(0)
        at_sleep.append(set(pulse.watched))

    monkeypatch.setattr(deeds, "put_to_sleep", told)
    monkeypatch.setattr(deeds, "wake", told)
    monkeypatch.setattr(type(bench.watch), "one_token", told)
    instance = await bench.ready("a", with_sleep(bench.terms("a")))
    other = await bench.used("b")
    await turns()
    assert at_sleep == [set()]
    assert pulse.watched == {other}
    lease = await bench.ask("a").wait()
    await turns()
    assert pulse.watched == {instance}
    lease.release()


# ── before the launch ───────────────────────────────────────────────────────────────────────


async def test_a_start_on_demand_is_let_go_of_while_it_is_prepared(bench: Bench) -> None:
    bench.fetched.clear()
    ticket = bench.ask("a")
    await turns()
    assert bench.state("a") is State.STARTING
    await asyncio.wait_for(bench.supervisor.down("a"), 5)
    assert ticket.refusal is not None
    assert bench.driver.launched == bench.driver.stopped == []
    assert bench.open == []
    await until(lambda: bench.supervisor.idle)


async def test_down_in_the_very_turn_of_the_start(bench: Bench) -> None:
    """Nothing has run of it yet: there is nothing that a driver could stop."""
    bench.up("a")
    await asyncio.wait_for(bench.supervisor.down("a"), 5)
    await turns()
    assert bench.driver.launched == bench.driver.stopped == []
    assert bench.state("a") is None


@pytest.mark.parametrize("later", range(8))
async def test_down_in_each_turn_of_a_start(bench: Bench, later: int) -> None:
    """Prepared and not told yet, told and not launched, being launched: no engine stays."""
    bench.fetched.clear()
    bench.ask("a")
    await turns()
    bench.fetched.set()
    for _ in range(later):
        await asyncio.sleep(0)
    await asyncio.wait_for(bench.supervisor.down("a"), 5)
    await turns()
    assert bench.state("a") is None
    assert bench.driver.launched == bench.driver.stopped
    assert await bench.driver.running() == []
    assert bench.open == []


# ── the end ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [EnvironmentFault("The log is gone."), OSError("no such file")])
async def test_an_end_is_an_end_also_where_the_log_cannot_be_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """It is known how it ended: it must not count as one that may still run."""

    async def follow(_instance: str, *, from_start: bool = True) -> AsyncIterator[str]:
        if fault:
            raise fault
        yield ""

    instance = await bench.launched_by_hand("a")
    monkeypatch.setattr(bench.driver, "follow", follow)
    await bench.driver.end(instance, code=3)
    await until(lambda: bench.state("a") is State.FAILED)
    now = bench.supervisor.of("a")
    assert now is not None
    assert (now.lost, now.error) == (
        False,
        "the engine ended by itself while starting (exit code 3)",
    )


async def test_the_first_error_in_the_log_is_the_cause(bench: Bench) -> None:
    instance = await bench.launched_by_hand("a")
    for line in ("INFO fine", "ValueError: No available memory for the cache blocks.", "later"):
        await bench.driver.say(instance, line)
    read = bench.watch.talks["vllm"].read_error
    expected = read("ValueError: No available memory for the cache blocks.")
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.state("a") is State.FAILED)
    now = bench.supervisor.of("a")
    assert now is not None
    assert expected is not None
    assert (now.error or "").endswith(expected.rstrip("."))


async def test_what_is_heard_after_the_end_is_nothing(bench: Bench) -> None:
    instance = await bench.launched_by_hand("a")
    hear = bench.watch.marks[instance]
    await bench.supervisor.down()
    hear(PhaseMark(Phase.WEIGHTS, 0.5, (("weights_gib", 1.0),)))
    assert bench.state("a") is None
    await until(lambda: bench.supervisor.idle)


# ── starts that are written down ────────────────────────────────────────────────────────────


async def test_a_start_is_over_when_the_engine_answers(bench: Bench) -> None:
    """Until then it may take the machine down with it."""
    await bench.launched_by_hand("a")
    assert bench.open == ["start"]
    await bench.answers("a")
    assert bench.open == []
    assert bench.notes.of("start") == [("a", "ready")]


async def test_a_start_that_ends_or_fails_is_over_too(bench: Bench) -> None:
    instance = await bench.launched_by_hand("a")
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.state("a") is State.FAILED)
    assert bench.notes.of("start") == [("a", "ended")]
    instance = await bench.launched_by_hand("c")
    bench.watch.outcomes[instance].set_exception(EnvironmentFault("not ready within 5 s"))
    await until(lambda: bench.state("c") is State.FAILED)
    assert bench.notes.of("start")[1:] == [("c", "failed")]
    await bench.launched_by_hand("d")
    await bench.supervisor.down("d")
    assert bench.open == []


async def test_an_engine_that_is_taken_over_is_a_start_until_it_answers(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old", "a"))
    await bench.supervisor.adopt()
    await bench.launched("a")
    assert bench.open == ["start"]
    await bench.answers("a")
    assert bench.notes.of("start") == [("a", "ready")]


async def test_a_daemon_that_ends_in_order_says_that_the_machine_stayed_up(bench: Bench) -> None:
    await bench.launched_by_hand("a")
    await bench.supervisor.close()
    assert bench.notes.of("start") == [("a", "left to the next daemon")]
