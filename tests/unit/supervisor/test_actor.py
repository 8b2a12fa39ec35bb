"""The supervisor over a driver in memory: every way that a run can go, and the races."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

import pytest

from sparkwell.core.errors import ConflictError, EnvironmentFault, NotReadyError
from sparkwell.core.launch import ExitRecord, LaunchSpec, Running
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.talk import Facts
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.aides import Provide
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.start import OnMark, StartWatch, Timeline
from sparkwell.supervisor.tickets import Lease
from sparkwell.testing.memory_driver import MemoryDriver


@dataclass(frozen=True)
class HandWatch(StartWatch):
    """A start becomes ready, or fails, when the test says so; metrics come when asked for."""

    outcomes: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    metrics: asyncio.Event = field(default_factory=asyncio.Event)
    marks: dict[str, OnMark] = field(default_factory=dict)

    async def until_ready(self, spec: LaunchSpec, on_mark: OnMark) -> None:
        self.marks[spec.instance] = on_mark
        outcome = asyncio.get_running_loop().create_future()
        self.outcomes[spec.instance] = outcome
        await outcome

    async def figures(self, spec: LaunchSpec) -> Facts:
        await self.metrics.wait()
        return (("gpu_blocks", 7.0),)


class Bench:
    """A supervisor with everything around it in a test's hands."""

    def __init__(self) -> None:
        numbers, ticks = count(1), count(100)
        self.driver = MemoryDriver()
        self.journal = Journal(lambda: float(next(ticks)))
        self.watch = HandWatch(self.driver)
        self.watch.metrics.set()
        self.finished: list[tuple[str, Timeline]] = []
        self.measured: list[tuple[str, Mapping[str, float]]] = []
        self.supervisor = Supervisor(
            self.driver,
            self.journal,
            self.watch,
            new_id=lambda model: f"{model}-{next(numbers)}",
            finished=lambda spec, timeline: self.finished.append((spec.instance, timeline)),
            measured=self.measure,
        )

    async def measure(self, spec: LaunchSpec, facts: Mapping[str, float]) -> None:
        self.measured.append((spec.instance, dict(facts)))

    def up(self, model: str = "m", provide: Provide | None = None) -> str:
        return self.supervisor.up(model, lambda instance: self.spec(instance, model), provide)

    def spec(self, instance: str, model: str = "m") -> LaunchSpec:
        endpoint = self.driver.endpoint(instance)
        return LaunchSpec(instance, model, "vllm", "1", ("engine",), endpoint)

    def lease(self, model: str = "m") -> Lease:
        lease = self.supervisor.ensure_ready(model).lease
        assert lease
        return lease

    async def starting(self, model: str = "m") -> str:
        """Up, and the engine runs; nobody has said yet whether it becomes ready."""
        instance = self.up(model)
        await until(lambda: instance in self.watch.outcomes)
        return instance

    async def ready(self, model: str = "m") -> str:
        instance = await self.starting(model)
        self.watch.outcomes[instance].set_result(None)
        await until(lambda: self.state_of(instance) is State.READY)
        return instance

    @property
    def instance(self) -> Instance:
        """The instance that was started last."""
        assert self.supervisor.instances
        return self.supervisor.instances[-1]

    @property
    def state(self) -> State | None:
        return self.supervisor.instances[-1].state if self.supervisor.instances else None

    def state_of(self, instance: str) -> State | None:
        found = [each.state for each in self.supervisor.instances if each.id == instance]
        return found[0] if found else None

    @property
    def kinds(self) -> list[str]:
        return [event.kind.removeprefix("instance.") for event in self.journal.after(0)]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until it is so: in memory everything is a few turns away."""
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")


async def turns() -> None:
    """Give everything that could happen the chance to."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def bench(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Bench]:
    """In every test: no task of the supervisor fails, and close leaves none behind."""
    bench = Bench()
    yield bench
    await bench.supervisor.close()
    await turns()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert left == set()
    assert "A supervisor task failed" not in caplog.messages
    assert "An effect could not be carried out" not in caplog.text


# ── the usual way ───────────────────────────────────────────────────────────────────────────


async def test_from_up_to_ready(bench: Bench) -> None:
    instance = await bench.starting()
    bench.watch.marks[instance](PhaseMark(Phase.WEIGHTS, 0.5))
    assert (bench.instance.phase, bench.instance.fraction) == (Phase.WEIGHTS, 0.5)
    bench.watch.outcomes[instance].set_result(None)
    settled = await bench.supervisor.settled(instance)
    assert settled is not None
    assert settled.state is State.READY
    assert bench.driver.launched == [instance]
    assert bench.kinds == ["starting", "phase", "phase", "ready"]


async def test_a_start_that_became_ready_is_remembered(bench: Bench) -> None:
    instance = await bench.starting()
    bench.watch.marks[instance](PhaseMark(Phase.WEIGHTS, 0.5))
    bench.watch.marks[instance](PhaseMark(Phase.WEIGHTS, 1.0))
    bench.watch.outcomes[instance].set_result(None)
    await until(lambda: bench.finished)
    [(which, timeline)] = bench.finished
    assert which == instance
    assert timeline.entered == {
        Phase.PREPARE: 100,
        Phase.LAUNCH: 101,
        Phase.WEIGHTS: 102,
        Phase.READY: 104,
    }
    assert bench.supervisor.timeline(instance) is timeline


async def test_what_a_start_said_of_its_memory_is_handed_on(bench: Bench) -> None:
    instance = await bench.starting()
    heard = bench.watch.marks[instance]
    heard(PhaseMark(Phase.GRAPHS, 1.0, (("graphs_gib", 0.39), ("kv_cache_tokens", 1.0))))
    heard(PhaseMark(Phase.PROFILE, 1.0, (("kv_cache_tokens", 2.0),)))  # late, and true
    bench.watch.outcomes[instance].set_result(None)
    await until(lambda: bench.measured)
    facts = {"graphs_gib": 0.39, "kv_cache_tokens": 2.0, "gpu_blocks": 7.0}
    assert bench.measured == [(instance, facts)]


async def test_nobody_waits_for_metrics(bench: Bench) -> None:
    bench.watch.metrics.clear()
    instance = await bench.ready()
    bench.lease("m").release()
    await until(lambda: bench.finished)
    assert bench.measured == []
    bench.watch.metrics.set()
    await until(lambda: bench.measured)
    assert bench.measured == [(instance, {"gpu_blocks": 7.0})]


async def test_an_engine_that_ends_while_its_metrics_are_asked_for(bench: Bench) -> None:
    bench.watch.metrics.clear()
    instance = await bench.ready()
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.state is State.FAILED)
    bench.watch.metrics.set()
    await turns()
    assert bench.measured == []


async def test_events_say_what_happened_and_to_whom(bench: Bench) -> None:
    instance = await bench.ready()
    event = bench.journal.after(0)[-1]
    assert (event.kind, event.model, event.instance) == ("instance.ready", "m", instance)
    assert event.data == {
        "state": "ready",
        "phase": "ready",
        "fraction": None,
        "error": None,
        "hint": None,
    }


async def test_a_second_up_of_the_same_model_joins_the_first(bench: Bench) -> None:
    first = bench.up()
    assert bench.up() == first
    await until(lambda: bench.watch.outcomes)
    bench.watch.outcomes[first].set_result(None)
    await until(lambda: bench.state is State.READY)
    assert bench.up() == first
    await turns()
    assert bench.driver.launched == [first]


async def test_another_model_runs_beside_the_first(bench: Bench) -> None:
    first = await bench.ready("m")
    second = await bench.ready("n")
    assert [each.id for each in bench.supervisor.instances] == [first, second]
    assert bench.lease("m").instance == first
    assert bench.lease("n").instance == second
    stopped = await bench.supervisor.down("m")
    assert [each.id for each in stopped] == [first]
    assert bench.driver.stopped == [first]
    assert bench.state_of(second) is State.READY


async def test_one_start_at_a_time_measures_memory(bench: Bench) -> None:
    first, second = await bench.starting("m"), bench.up("n")
    await turns()
    assert bench.driver.launched == [first]
    assert bench.instance.phase is Phase.QUEUE
    bench.watch.outcomes[first].set_result(None)
    await until(lambda: second in bench.watch.outcomes)
    assert bench.driver.launched == [first, second]


@pytest.mark.parametrize("how", ["failed", "ended", "stopped"])
async def test_the_turn_is_given_on_however_a_start_ends(bench: Bench, how: str) -> None:
    first, second = await bench.starting("m"), bench.up("n")
    if how == "failed":
        bench.watch.outcomes[first].set_exception(EnvironmentFault("no token"))
    elif how == "ended":
        await bench.driver.end(first, code=1)
    else:
        await bench.supervisor.down("m")
    await until(lambda: second in bench.watch.outcomes)
    assert bench.state_of(second) is State.STARTING


async def test_what_waits_for_its_turn_is_let_go_of_at_once(bench: Bench) -> None:
    first, second = await bench.starting("m"), bench.up("n")
    await turns()
    assert await bench.supervisor.down("n") != []
    assert bench.state_of(second) is None
    assert bench.driver.launched == [first]
    assert bench.kinds[-1] == "stopped"
    bench.watch.outcomes[first].set_result(None)
    third = await bench.ready("n")
    assert bench.driver.launched == [first, third]


# ── what a start lacks is fetched first ─────────────────────────────────────────────────────


async def test_what_is_missing_is_fetched_before_the_launch(bench: Bench) -> None:
    gate = asyncio.Event()

    async def provide(on_mark: OnMark) -> LaunchSpec:
        on_mark(PhaseMark(Phase.DOWNLOAD, 0.25))
        await gate.wait()
        return replace(bench.spec(instance), argv=("engine", "fetched"))

    instance = bench.up("m", provide)
    await turns()
    assert (bench.instance.phase, bench.instance.fraction) == (Phase.DOWNLOAD, 0.25)
    assert bench.driver.launched == []
    gate.set()
    await until(lambda: instance in bench.watch.outcomes)
    spec = bench.supervisor.spec(instance)
    assert spec is not None
    assert spec.argv == ("engine", "fetched")


async def test_a_download_holds_no_other_start_up(bench: Bench) -> None:
    gate = asyncio.Event()

    async def provide(_on_mark: OnMark) -> LaunchSpec:
        await gate.wait()
        return bench.spec(first)

    first = bench.up("m", provide)
    second = await bench.ready("n")
    assert bench.driver.launched == [second]
    gate.set()
    await until(lambda: first in bench.watch.outcomes)


async def test_what_cannot_be_fetched_fails_the_start(bench: Bench) -> None:
    async def provide(_on_mark: OnMark) -> LaunchSpec:
        raise EnvironmentFault("The disk is full.", hint="Free some space.")

    failed = await bench.supervisor.settled(bench.up("m", provide))
    assert failed is not None
    assert (failed.error, failed.hint) == ("The disk is full", "Free some space.")
    assert bench.driver.launched == []
    assert await bench.ready()


async def test_a_download_is_let_go_of_at_once(bench: Bench) -> None:
    cancelled = asyncio.Event()

    async def provide(_on_mark: OnMark) -> LaunchSpec:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError("nobody sets it")

    bench.up("m", provide)
    await turns()
    assert len(await asyncio.wait_for(bench.supervisor.down(), 5)) == 1
    assert cancelled.is_set()
    assert bench.supervisor.instances == ()
    assert bench.driver.launched == []


async def test_what_prepare_raises_leaves_everything_as_it_was(bench: Bench) -> None:
    def prepare(instance: str) -> LaunchSpec:
        raise EnvironmentFault("The weights are not here.")

    with pytest.raises(EnvironmentFault, match="The weights are not here"):
        bench.supervisor.up("m", prepare)
    await turns()
    assert bench.supervisor.instances == ()
    assert bench.journal.cursor == 0
    assert bench.driver.launched == []
    assert await bench.ready()


async def test_prepare_is_not_asked_when_nothing_is_launched(bench: Bench) -> None:
    instance = await bench.ready()

    def prepare(instance: str) -> LaunchSpec:
        raise AssertionError("nothing is to be launched")

    assert bench.supervisor.up("m", prepare) == instance


# ── ends that nobody asked for ──────────────────────────────────────────────────────────────


async def test_a_crash_while_starting(bench: Bench) -> None:
    instance = await bench.starting()
    await bench.driver.say(instance, "boom")
    await bench.driver.end(instance, code=1)
    failed = await bench.supervisor.settled(instance)
    assert failed is not None
    assert failed.state is State.FAILED
    assert failed.error == "the engine ended by itself while starting (exit code 1)"
    assert bench.journal.after(0)[-1].data["exit"] == {
        "code": 1,
        "signal": None,
        "reason": "exit code 1",
        "last_lines": ["boom"],
    }
    await until(bench.watch.outcomes[instance].cancelled)  # nobody watches a dead engine


async def test_a_crash_while_serving(bench: Bench) -> None:
    instance = await bench.ready()
    await bench.driver.end(instance, code=None, signal=9)
    await until(lambda: bench.state is State.FAILED)
    assert bench.instance.error == ("the engine ended by itself while serving (killed by signal 9)")
    with pytest.raises(NotReadyError, match="killed by signal 9"):
        bench.supervisor.ensure_ready("m")


async def test_after_a_crash_the_machine_is_free(bench: Bench) -> None:
    first = await bench.ready()
    await bench.driver.end(first, code=1)
    await until(lambda: bench.state is State.FAILED)
    second = await bench.ready("n")
    assert bench.driver.launched == [first, second]


async def test_a_driver_that_cannot_start(bench: Bench) -> None:
    bench.driver.refusal = EnvironmentFault("No such program.", hint="Install it.")
    instance = bench.up()
    failed = await bench.supervisor.settled(instance)
    assert failed is not None
    assert (failed.state, failed.error) == (State.FAILED, "No such program")
    assert failed.hint == "Install it."
    assert bench.driver.stopped == []


async def test_a_driver_with_a_bug_does_not_hold_the_machine_for_ever(bench: Bench) -> None:
    bench.driver.refusal = OSError("no space left")
    failed = await bench.supervisor.settled(bench.up())
    assert failed is not None
    assert failed.state is State.FAILED
    assert "OSError: no space left" in (failed.error or "")


async def test_a_start_that_cannot_succeed_is_ended_and_keeps_its_reason(bench: Bench) -> None:
    instance = await bench.starting()
    bench.watch.outcomes[instance].set_exception(EnvironmentFault("no token"))
    failed = await bench.supervisor.settled(instance)
    assert failed is not None
    assert (failed.state, failed.error) == (State.FAILED, "no token")
    assert bench.driver.stopped == [instance]
    assert await bench.driver.running() == []
    assert bench.kinds == ["starting", "phase", "stopping", "failed"]
    assert bench.finished == []
    assert bench.measured == []


async def test_a_watch_with_a_bug_does_not_wait_for_ever(bench: Bench) -> None:
    instance = await bench.starting()
    bench.watch.outcomes[instance].set_exception(KeyError("usage"))
    failed = await bench.supervisor.settled(instance)
    assert failed is not None
    assert failed.state is State.FAILED
    assert "KeyError" in (failed.error or "")


# ── ends that somebody asked for ────────────────────────────────────────────────────────────


async def test_down_returns_when_nothing_is_left(bench: Bench) -> None:
    instance = await bench.ready()
    bench.driver.stop_gate.clear()
    down = asyncio.create_task(bench.supervisor.down())
    await turns()
    assert not down.done()
    assert bench.state is State.STOPPING
    bench.driver.stop_gate.set()
    assert [each.id for each in await down] == [instance]
    assert bench.supervisor.instances == ()
    assert await bench.driver.running() == []
    assert bench.kinds[-2:] == ["stopping", "stopped"]


async def test_down_of_nothing_is_nothing(bench: Bench) -> None:
    assert await bench.supervisor.down() == []
    assert bench.kinds == []


async def test_down_forgets_a_failure(bench: Bench) -> None:
    bench.driver.refusal = EnvironmentFault("No such program.")
    await bench.supervisor.settled(bench.up())
    assert await bench.supervisor.down() == []
    assert bench.supervisor.instances == ()


async def test_two_downs_stop_once(bench: Bench) -> None:
    instance = await bench.ready()
    results = await asyncio.gather(bench.supervisor.down(), bench.supervisor.down())
    assert [[one.id for one in stopped] for stopped in results] == [[instance], [instance]]
    assert bench.driver.stopped == [instance]


async def test_down_while_starting(bench: Bench) -> None:
    instance = await bench.starting()
    waiting = asyncio.create_task(bench.supervisor.settled(instance))
    await bench.supervisor.down()
    assert await waiting is None
    assert bench.supervisor.instances == ()
    await until(bench.watch.outcomes[instance].cancelled)


async def test_down_while_the_driver_is_still_launching(bench: Bench) -> None:
    """The stop waits for the launch; a driver cannot stop what it has not started."""
    bench.driver.gate.clear()
    instance = bench.up()
    await turns()
    down = asyncio.create_task(bench.supervisor.down())
    await turns()
    assert bench.driver.launched == [instance]
    assert bench.driver.stopped == []
    bench.driver.gate.set()
    await asyncio.wait_for(down, 5)
    assert bench.driver.stopped == [instance]
    assert await bench.driver.running() == []


async def test_down_while_a_launch_fails(bench: Bench) -> None:
    bench.driver.gate.clear()
    bench.driver.refusal = EnvironmentFault("No such program.")
    bench.up()
    await turns()
    down = asyncio.create_task(bench.supervisor.down())
    await turns()
    bench.driver.gate.set()
    await asyncio.wait_for(down, 5)
    await turns()
    assert bench.driver.stopped == []


async def test_down_does_not_wait_for_who_comes_next(bench: Bench) -> None:
    """The box may be taken again in the very turn in which it becomes free."""
    await bench.ready("m")
    journal = bench.journal.follow(bench.journal.cursor)

    async def next_one() -> str:
        async for event in journal:
            if event.kind == "instance.stopped":
                break
        return bench.up("m")

    following = asyncio.create_task(next_one())
    await turns()
    stopped = await asyncio.wait_for(bench.supervisor.down(), 5)
    assert [each.model for each in stopped] == ["m"]
    assert await following == "m-2"
    assert bench.instance.id == "m-2"


async def test_a_start_right_after_the_end_in_the_same_turn(bench: Bench) -> None:
    """Harsher than above: who watches the driver itself is as quick as the supervisor."""
    first = await bench.ready("m")

    async def next_one() -> str:
        await bench.driver.wait(first)
        while True:
            try:
                return bench.up("m")
            except ConflictError:
                await asyncio.sleep(0)

    following = asyncio.create_task(next_one())
    stopped = await asyncio.wait_for(bench.supervisor.down(), 5)
    assert len(stopped) == 1
    assert await following == bench.instance.id


async def test_up_is_refused_while_the_old_one_is_stopping(bench: Bench) -> None:
    await bench.ready()
    bench.driver.stop_gate.clear()
    down = asyncio.create_task(bench.supervisor.down())
    await turns()
    with pytest.raises(ConflictError, match="still stopping"):
        bench.up()
    bench.driver.stop_gate.set()
    await down


# ── adoption ────────────────────────────────────────────────────────────────────────────────


async def test_what_an_earlier_daemon_left_is_taken_over(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old-1"))
    await bench.supervisor.adopt()
    await until(lambda: bench.watch.outcomes)
    bench.watch.outcomes["old-1"].set_result(None)
    await until(lambda: bench.state is State.READY)
    lease = bench.lease("m")
    assert lease.endpoint == bench.driver.endpoint("old-1")
    lease.release()
    assert bench.driver.launched == []
    assert bench.kinds == ["adopted", "ready"]


async def test_an_adopted_start_is_no_measurement_of_time(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old-1"))
    await bench.supervisor.adopt()
    await until(lambda: bench.watch.outcomes)
    bench.watch.outcomes["old-1"].set_result(None)
    await until(lambda: bench.state is State.READY)
    await turns()
    assert bench.finished == []
    timeline = bench.supervisor.timeline("old-1")
    assert timeline is not None
    assert timeline.total_s is None


async def test_an_adopted_start_has_said_as_much_of_its_memory(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old-1"))
    await bench.supervisor.adopt()
    await until(lambda: bench.watch.outcomes)
    bench.watch.marks["old-1"](PhaseMark(Phase.WEIGHTS, 1.0, (("weights_gib", 8.83),)))
    bench.watch.outcomes["old-1"].set_result(None)
    await until(lambda: bench.measured)
    assert bench.measured == [("old-1", {"weights_gib": 8.83, "gpu_blocks": 7.0})]


async def test_a_start_that_was_stopped_at_the_last_moment_is_not_measured(bench: Bench) -> None:
    instance = await bench.starting()
    bench.driver.stop_gate.clear()
    down = asyncio.create_task(bench.supervisor.down())
    await turns()
    bench.watch.outcomes[instance].set_result(None)
    await turns()
    assert bench.measured == []
    bench.driver.stop_gate.set()
    await down


async def test_all_that_was_left_is_taken_over(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old-1"))
    bench.driver.leave(bench.spec("old-2", "n"))
    await bench.supervisor.adopt()
    assert [each.id for each in bench.supervisor.instances] == ["old-1", "old-2"]
    assert bench.driver.stopped == []


async def test_of_two_of_one_model_the_second_is_stopped(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old-1"))
    bench.driver.leave(bench.spec("old-2"))
    await bench.supervisor.adopt()
    assert bench.instance.id == "old-1"
    assert bench.driver.stopped == ["old-2"]
    assert [one.spec.instance for one in await bench.driver.running()] == ["old-1"]


async def test_what_was_started_while_looking_is_not_taken_for_a_left_over(bench: Bench) -> None:
    instance = await bench.starting()
    await bench.supervisor.adopt()
    assert bench.driver.stopped == []
    assert bench.instance.id == instance


async def test_an_adopted_engine_can_be_stopped(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old-1"))
    await bench.supervisor.adopt()
    assert [each.id for each in await bench.supervisor.down()] == ["old-1"]
    assert await bench.driver.running() == []


# ── leases, settled, close ──────────────────────────────────────────────────────────────────


async def test_leases_are_counted(bench: Bench) -> None:
    instance = await bench.ready()
    first, second = (bench.lease("m") for _ in range(2))
    assert bench.supervisor.requests_running == 2
    assert (first.instance, first.model) == (instance, "m")
    first.release()
    assert bench.supervisor.requests_running == 1
    second.release()
    assert bench.supervisor.requests_running == 0


async def test_no_lease_before_ready(bench: Bench) -> None:
    with pytest.raises(NotReadyError, match="is not loaded"):
        bench.supervisor.ensure_ready("m")
    instance = await bench.starting()
    ticket = bench.supervisor.ensure_ready("m")
    assert ticket.lease is None
    assert bench.supervisor.requests_running == 0
    bench.watch.outcomes[instance].set_result(None)
    lease = await ticket.wait()
    assert (lease.instance, bench.supervisor.requests_running) == (instance, 1)
    lease.release()


async def test_a_lease_whose_step_failed_is_given_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its model would be busy for ever, and no other could be switched to."""
    await bench.ready()

    def fails(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(bench.supervisor, "_at_once", lambda *_: None)
    monkeypatch.setattr(bench.supervisor._alarm, "after", fails)
    with pytest.raises(RuntimeError):
        bench.supervisor.ensure_ready("m")
    monkeypatch.undo()
    assert bench.supervisor.requests_running == 0


async def test_a_lease_outlives_its_engine(bench: Bench) -> None:
    await bench.ready()
    lease = bench.lease("m")
    await bench.supervisor.down()
    lease.release()
    assert bench.supervisor.requests_running == 0


async def test_settled_of_what_never_was(bench: Bench) -> None:
    assert await bench.supervisor.settled("m-9") is None


async def test_settled_of_an_old_run_is_none(bench: Bench) -> None:
    old = await bench.ready()
    await bench.supervisor.down()
    await bench.starting()
    assert await bench.supervisor.settled(old) is None


@pytest.mark.parametrize("how", ["starting", "ready"])
async def test_close_leaves_engines_running(bench: Bench, how: str) -> None:
    instance = await (bench.starting() if how == "starting" else bench.ready())
    await bench.supervisor.close()
    assert [one.spec.instance for one in await bench.driver.running()] == [instance]
    assert bench.driver.stopped == []


async def test_the_spec_of_a_run_can_be_asked_for(bench: Bench) -> None:
    instance = await bench.ready()
    spec = bench.supervisor.spec(instance)
    assert spec == replace(bench.spec(instance))
    assert bench.supervisor.spec("m-9") is None


# ── a driver that fails, a daemon that ends ─────────────────────────────────────────────────


async def test_a_stop_that_fails_is_said_and_down_returns(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await bench.ready()

    async def stop(_instance: str, _grace_s: float | None = None) -> ExitRecord:
        raise EnvironmentFault("process 7 cannot be ended")

    monkeypatch.setattr(bench.driver, "stop", stop)
    await asyncio.wait_for(bench.supervisor.down(), 5)
    assert bench.instance.id == instance
    assert bench.state is State.FAILED
    assert "process 7 cannot be ended" in (bench.instance.error or "")


async def test_a_wait_that_fails_does_not_hold_the_machine_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_instance: str) -> ExitRecord:
        raise EnvironmentFault("the folder was removed")

    monkeypatch.setattr(bench.driver, "wait", wait)
    bench.up("m")
    await until(lambda: bench.state is State.FAILED)
    assert "the folder was removed" in (bench.instance.error or "")


async def test_an_ending_daemon_starts_nothing_any_more(bench: Bench) -> None:
    bench.supervisor.refuse_more()
    with pytest.raises(ConflictError, match="is ending"):
        bench.up("m")
    assert bench.driver.launched == []


async def test_an_adopted_engine_keeps_its_age(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.driver.leave(bench.spec("old"))
    found = [replace(r, started_at=1000.0) for r in await bench.driver.running()]

    async def running() -> list[Running]:
        return found

    monkeypatch.setattr(bench.driver, "running", running)
    await bench.supervisor.adopt()
    timeline = bench.supervisor.timeline("old")
    assert timeline is not None
    assert timeline.entered[Phase.LAUNCH] == 1000.0
