"""What a next daemon is left to know: who was ready, who failed, who was started again."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.supervisor.switching_bench import Bench as Switching
from tests.unit.supervisor.test_actor import turns, until

from sparkwell.app.daemon.remembering import KEPT, Remembering, breakers_of
from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import HELD
from sparkwell.store import BreakerRow, Resident, Store
from sparkwell.supervisor.box import Leaving, State
from sparkwell.supervisor.breaker import FAILURES_TO_OPEN, OPEN_S
from sparkwell.supervisor.messages import Tick, Tripped
from sparkwell.supervisor.terms import Terms

UNIX = 1_000_000.0


class Bench(Switching):
    """A daemon's memory in ``store``; several may follow one another."""

    def __init__(self, store: Store, boot: str | None = "boot-1") -> None:
        self.store = store
        self.boot = boot
        self.remembering = Remembering(store, boot, now=lambda: UNIX)
        super().__init__(
            hear=self.remembering.hear, breakers=breakers_of(store, now=UNIX, monotonic=0.0)
        )
        self.remembering.supervisor = self.supervisor

    @property
    def listed(self) -> dict[str, dict[str, object]]:
        """The wishes of the residents that this boot's daemon has written, in their order."""
        rows = self.store.residents.of_this_boot(self.boot)
        return {each.model: json.loads(each.wish) for each in rows}

    async def crash(self, model: str) -> None:
        await self.driver.end(self.id_of(model), code=1)
        await until(lambda: self.state(model) is State.FAILED)

    async def fails(self, model: str) -> None:
        """Its start fails."""
        self.driver.refusal = EnvironmentFault("No such program.")
        await self.supervisor.settled(self.up(model))
        self.driver.refusal = None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "s.db")) as store:
        yield store


@pytest.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    bench = Bench(store)
    bench.remembering.recovered()
    yield bench
    await bench.supervisor.close()


# ── who was ready ───────────────────────────────────────────────────────────────────────────


async def test_who_is_ready_is_listed_with_what_it_was_given(bench: Bench) -> None:
    bench.labels["a"] = {"profile": "latency"}
    await bench.ready("a")
    assert list(bench.listed) == ["a"]
    assert bench.listed["a"]["profile"] == "latency"
    assert bench.listed["a"][KEPT] is True
    await bench.used("c")
    assert [bench.listed[each][KEPT] for each in ("a", "c")] == [True, False]


async def test_who_was_stopped_is_not(bench: Bench) -> None:
    await bench.ready("a")
    await bench.ready("c")
    await bench.supervisor.down("a")
    assert list(bench.listed) == ["c"]
    await bench.used("b")
    await bench.supervisor.down()
    assert bench.listed == {}


async def test_who_starts_for_the_first_time_is_not_yet(bench: Bench) -> None:
    """It may be what takes the machine down."""
    await bench.ready("a")
    await bench.launched_by_hand("c")
    await bench.crash("a")
    assert list(bench.listed) == ["a"]


async def test_who_left_for_another_is_not(bench: Bench) -> None:
    await bench.ready("a")
    await bench.used("b")
    assert list(bench.listed) == ["b"]


async def test_who_crashed_after_it_was_ready_is(bench: Bench) -> None:
    """A machine that goes down may end the engine before the daemon."""
    await bench.ready("a")
    await bench.crash("a")
    assert list(bench.listed) == ["a"]


async def test_who_comes_back_is_on_its_way_too(bench: Bench) -> None:
    bench.labels["a"] = {"profile": "latency"}
    await bench.ready("a")
    await bench.crash("a")
    bench.supervisor._box = bench.supervisor.box.without_breaker("a")  # its pause is over
    bench.supervisor.want([Leaving("a", bench.terms("a"), kept=True)], {})
    await bench.launched("a")
    await bench.answers("a")
    await bench.crash("a")
    await bench.ready("c")  # an event that has the list written
    assert set(bench.listed) == {"a", "c"}
    assert bench.listed["a"]["profile"] == "latency"


async def test_what_each_holds_is_written_down(bench: Bench) -> None:
    """So that those beside it fit again."""
    await bench.ready("a")
    await bench.ready("c")
    assert [bench.listed[each][HELD] for each in "ac"] == ["60", "20"]
    await bench.crash("a")
    bench.supervisor._box = replace(
        bench.supervisor.box,
        comebacks=tuple(Leaving(each, Terms(10, 30), kept=True) for each in "ad"),
    )
    bench.remembering.recovered()  # has the list written
    assert {each: wish.get(HELD) for each, wish in bench.listed.items()} == {
        "c": "20",
        "a": "60",  # it is known what it held
        "d": "30",
    }


async def test_who_failed_again_and_again_is_not(bench: Bench) -> None:
    await bench.ready("a")
    await bench.crash("a")
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker = bench.supervisor.box.breaker("a")
        assert breaker is not None
        bench.driver.refusal = EnvironmentFault("No such program.")
        bench.up("a")
        bench.supervisor._box = bench.supervisor.box.with_breaker(breaker)
        await until(lambda: bench.state("a") is State.FAILED)
    assert "a" not in bench.listed


async def test_whom_the_guard_ended_is_not(bench: Bench) -> None:
    instance = await bench.ready("a")
    bench.supervisor.report(Tripped(instance, "2 GiB were available"))
    await bench.crash("a")
    assert bench.listed == {}


async def test_the_guard_is_often_heard_of_after_the_end(bench: Bench) -> None:
    instance = await bench.ready("a")
    await bench.crash("a")
    bench.supervisor.report(Tripped(instance, "2 GiB were available"))
    assert bench.listed == {}


async def test_the_list_is_written_when_it_changes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not else: each time waits for the disk."""
    written: list[list[str]] = []

    def write(residents: list[Resident], _boot: str | None) -> None:
        written.append([each.model for each in residents])

    monkeypatch.setattr(bench.store.residents, "set", write)
    await bench.ready("a")
    await bench.fails("c")
    await bench.fails("d")
    assert written == [["a"]]


async def test_an_ending_daemon_writes_nothing(bench: Bench) -> None:
    await bench.ready("a")
    bench.remembering.ending = True
    await bench.crash("a")
    await bench.supervisor.down("a")
    assert list(bench.listed) == ["a"]
    assert bench.store.breakers.load() == {}


# ── after a reboot ──────────────────────────────────────────────────────────────────────────


async def test_all_stay_on_the_list_while_they_are_brought_back(store: Store) -> None:
    """The power may fail again before the last one is back."""
    store.residents.set([Resident("a", "{}", 0), Resident("c", "{}", 1)], "boot-1")
    bench = Bench(store, "boot-2")
    bench.labels = {"a": {"image": "x"}, "c": {"image": "y"}}
    both = [Leaving(each, bench.terms(each), kept=True) for each in "ac"]
    bench.supervisor.want(both, {"a": {"image": "x"}, "c": {"image": "y"}})
    bench.remembering.recovered()
    assert list(bench.listed) == ["a", "c"]
    await bench.answers("a")
    assert list(bench.listed) == ["a", "c"]
    assert (bench.listed["c"]["image"], bench.listed["c"][KEPT]) == ("y", True)
    await bench.answers("c")
    assert list(bench.listed) == ["a", "c"]
    await bench.supervisor.close()


async def test_one_whose_start_fails_then_stays_on_it_until_it_is_given_up(store: Store) -> None:
    store.residents.set([Resident("a", "{}", 0)], "boot-1")
    bench = Bench(store, "boot-2")
    bench.starts.refusal = EnvironmentFault("The weights are gone.")
    bench.supervisor.want([Leaving("a", bench.terms("a"), kept=True)], {})
    bench.remembering.recovered()
    for _ in range(FAILURES_TO_OPEN - 1):
        await until(lambda: bench.state("a") is State.FAILED)
        assert list(bench.listed) == ["a"]
        breaker = bench.supervisor.box.breaker("a")
        assert breaker is not None
        over = replace(breaker, not_before=0.0)
        bench.supervisor._box = bench.supervisor.box.with_breaker(over)
        bench.supervisor._apply(Tick())
    await until(lambda: bench.listed == {})
    await bench.supervisor.close()


async def test_what_is_found_running_does_not_wipe_out_the_list(store: Store) -> None:
    """It is found before anybody has read who is to come back."""
    store.residents.set([Resident("a", "{}", 0), Resident("c", "{}", 1)], "boot-1")
    bench = Bench(store, "boot-2")
    bench.driver.leave(bench.spec("old", "c"))
    await bench.supervisor.adopt()
    await turns()
    assert [each.model for each in store.residents.of_last_boot("boot-2")] == ["a", "c"]
    bench.remembering.recovered()
    assert list(bench.listed) == ["c"]  # a was not wanted; c is being taken over
    await bench.supervisor.close()


# ── who failed ──────────────────────────────────────────────────────────────────────────────


async def test_what_is_held_against_a_model_outlives_the_daemon(store: Store) -> None:
    bench = Bench(store)
    await bench.driver.say((await bench.launched_by_hand("a")), "CUDA error")
    await bench.crash("a")
    row = store.breakers.load()["a"]
    assert (row.failures, row.while_starting, row.first_instance) == (1, True, "a-1")
    assert row.not_before == pytest.approx(UNIX + 10, abs=1)
    assert "ended by itself while starting" in row.first_reason
    assert row.first_lines == ("CUDA error",)
    [breaker] = breakers_of(store, now=UNIX + 4, monotonic=50.0)
    assert (breaker.model, breaker.failures) == ("a", 1)
    assert breaker.not_before == pytest.approx(56, abs=1)
    await bench.supervisor.close()


@pytest.mark.parametrize(
    ("ahead_s", "expected"),
    [(100.0, 150.0), (-100.0, -50.0), (1e6, 50.0 + OPEN_S)],  # the clock was set back for days
)
def test_times_are_carried_over_in_this_daemons_clock(
    store: Store, ahead_s: float, expected: float
) -> None:
    store.breakers.save(BreakerRow("a", 2, UNIX + ahead_s, "boom", "a-1"))
    [breaker] = breakers_of(store, now=UNIX, monotonic=50.0)
    assert breaker.not_before == expected
    assert breaker.holds_back(50.0) is (expected > 50.0)


async def test_a_person_who_ups_it_forgives_it_for_the_next_daemon_too(store: Store) -> None:
    store.breakers.save(BreakerRow("a", 3, UNIX + 100, "boom", "a-1"))
    bench = Bench(store)
    bench.up("a")
    assert store.breakers.load() == {}
    await bench.supervisor.close()


async def test_a_person_who_stops_it_forgives_it_too(store: Store) -> None:
    store.breakers.save(BreakerRow("a", 3, UNIX + 100, "boom", "a-1"))
    bench = Bench(store)
    await bench.supervisor.down("a")
    bench.up("c")  # the next event of anybody
    assert store.breakers.load() == {}
    await bench.supervisor.close()


async def test_another_ones_event_forgives_nobody(store: Store) -> None:
    store.breakers.save(BreakerRow("a", 3, UNIX + 100, "boom", "a-1"))
    bench = Bench(store)
    await bench.ready("c")
    assert list(store.breakers.load()) == ["a"]
    await bench.supervisor.close()


# ── who was started again ───────────────────────────────────────────────────────────────────


async def test_a_start_after_a_failure_is_noted_with_its_reason(bench: Bench) -> None:
    await bench.fails("a")
    assert bench.store.restarts.since(0.0) == []
    first = bench.id_of("a")
    await bench.ready("a")
    [restart] = bench.store.restarts.since(0.0)
    assert (restart.instance, restart.reason) == (first, "No such program")
    await bench.supervisor.down("a")
    await bench.ready("a")  # this one follows no failure
    assert len(bench.store.restarts.since(0.0)) == 1


# ── who wants each engine ───────────────────────────────────────────────────────────────────


async def test_who_wants_an_engine_is_written_before_it_is_launched(bench: Bench) -> None:
    """A daemon that is killed in its launch leaves it to the next one."""
    bench.driver.gate.clear()
    bench.ask("a")
    await until(lambda: bench.driver.launched)
    [instance] = bench.driver.launched
    assert bench.store.runs.kept(instance) is False
    bench.driver.gate.set()


async def test_a_person_who_wants_what_a_request_had_started(bench: Bench) -> None:
    instance = await bench.used("a")
    assert bench.store.runs.kept(instance) is False
    bench.up("a")
    assert bench.store.runs.kept(instance) is True
    assert bench.listed["a"][KEPT] is True


async def test_what_is_taken_over_is_known_to_the_daemon_after_that_too(bench: Bench) -> None:
    bench.driver.leave(bench.spec("old", "c"))
    await bench.supervisor.adopt()
    assert bench.store.runs.kept("old") is True
