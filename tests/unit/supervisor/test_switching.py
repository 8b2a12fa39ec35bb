"""The supervisor makes models leave for each other: for requests, and for a person's --switch."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace

import pytest
from tests.unit.supervisor.switching_bench import AT_ONCE, Bench, with_sleep
from tests.unit.supervisor.test_actor import turns, until

from sparkwell.core.errors import (
    ConflictError,
    EnvironmentFault,
    NotReadyError,
    SparkwellError,
    WaitExceededError,
)
from sparkwell.core.launch import BACK_END, HELD, ExitRecord, Running
from sparkwell.supervisor import deeds
from sparkwell.supervisor.box import Leaving, State
from sparkwell.supervisor.messages import Answered, Ended, Hung, Tripped
from sparkwell.supervisor.terms import Policy, Terms


@pytest.fixture
async def bench(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Bench]:
    """In every test: no task of the supervisor fails, and close leaves none behind."""
    bench = Bench()
    yield bench
    await bench.supervisor.close()
    await turns()
    assert asyncio.all_tasks() - {asyncio.current_task()} == set()
    assert "A supervisor task failed" not in caplog.messages
    assert "An effect could not be carried out" not in caplog.text


@pytest.fixture
def sleepy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Engines that sleep and wake when they are told to."""

    async def told(*_of_what: object) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(deeds, "put_to_sleep", told)
    monkeypatch.setattr(deeds, "wake", told)
    monkeypatch.setattr(type(bench.watch), "one_token", told)
    return bench


# ── a request's switch ──────────────────────────────────────────────────────────────────────


async def test_a_request_starts_its_model(bench: Bench) -> None:
    ticket = bench.ask("a")
    assert ticket.lease is None
    instance = await bench.answers("a")
    lease = await ticket.wait()
    assert (lease.instance, lease.model) == (instance, "a")
    assert lease.endpoint == bench.driver.endpoint(instance)
    assert 0 <= lease.load_s <= lease.queued_s
    assert bench.starts.asked == [("a", None, {})]
    assert bench.supervisor.requests_running == 1
    lease.release()
    assert bench.supervisor.requests_running == 0


async def test_one_model_leaves_for_another(bench: Bench) -> None:
    first = await bench.ready("a")
    ticket = bench.ask("b")
    second = await bench.answers("b")
    assert (await ticket.wait()).instance == second
    assert bench.driver.stopped == [first]
    assert bench.state("a") is None
    assert bench.notes.of("switch") == [("b", "done")]
    assert bench.open == []
    assert "switch.done" in bench.kinds


async def test_who_leaves_for_whom_is_written_down_before_anybody_leaves(bench: Bench) -> None:
    bench.labels["a"] = {"set": '["max_model_len=4096"]'}
    await bench.ready("a")
    bench.driver.stop_gate.clear()
    bench.ask("b")
    await until(lambda: bench.driver.stopped)
    switch, stop = [each for each in bench.notes.all if each.outcome is None]
    assert (switch.kind, switch.model, stop.kind, stop.model) == ("switch", "b", "stop", "a")
    assert switch.data["from"] == ["a"]
    wishes = switch.data["wishes"]
    assert isinstance(wishes, Mapping)
    assert wishes["a"]["kept"] is True
    assert wishes["a"]["labels"]["set"] == '["max_model_len=4096"]'
    bench.driver.stop_gate.set()


async def test_a_running_request_is_waited_for(bench: Bench) -> None:
    first = await bench.ready("a")
    running = bench.ask("a").lease
    assert running
    waiting = bench.ask("b")
    await turns()
    assert bench.state("a") is State.DRAINING
    late = bench.ask("a")  # takes no new ones
    assert late.lease is None
    await turns()
    assert bench.driver.stopped == []
    running.release()
    await until(lambda: bench.driver.stopped == [first])
    lease = (await asyncio.gather(waiting.wait(), bench.answers("b")))[0]
    lease.release()
    await bench.answers("a")  # and back for the one that came too late
    assert (await late.wait()).instance != first


async def test_two_that_fit_together_run_together(bench: Bench) -> None:
    await bench.ready("a")
    bench.ask("c")
    await bench.answers("c")
    assert bench.starts.asked == [("c", None, {"a": 60})]
    assert bench.state("a") is State.READY
    assert bench.driver.stopped == []


async def test_a_client_that_leaves_takes_its_switch_with_it(bench: Bench) -> None:
    await bench.ready("a")
    running = bench.ask("a").lease
    waiting = asyncio.create_task(bench.ask("b").wait())
    await turns()
    assert bench.state("a") is State.DRAINING
    waiting.cancel()
    await turns()
    assert bench.state("a") is State.READY
    assert bench.notes.of("switch") == [("b", "called off")]
    assert running
    running.release()
    assert bench.ask("a").lease


async def test_a_client_that_leaves_in_the_moment_of_its_lease_keeps_nothing_busy(
    bench: Bench,
) -> None:
    waiting = asyncio.create_task(bench.ask("a").wait())
    instance = await bench.launched("a")
    bench.watch.outcomes[instance].set_result(None)
    await until(lambda: bench.supervisor.requests_running)
    waiting.cancel()
    await turns()
    assert bench.supervisor.requests_running == 0
    bench.ask("b")
    await until(lambda: bench.driver.stopped)


async def test_what_left_comes_back_when_the_new_one_fails(bench: Bench) -> None:
    bench.labels["a"] = {"profile": "latency"}
    await bench.ready("a")
    ticket = bench.ask("b")
    instance = await bench.launched("b")
    bench.watch.outcomes[instance].set_exception(EnvironmentFault("no token"))
    with pytest.raises(NotReadyError, match="b failed: no token"):
        await ticket.wait()
    await bench.answers("a")
    assert bench.notes.of("switch") == [("b", "failed")]
    assert bench.open == []
    model, before, beside = bench.starts.asked[-1]
    assert (model, beside) == ("a", {})
    assert before is not None
    assert before["profile"] == "latency"


async def test_a_start_that_nobody_can_make_rolls_back_too(bench: Bench) -> None:
    await bench.ready("a")
    bench.starts.refusal = NotReadyError("Its weights are gone.", hint="Pull it.")
    ticket = bench.ask("b")
    with pytest.raises(NotReadyError, match="Its weights are gone"):
        await ticket.wait()
    bench.starts.refusal = None
    await bench.answers("a")
    assert bench.driver.launched[1:] == [bench.id_of("a")]
    assert bench.open == []


async def test_nobody_waits_longer_than_is_allowed() -> None:
    bench = Bench(replace(AT_ONCE, patience_s=60.0, max_wait_s=0.05))
    await bench.ready("a")
    running = bench.ask("a").lease
    assert running
    with pytest.raises(WaitExceededError, match="was not ready within"):
        await asyncio.wait_for(bench.ask("b").wait(), 5)
    running.release()
    await bench.supervisor.close()


async def test_an_ending_daemon_tells_who_waits(bench: Bench) -> None:
    await bench.ready("a")
    running = bench.ask("a").lease
    ticket = bench.ask("b")
    bench.supervisor.refuse_more()
    with pytest.raises(NotReadyError, match="daemon is ending"):
        await ticket.wait()
    assert bench.state("a") is State.READY
    assert bench.open == ["switch"]  # the next daemon sees to who had left already
    with pytest.raises(NotReadyError, match="is not loaded"):
        bench.ask("b")
    assert bench.ask("a").lease  # what is loaded is served to the end
    assert running


async def test_a_person_who_stops_it_tells_who_waits(bench: Bench) -> None:
    await bench.ready("a")
    running = bench.ask("a").lease
    ticket = bench.ask("b")
    await bench.supervisor.down("b")
    with pytest.raises(NotReadyError, match="was stopped with"):
        await ticket.wait()
    assert running
    assert bench.state("a") is State.READY


# ── a person's switch ───────────────────────────────────────────────────────────────────────


async def test_switch_to_returns_when_the_start_has_begun(bench: Bench) -> None:
    await bench.ready("a")
    running = bench.ask("a").lease
    switching = asyncio.create_task(
        bench.supervisor.switch_to("b", bench.terms("b"), {"profile": "latency"})
    )
    await turns()
    assert not switching.done()
    assert running
    running.release()
    instance = await switching
    assert instance == bench.id_of("b")
    assert bench.state("b") is State.STARTING
    await turns()
    assert bench.starts.asked == [("b", {"profile": "latency"}, {})]
    await bench.answers("b")
    await until(lambda: bench.supervisor.requests_running == 0)


async def test_what_a_person_switched_to_is_kept(bench: Bench) -> None:
    """As one that is upped: it comes back after a crash, and does not end for being idle."""
    await bench.ready("a")
    terms = replace(bench.terms("b"), idle_s=None)
    bench.ask("b", replace(terms, idle_s=0.01))  # a request was quicker
    await bench.supervisor.switch_to("b", terms, {})
    await bench.answers("b")
    await turns()
    now = bench.supervisor.of("b")
    assert now is not None
    assert (now.kept, now.terms.idle_s) == (True, None)


async def test_a_persons_switch_comes_before_requests() -> None:
    """It waits for who is served, and for nothing else."""
    bench = Bench(replace(AT_ONCE, min_residency_s=3600.0, quiet_s=3600.0, patience_s=3600.0))
    await bench.ready("a")
    running = bench.ask("a").lease
    assert running
    first = bench.ask("c", Terms(least_bytes=70, most_bytes=70), priority=100)
    assert bench.state("a") is State.READY
    switching = asyncio.create_task(bench.supervisor.switch_to("b", bench.terms("b"), {}))
    await turns()
    assert bench.state("a") is State.DRAINING
    assert not switching.done()
    running.release()
    await switching
    assert first.lease is None
    assert bench.state("b") is State.STARTING
    await bench.supervisor.close()


async def test_one_that_leaves_in_mid_switch_is_written_down_too(bench: Bench) -> None:
    """While b waits for a, a person starts c, which then is in its way."""
    await bench.used("a")
    running = bench.ask("a").lease
    bench.ask("b", Terms(least_bytes=90, most_bytes=90))
    await turns()
    await bench.launched_by_hand("c")
    assert running
    running.release()
    await bench.answers("c")  # a can leave now, and has gone when c has to
    await bench.launched("b")
    old, new = [each for each in bench.notes.all if each.kind == "switch"]
    assert (old.data["from"], old.outcome) == (["a"], "written anew")
    assert (new.data["from"], new.outcome, new.data["to"]) == (["a", "c"], None, "b")
    wishes = new.data["wishes"]
    assert isinstance(wishes, Mapping)
    assert {model: wish["kept"] for model, wish in wishes.items()} == {"a": False, "c": True}
    assert wishes["a"]["labels"][HELD] == "60"
    await bench.answers("b")
    assert bench.open == []


async def test_one_that_a_person_stops_in_mid_switch_is_not_written_down_any_more(
    bench: Bench,
) -> None:
    """A next daemon would bring it back."""
    await bench.ready("a")
    running = bench.ask("a").lease
    bench.ask("b")
    await turns()
    assert running
    await bench.supervisor.down("a")
    switch = [each for each in bench.notes.all if each.kind == "switch"][-1]
    assert (switch.data["from"], switch.data["wishes"], switch.outcome) == ([], {}, None)


async def test_a_switch_that_a_person_stops_is_over(bench: Bench) -> None:
    """An intent that stayed open would bring back, one day, what somebody has stopped since."""
    await bench.ready("a")
    running = bench.ask("a").lease
    bench.ask("b")
    await turns()
    await bench.supervisor.down("b")
    assert running
    assert bench.notes.of("switch") == [("b", "called off")]
    bench.ask("b")
    await turns()
    await bench.supervisor.down()
    assert bench.open == []


async def test_a_switch_that_is_refused_leaves_no_flags_behind(bench: Bench) -> None:
    bench.held["b"] = 200
    with pytest.raises(EnvironmentFault, match="does not fit on this machine"):
        await bench.supervisor.switch_to("b", bench.terms("b"), {"set": '["bad=1"]'})
    bench.held["b"] = 60
    bench.ask("b")
    await bench.launched("b")
    assert bench.starts.asked == [("b", None, {})]


async def test_a_switch_that_is_refused_later_is_told(bench: Bench) -> None:
    await bench.ready("a")
    running = bench.ask("a").lease
    switching = asyncio.create_task(bench.supervisor.switch_to("b", bench.terms("b"), {}))
    await turns()
    await bench.supervisor.down("b")
    with pytest.raises(NotReadyError, match="was stopped with"):
        await switching
    assert running


async def test_a_person_closes_the_breaker(bench: Bench) -> None:
    """`up` does; the hint of the refusal would else lead in a circle."""
    bench.driver.refusal = EnvironmentFault("No such program.")
    bench.up("b")
    await until(lambda: bench.state("b") is State.FAILED)
    with pytest.raises(NotReadyError, match="b failed"):
        bench.ask("b")
    bench.driver.refusal = None
    await bench.supervisor.switch_to("b", bench.terms("b"), {})
    await bench.answers("b")


async def test_a_model_that_ends_in_the_moment_it_is_granted_is_not_begun_twice(
    bench: Bench,
) -> None:
    await bench.supervisor.switch_to("b", bench.terms("b"), {})
    instance = await bench.launched("b")
    record = await bench.driver.end(instance, code=1)
    bench.supervisor._apply(Answered(instance))
    bench.supervisor._apply(Ended(instance, record))  # before whoever keeps it has run
    await turns()
    assert bench.supervisor.requests_running == 0
    assert bench.kinds.count("instance.starting") == 1
    assert "mistake" not in str([event.message for event in bench.journal.after(0)])


async def test_one_that_hangs_in_that_moment_is_not_begun_twice(bench: Bench) -> None:
    await bench.supervisor.switch_to("b", bench.terms("b"), {})
    instance = await bench.launched("b")
    bench.supervisor._apply(Answered(instance))
    bench.supervisor.report(Hung(instance, "it hangs"))
    await turns()
    assert bench.kinds.count("instance.starting") == 1


async def test_one_that_sleeps_wakes_with_what_it_had(sleepy: Bench) -> None:
    sleepy.labels["a"] = {"profile": "latency", BACK_END: "sleep-1"}
    first = await sleepy.ready("a", with_sleep(sleepy.terms("a")))
    await sleepy.used("b")
    assert sleepy.state("a") is State.ASLEEP
    await sleepy.supervisor.switch_to("a", sleepy.terms("a"), {"profile": "balanced"})
    await until(lambda: sleepy.state("a") is State.READY)
    assert sleepy.id_of("a") == first
    assert sleepy.supervisor.given("a")["profile"] == "latency"  # and comes back with it, too
    assert sleepy.starts.asked == [("b", None, {"a": 5})]


# ── sleep ───────────────────────────────────────────────────────────────────────────────────


async def test_one_sleeps_for_another_and_wakes_again(sleepy: Bench) -> None:
    instance = await sleepy.ready("a", with_sleep(sleepy.terms("a")))
    await sleepy.used("b")
    assert sleepy.state("a") is State.ASLEEP
    assert sleepy.starts.asked == [("b", None, {"a": 5})]
    ticket = sleepy.ask("a")
    lease = await asyncio.wait_for(ticket.wait(), 5)
    assert (lease.instance, lease.load_s <= lease.queued_s) == (instance, True)
    assert sleepy.notes.of("sleep") == [("a", "asleep")]
    assert sleepy.notes.of("wake") == [("a", "awake")]
    assert sleepy.open == []


async def test_one_that_cannot_fall_asleep_is_ended(
    sleepy: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no(*_of_what: object) -> None:
        raise EnvironmentFault("the engine has no /sleep")

    monkeypatch.setattr(deeds, "put_to_sleep", no)
    instance = await sleepy.ready("a", with_sleep(sleepy.terms("a")))
    sleepy.ask("b")
    await sleepy.answers("b")
    assert sleepy.driver.stopped == [instance]
    assert sleepy.notes.of("sleep") == [("a", "failed")]
    assert sleepy.open == []


async def test_who_waits_for_one_that_cannot_wake_gets_a_start(
    sleepy: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no(*_of_what: object) -> None:
        raise EnvironmentFault("the engine did not wake within 9 s")

    await sleepy.ready("a", with_sleep(sleepy.terms("a")))
    await sleepy.used("b")
    monkeypatch.setattr(deeds, "wake", no)
    ticket = sleepy.ask("a")
    await until(lambda: sleepy.notes.of("wake") == [("a", "failed")])
    await sleepy.answers("a")
    assert (await ticket.wait()).instance == sleepy.id_of("a")
    (failed,) = [each for each in sleepy.journal.after(0) if each.kind == "instance.failed"]
    assert failed.message == (
        "a could not be woken: the engine did not wake within 9 s; it is started for those who wait"
    )
    assert sleepy.supervisor.box.breakers == ()
    assert sleepy.notes.of("switch")[-1] == ("a", "done")
    assert sleepy.open == []


async def test_down_while_it_falls_asleep(sleepy: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = asyncio.Event()

    async def slow(*_of_what: object) -> None:
        await gate.wait()
        raise EnvironmentFault("the engine has gone")

    monkeypatch.setattr(deeds, "put_to_sleep", slow)
    await sleepy.ready("a", with_sleep(sleepy.terms("a")))
    sleepy.ask("b")
    await until(lambda: sleepy.state("a") is State.SLEEPING)
    await asyncio.wait_for(sleepy.supervisor.down("a"), 5)
    gate.set()
    await sleepy.answers("b")
    assert sleepy.state("a") is None
    assert sleepy.open == []


# ── intents: none stays open ────────────────────────────────────────────────────────────────


async def test_a_stop_that_cannot_be_seen_to_is_finished_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stop(_instance: str, _grace_s: float | None = None) -> ExitRecord:
        raise EnvironmentFault("process 7 cannot be ended")

    monkeypatch.setattr(bench.driver, "stop", stop)
    await bench.ready("a")
    ticket = bench.ask("b")
    with pytest.raises(EnvironmentFault, match=r"does not fit on this machine beside a"):
        await ticket.wait()
    assert bench.notes.of("stop") == [("a", "lost")]
    assert bench.notes.of("switch") == [("b", "called off")]
    assert bench.open == []


@pytest.mark.parametrize("who", ["driver", "memory"])
async def test_a_start_that_is_refused_is_finished(bench: Bench, who: str) -> None:
    if who == "driver":
        bench.driver.refusal = EnvironmentFault("No such program.")
    else:
        bench.room.refusal = ConflictError("Too little memory.", hint="End something.")
    ticket = bench.ask("a")
    with pytest.raises(NotReadyError, match=r"No such program|Too little memory"):
        await ticket.wait()
    assert bench.notes.of("start") == [("a", "not launched")]
    assert bench.open == []


async def test_a_daemon_that_ends_leaves_open_what_is_not_over(bench: Bench) -> None:
    """The next one looks at what became of it."""
    bench.driver.gate.clear()
    bench.up("a")
    await until(lambda: bench.driver.launched)
    await bench.supervisor.close()
    assert bench.open == ["start"]


# ── memory ──────────────────────────────────────────────────────────────────────────────────


async def test_nothing_starts_before_memory_is_back(bench: Bench) -> None:
    await bench.ready("a")
    bench.room.back.clear()
    bench.ask("b")
    await until(lambda: bench.room.ended == ["a"])
    await turns()
    assert bench.starts.asked == []
    bench.room.back.set()
    await bench.launched("b")


async def test_memory_that_cannot_be_looked_at_holds_nothing_up(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.ready("a")
    bench.room.fault = OSError("no such file")
    bench.ask("b")
    await bench.answers("b")
    assert "memory of a cannot be looked at" in caplog.text


async def test_a_daemon_that_ends_while_memory_settles_starts_nothing(bench: Bench) -> None:
    """The one that waits for its turn must not get it from the end of the daemon."""
    await bench.ready("a")
    bench.room.back.clear()
    down = asyncio.create_task(bench.supervisor.down("a"))
    await until(lambda: bench.room.ended)
    bench.up("c")
    await turns()
    launched = list(bench.driver.launched)
    await bench.supervisor.close()
    await turns()
    assert bench.driver.launched == launched
    await down


# ── time ────────────────────────────────────────────────────────────────────────────────────


async def test_the_sooner_end_of_two_idle_models_is_noticed(bench: Bench) -> None:
    """The alarm was set for the later one; the sooner one became idle after that."""
    await bench.ready("c", replace(bench.terms("c"), idle_s=0.05))
    lease = bench.ask("c").lease
    await bench.ready("d", replace(bench.terms("d"), idle_s=1000.0))
    await asyncio.sleep(0.06)
    assert lease
    lease.release()
    assert bench.state("c") is State.READY
    async with asyncio.timeout(2):
        while bench.state("c") is not None:
            await asyncio.sleep(0.01)
    assert bench.state("d") is State.READY
    assert "instance.idle" in bench.kinds


async def test_a_switch_happens_when_the_time_for_it_has_come() -> None:
    bench = Bench(Policy(min_residency_s=0.05, quiet_s=0.05, patience_s=0.05))
    await bench.ready("a")
    running = bench.ask("a").lease
    assert running
    bench.ask("b")
    assert bench.state("a") is State.READY
    async with asyncio.timeout(2):
        while bench.state("a") is State.READY:
            await asyncio.sleep(0.01)
    running.release()
    await bench.answers("b")
    await bench.supervisor.close()


# ── adoption ────────────────────────────────────────────────────────────────────────────────


def slow_look(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Docker takes a while to answer."""
    gate, look = asyncio.Event(), bench.driver.running

    async def running() -> list[Running]:
        await gate.wait()
        return await look()

    monkeypatch.setattr(bench.driver, "running", running)
    return gate


async def test_a_request_during_adoption_starts_no_second_engine(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = slow_look(bench, monkeypatch)
    bench.driver.leave(bench.spec("old", "a"))
    adopting = asyncio.create_task(bench.supervisor.adopt())
    await turns()
    ticket = bench.ask("a")
    await turns()
    assert bench.starts.asked == []
    gate.set()
    await adopting
    await bench.answers("a")
    assert (await ticket.wait()).instance == "old"
    assert bench.driver.launched == bench.driver.stopped == []


async def test_a_request_during_adoption_does_not_start_beside_what_is_not_counted_yet(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = slow_look(bench, monkeypatch)
    bench.driver.leave(bench.spec("old", "a"))
    adopting = asyncio.create_task(bench.supervisor.adopt())
    await turns()
    bench.ask("b")
    gate.set()
    await adopting
    await bench.answers("a")
    await bench.answers("b")
    assert bench.driver.stopped == ["old"]


async def test_what_sleeps_is_taken_over_asleep_and_wakes_for_a_request(
    sleepy: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def yes(_endpoint: object) -> bool:
        return True

    monkeypatch.setattr(deeds, "sleeps", yes)
    sleepy.labels["a"] = {BACK_END: "sleep-1"}
    sleepy.driver.leave(sleepy.spec("old", "a"))
    await sleepy.supervisor.adopt()
    assert sleepy.state("a") is State.ASLEEP
    await turns()
    assert sleepy.watch.outcomes == {}  # nobody asks one that sleeps whether it is ready
    lease = await asyncio.wait_for(sleepy.ask("a").wait(), 5)
    assert lease.instance == "old"
    await sleepy.driver.end("old", code=1)
    await until(lambda: sleepy.state("a") is State.FAILED)


async def test_only_one_that_can_sleep_is_asked_whether_it_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_endpoint: object) -> bool:
        raise AssertionError("it was not started with sleep mode")

    monkeypatch.setattr(deeds, "sleeps", never)
    bench.driver.leave(bench.spec("old", "a"))
    await bench.supervisor.adopt()
    assert bench.state("a") is State.STARTING


async def test_a_left_over_that_cannot_be_ended_keeps_no_daemon_from_beginning(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stop(_instance: str, _grace_s: float | None = None) -> ExitRecord:
        raise EnvironmentFault("process 7 cannot be ended")

    monkeypatch.setattr(bench.driver, "stop", stop)
    for name, model in (("old-1", "a"), ("old-2", "a"), ("old-3", "c")):
        bench.driver.leave(bench.spec(name, model))
    await bench.supervisor.adopt()
    assert [each.id for each in bench.supervisor.instances] == ["old-1", "old-3"]
    assert "process 7 cannot be ended" in caplog.text


async def test_a_look_that_fails_does_not_hold_the_machine_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def running() -> list[Running]:
        raise EnvironmentFault("Docker does not answer.")

    monkeypatch.setattr(bench.driver, "running", running)
    with pytest.raises(EnvironmentFault):
        await bench.supervisor.adopt()
    bench.ask("a")
    await bench.launched("a")


# ── what comes back ─────────────────────────────────────────────────────────────────────────


async def test_what_is_wanted_starts_with_its_labels(bench: Bench) -> None:
    bench.supervisor.want([Leaving("a", bench.terms("a"), kept=True)], {"a": {"image": "x"}})
    await bench.answers("a")
    assert bench.starts.asked == [("a", {"image": "x"}, {})]
    now = bench.supervisor.of("a")
    assert now is not None
    assert now.kept


async def test_what_the_guard_has_ended_does_not_come_back() -> None:
    bench = Bench()
    instance = await bench.ready("a")
    bench.supervisor.report(Tripped(instance, "2.0 GiB were available"))
    await bench.driver.end(instance, signal=9, code=None)
    await until(lambda: bench.state("a") is State.FAILED)
    assert bench.supervisor.box.comebacks == ()
    await bench.supervisor.close()


async def test_everything_is_forgotten_in_the_end(bench: Bench) -> None:
    await bench.ready("a")
    ticket = bench.ask("b")
    await bench.answers("b")
    (await ticket.wait()).release()
    await bench.supervisor.down()
    await turns()
    assert bench.supervisor.idle


async def test_many_clients_that_come_and_go(bench: Bench) -> None:
    """200 of them want four models; some go away. In the end nobody holds anything."""

    async def client(number: int) -> None:
        model = "abcd"[number % 4]
        with suppress(SparkwellError, TimeoutError):
            async with asyncio.timeout(None if number % 3 else 0.001 * (number % 20)):
                lease = await bench.ask(model).wait()
                try:
                    for _ in range(number % 5):
                        await asyncio.sleep(0)
                finally:  # it may be out of patience in here too
                    lease.release()

    async def engines() -> None:
        while True:
            for outcome in bench.watch.outcomes.values():
                if not outcome.done():
                    outcome.set_result(None)
            await asyncio.sleep(0)

    answering = asyncio.create_task(engines())
    async with asyncio.timeout(20):
        await asyncio.gather(*(client(number) for number in range(200)))
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    assert bench.supervisor.requests_running == 0
    assert bench.supervisor.box.waiting == ()
    await bench.supervisor.down()
    assert bench.open == []
