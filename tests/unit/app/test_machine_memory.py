"""The machine's memory around starts and ends: baselines beside others, and what is told."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.supervisor.switching_bench import Bench as Switching
from tests.unit.supervisor.switching_bench import with_sleep

from sparkwell.app.daemon.first_looks import FirstLooks
from sparkwell.app.guard import machine_memory, memory_looks
from sparkwell.app.guard.machine_memory import MachineMemory
from sparkwell.app.guard.memory_looks import looker
from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.core.units import GIB
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.facts import GpuFacts, NvmlFacts
from sparkwell.store import Store
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.release import Look

SPARK, H100 = find_machine("dgx-spark"), find_machine("h100-80gb")


class Bench(Switching):
    """``looks`` are what the machine shows, one after the other, the last one again and again."""

    def __init__(self, floor_gib: float | None = None) -> None:
        super().__init__()
        self.looks: list[Look | None] = []
        floor = None if floor_gib is None else int(floor_gib * GIB)
        self.memory = MachineMemory(
            SPARK, self.driver, self.journal, floor_bytes=floor, look=self.look
        )
        self.memory.supervisor = self.supervisor

    def of_a_daemon(self, store: Store) -> MachineMemory:
        """The memory of a daemon with this store; the next one has the same machine."""
        first = FirstLooks(store.runs)
        memory = MachineMemory(
            SPARK, self.driver, self.journal, floor_bytes=None, first=first, look=self.look
        )
        memory.supervisor = self.supervisor
        return memory

    def look(self) -> Look | None:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def sees(self, *gib: float, others: float = 10.0, every_s: float = 1.0) -> None:
        """These are available, ``every_s`` apart."""
        self.looks = [
            Look(place * every_s, int(each * GIB), int(others * GIB))
            for place, each in enumerate(gib)
        ]

    def has(self, name: str, gib: float | None, state: State = State.READY) -> None:
        """An instance lives, and holds that by its plan; asleep it holds 2 GiB."""
        held = None if gib is None else int(gib * GIB)
        terms = replace(with_sleep(self.terms("a")), asleep_bytes=2 * GIB)
        box = self.supervisor.box
        instance = Instance(name, name, state, held_bytes=held, terms=terms)
        self.supervisor._box = box.with_(instance)

    def gone(self, name: str) -> None:
        self.supervisor._box = self.supervisor.box.without(name)

    def launch(self, name: str, gib: float | None = 60.0, **labels: str) -> LaunchSpec:
        self.has(name, gib, State.STARTING)
        held = {} if gib is None else {"held": str(int(gib * GIB))}
        endpoint = self.driver.endpoint(name)
        return LaunchSpec(name, name, "vllm", "1", (), endpoint, labels={**held, **labels})

    async def ends(self, name: str) -> None:
        self.gone(name)
        await asyncio.wait_for(self.memory.after_end(name, name), 5)

    @property
    def told(self) -> list[tuple[str, object, object]]:
        return [
            (each.kind, each.data["expected_bytes"], each.data["missing_bytes"])
            for each in self.journal.after(0)
            if each.kind.startswith("memory.")
        ]


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(machine_memory, "POLL_S", 0.0)
    monkeypatch.setattr(machine_memory, "drop_page_cache", lambda: True)
    bench = Bench()
    yield bench
    await bench.supervisor.close()


async def test_memory_that_is_back_is_told(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.sees(40, 70, 99.5)
    await bench.ends("a")
    assert bench.told == [("memory.verified", 100 * GIB, int(0.5 * GIB))]


async def test_it_is_waited_for_and_told_once_that_it_takes_long(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.sees(40, 41, 42, 43, 44, 45, 46, 47, 100)
    await bench.ends("a")
    assert [kind for kind, *_ in bench.told] == ["memory.waiting", "memory.verified"]


async def test_a_reboot_is_suspected_with_its_evidence(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.sees(40, 40, 40, 40, every_s=60)
    await bench.ends("a")
    assert [kind for kind, *_ in bench.told] == ["memory.waiting", "memory.reboot_suspected"]
    assert "A reboot may be needed" in bench.journal.after(0)[-1].message


async def test_an_engine_that_nobody_accounts_for_is_the_suspect_itself(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.driver.leave(bench.spec("a-left-over", "a"))
    bench.sees(40, 40, 40, 40, 40, 100, every_s=60)
    await bench.ends("a")
    assert [kind for kind, *_ in bench.told] == ["memory.waiting", "memory.verified"]


async def test_where_engines_cannot_be_listed_nothing_is_suspected(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def running() -> list[Running]:
        raise EnvironmentFault("Docker does not answer.")

    monkeypatch.setattr(bench.driver, "running", running)
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.sees(40, 40, 40, 40, 100, every_s=60)
    await bench.ends("a")
    assert [kind for kind, *_ in bench.told] == ["memory.waiting", "memory.verified"]


async def test_an_engine_that_nobody_accounts_for_is_not_waited_for_without_end(
    bench: Bench,
) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.driver.leave(bench.spec("a-left-over", "a"))
    bench.sees(*[40] * 12, every_s=60)
    await bench.ends("a")
    assert [kind for kind, *_ in bench.told] == ["memory.waiting", "memory.unexplained"]


async def test_other_programs_are_named(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.sees(60, others=50)
    await bench.ends("a")
    assert [kind for kind, *_ in bench.told] == ["memory.explained"]


# ── beside others ───────────────────────────────────────────────────────────────────────────


async def test_what_started_since_keeps_its_part(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a", 30))
    bench.has("b", 20)
    bench.sees(80)
    await bench.ends("a")
    assert bench.told == [("memory.verified", 80 * GIB, 0)]


async def test_one_whose_end_could_not_be_seen_to_keeps_its_part(bench: Bench) -> None:
    """It started since, and holds it: nobody waits for that, and nobody suspects anything."""
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a", 40))
    bench.driver.leave(bench.launch("b", 30))
    lost = replace(bench.supervisor.box.instances[-1], state=State.FAILED, lost=True)
    bench.supervisor._box = bench.supervisor.box.with_(lost)
    bench.sees(30, 70)
    await bench.ends("a")
    assert bench.told == [("memory.verified", 70 * GIB, 0)]


async def test_what_was_there_already_is_in_the_first_look(bench: Bench) -> None:
    bench.has("b", 20)
    bench.sees(80)
    await bench.memory.before_launch(bench.launch("a", 30))
    bench.sees(50, 80)
    await bench.ends("a")
    assert bench.told == [("memory.verified", 80 * GIB, 0)]


async def test_one_that_slept_then_and_is_awake_now_keeps_what_it_woke_to(bench: Bench) -> None:
    """Else a reboot would be suspected of a machine that is well."""
    bench.has("b", 60, State.ASLEEP)
    bench.sees(98)
    await bench.memory.before_launch(bench.launch("a", 20))
    bench.has("b", 60, State.READY)
    bench.sees(40)
    await bench.ends("a")
    assert bench.told == [("memory.verified", 40 * GIB, 0)]


async def test_one_that_fell_asleep_since_makes_nobody_wait(bench: Bench) -> None:
    bench.has("b", 60)
    bench.sees(40)
    await bench.memory.before_launch(bench.launch("a", 20))
    bench.has("b", 60, State.ASLEEP)
    bench.sees(98)
    await bench.ends("a")
    assert bench.told == [("memory.verified", 40 * GIB, 0)]


async def test_beside_one_that_nobody_can_size_nothing_can_be_told(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a", 30))
    bench.has("b", None)
    bench.sees(0)
    await bench.ends("a")
    assert bench.told == []


async def test_one_that_nobody_can_size_and_that_was_there_already_is_no_matter(
    bench: Bench,
) -> None:
    bench.has("b", None)
    bench.sees(80)
    await bench.memory.before_launch(bench.launch("a", 30))
    bench.sees(80)
    await bench.ends("a")
    assert bench.told == [("memory.verified", 80 * GIB, 0)]


# ── where nothing can be looked at ──────────────────────────────────────────────────────────


async def test_where_the_machine_cannot_be_looked_at_nobody_waits(bench: Bench) -> None:
    bench.looks = [None]
    await bench.memory.before_launch(bench.launch("a"))
    await bench.ends("a")
    assert bench.told == []
    assert bench.memory.available_bytes() is None


async def test_a_machine_that_stops_showing_its_memory_holds_nothing_up(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.looks = [Look(0.0, 40 * GIB, 10 * GIB), None]
    await bench.ends("a")
    assert bench.told == []


async def test_an_adopted_engine_has_no_first_look(bench: Bench) -> None:
    bench.sees(1)
    await bench.ends("old")
    assert bench.told == []


async def test_looks_of_those_that_are_gone_are_forgotten(bench: Bench) -> None:
    bench.sees(100)
    await bench.memory.before_launch(bench.launch("a"))
    bench.gone("a")  # never told: its launch failed
    await bench.memory.before_launch(bench.launch("b"))
    assert bench.memory._first.take("a") is None
    assert bench.memory._first.take("b") is not None


async def test_an_engine_of_an_earlier_daemon_is_verified_against_its_own_first_look(
    bench: Bench, tmp_path: Path
) -> None:
    """With who lived beside it then, and what has started since."""
    with closing(Store(tmp_path / "s.db")) as store:
        bench.memory = bench.of_a_daemon(store)
        bench.has("old", 20)
        bench.has("sizeless", None)
        bench.sees(100)
        await bench.memory.before_launch(bench.launch("a", 30))
        bench.memory = bench.of_a_daemon(store)
        bench.has("new", 10)
        bench.sees(60, 89.75)
        await bench.ends("a")
        assert bench.told == [("memory.verified", 90 * GIB, int(0.25 * GIB))]


async def test_looks_are_told_apart_by_instance(bench: Bench, tmp_path: Path) -> None:
    with closing(Store(tmp_path / "s.db")) as store:
        bench.memory = bench.of_a_daemon(store)
        bench.sees(100)
        await bench.memory.before_launch(bench.launch("a", 30))
        bench.memory = bench.of_a_daemon(store)
        bench.sees(1)
        await bench.ends("b")
        assert bench.told == []


# ── for status ──────────────────────────────────────────────────────────────────────────────


async def test_status_does_not_wait_for_a_gpu_that_does_not_answer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_memory, "FRESH_S", 0.0)
    answers = threading.Event()
    bench.sees(70)
    assert bench.memory.available_bytes() == 70 * GIB

    def slow() -> Look:
        assert answers.wait(10)
        return Look(0.0, 60 * GIB)

    monkeypatch.setattr(bench.memory, "_look", slow)
    assert [bench.memory.available_bytes() for _ in range(3)] == [70 * GIB] * 3
    answers.set()
    async with asyncio.timeout(5):
        while bench.memory.available_bytes() != 60 * GIB:
            await asyncio.sleep(0.001)


async def test_status_looks_once_a_second(bench: Bench) -> None:
    bench.sees(70, 60, 50)
    assert [bench.memory.available_bytes() for _ in range(3)] == [70 * GIB] * 3
    await asyncio.sleep(0.01)
    assert len(bench.looks) == 2


async def test_a_look_that_fails_is_no_look(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_memory, "FRESH_S", 0.0)
    bench.sees(70)
    bench.memory.available_bytes()

    def fail() -> Look:
        raise OSError("no such device")

    monkeypatch.setattr(bench.memory, "_look", fail)
    async with asyncio.timeout(5):
        while bench.memory.available_bytes() is not None:
            await asyncio.sleep(0.001)


# ── before a launch ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("available", "refused"), [(68.0, False), (67.9, True), (30.0, True)])
async def test_a_start_must_leave_the_floor(
    monkeypatch: pytest.MonkeyPatch, available: float, refused: bool
) -> None:
    monkeypatch.setattr(machine_memory, "drop_page_cache", lambda: True)
    bench = Bench(floor_gib=8)
    bench.sees(available)
    spec = bench.launch("a", 60)
    if not refused:
        await bench.memory.before_launch(spec)
        return
    with pytest.raises(ConflictError, match="a would leave too little memory") as error:
        await bench.memory.before_launch(spec)
    assert error.value.hint
    bench.sees(1)
    await bench.ends("a")  # it never took any: nothing to wait for
    assert bench.told == []


async def test_a_forced_start_and_one_of_unknown_size_are_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine_memory, "drop_page_cache", lambda: True)
    bench = Bench(floor_gib=8)
    bench.sees(10)
    await bench.memory.before_launch(bench.launch("a", 60, force="1"))
    await bench.memory.before_launch(bench.launch("b", None))
    with pytest.raises(ConflictError):
        await bench.memory.before_launch(bench.launch("c", 60, force=""))


async def test_the_page_cache_goes_first_where_it_counts_as_used(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(machine_memory, "drop_page_cache", lambda: order.append("drop"))

    def look() -> Look:
        order.append("look")
        return Look(0.0, 100 * GIB)

    for machine in (SPARK, H100):
        memory = MachineMemory(machine, bench.driver, bench.journal, floor_bytes=None, look=look)
        memory.supervisor = bench.supervisor
        await memory.before_launch(bench.launch("a"))
    assert order == ["drop", "look", "look"]


# ── looking ─────────────────────────────────────────────────────────────────────────────────


def test_this_machine_can_be_looked_at() -> None:
    look = looker(SPARK)()
    assert look is not None
    assert 0 < look.available_bytes < 2**50
    assert look.others_bytes is not None
    assert look.others_bytes > 0


@pytest.mark.parametrize(
    ("facts", "available"),
    [
        (NvmlFacts(problem="there is no libnvidia-ml.so.1"), None),
        (NvmlFacts(gpus=(GpuFacts(free_bytes=None),)), None),
        (NvmlFacts(gpus=(GpuFacts(free_bytes=7 * GIB), GpuFacts(free_bytes=1))), 7 * GIB),
    ],
)
def test_a_gpu_of_its_own_is_asked_itself(
    monkeypatch: pytest.MonkeyPatch, facts: NvmlFacts, available: int | None
) -> None:
    monkeypatch.setattr(memory_looks, "read_nvml", lambda: facts)
    look = looker(H100)()
    assert (look and look.available_bytes) == available
