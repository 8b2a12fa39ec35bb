"""`up --switch` through the daemon's host, and what an `up` finds that sleeps or waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.app.daemon.test_host import GATES, Bench, until
from tests.unit.supervisor.switching_bench import AT_ONCE

from sparkwell.app.daemon.on_demand import OnDemandStarts
from sparkwell.app.daemon.seen import Seen
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import Starter
from sparkwell.app.served import Served
from sparkwell.app.settings.config import Settings
from sparkwell.core.errors import (
    ConflictError,
    EnvironmentFault,
    NotReadyError,
    SparkwellError,
    UsageError,
)
from sparkwell.store import History, open_database
from sparkwell.supervisor.box import Instance, State
from sparkwell.supervisor.terms import Budget, Terms

ONE, OTHER = "demo-qwen3", "demo-llama"


class Switching(Bench):
    """A host on a machine for one model at a time."""

    def __init__(self, folder: Path, history: History) -> None:
        super().__init__(folder, history, Settings())
        here = replace(self.models.planning.here, total_bytes=4 * 10**9)
        self.models.planning.__dict__["here"] = here
        starts = OnDemandStarts(self.host._starter, TermsMaker(self.models, history.expected))
        starts.seen = Seen(self.models, self.supervisor)
        self.supervisor._deeds.preparing._on_demand = starts
        box = self.supervisor.box
        self.supervisor._box = replace(box, budget=Budget(here.total_bytes), policy=AT_ONCE)

    def now(self, model: str) -> Instance:
        found = self.supervisor.of(model)
        assert found is not None
        return found

    def change(self, model: str, **values: object) -> None:
        changed = replace(self.now(model), **values)  # type: ignore[arg-type]
        self.supervisor._box = self.supervisor.box.with_(changed)

    @property
    def asked(self) -> asyncio.Task[object]:
        """A client's request for the other model."""
        ticket = self.host.served.ensure_ready(OTHER)
        return asyncio.create_task(ticket.wait())


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Switching]:
    with closing(open_database(tmp_path / "s.db")) as database:
        bench = Switching(tmp_path, History(database))
        yield bench
        await bench.supervisor.close()


async def test_one_leaves_for_the_other_with_its_flags(bench: Switching) -> None:
    first = await bench.ready(model=ONE)
    with pytest.raises(ConflictError, match="does not fit") as refused:
        await bench.up(OTHER)
    assert "--switch` makes room" in str(refused.value.hint)
    begun = await bench.up(OTHER, switch=True, flags=("max_num_seqs=3",))
    assert bench.driver.stopped == [first]
    assert (begun["model"], begun["new"]) == (OTHER, True)
    instance = begun["instance"]
    await until(lambda: instance in GATES)
    argv = bench.argv(instance)
    assert argv[argv.index("--max-num-seqs") + 1] == "3"
    GATES[instance].set()
    await until(lambda: bench.now(OTHER).kept)
    assert bench.now(OTHER).terms.idle_s is None


async def test_a_request_does_the_same_and_its_model_may_be_idle_for_a_while(
    bench: Switching,
) -> None:
    await bench.ready(model=ONE)
    waiting = bench.asked
    await until(lambda: bench.supervisor.of(OTHER) and bench.now(OTHER).id in GATES)
    GATES[bench.now(OTHER).id].set()
    await waiting
    now = bench.now(OTHER)
    assert (now.kept, now.terms.idle_s) == (False, 1800.0)
    await bench.up(OTHER)  # and now a person wants it
    now = bench.now(OTHER)
    assert (now.kept, now.terms.idle_s) == (True, None)


async def test_a_request_gives_the_flags_that_a_person_had_given(bench: Switching) -> None:
    await bench.ready("max_num_seqs=3", model=OTHER)
    await bench.up(ONE, switch=True)
    instance = bench.now(ONE).id
    await until(lambda: instance in GATES)
    GATES[instance].set()
    await until(lambda: bench.now(ONE).state is State.READY)
    waiting = bench.asked
    await until(lambda: bench.supervisor.of(OTHER) and bench.now(OTHER).id in GATES)
    argv = bench.argv(bench.now(OTHER).id)
    assert argv[argv.index("--max-num-seqs") + 1] == "3"
    GATES[bench.now(OTHER).id].set()
    await waiting


@pytest.mark.parametrize(
    ("model", "flags", "error"),
    [
        (OTHER, ("nonsense_flag=1",), UsageError),
        ("qwen3-8b-fp8", (), SparkwellError),
        ("llama33-70b-fp8", (), SparkwellError),
    ],
)
async def test_what_speaks_against_it_is_said_before_anybody_leaves(
    bench: Switching, model: str, flags: tuple[str, ...], error: type[SparkwellError]
) -> None:
    await bench.ready(model=ONE)
    with pytest.raises(error):
        await bench.up(model, switch=True, flags=flags)
    assert bench.driver.stopped == []
    assert bench.now(ONE).state is State.READY
    assert bench.supervisor.box.waiting == ()


async def test_what_the_start_itself_would_refuse_is_said_then_too(
    bench: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_of_what: object) -> None:
        raise ConflictError("The image is for another machine.")

    await bench.ready(model=ONE)
    monkeypatch.setattr(Starter, "start", refuse)
    with pytest.raises(ConflictError, match="for another machine"):
        await bench.up(OTHER, switch=True)
    assert bench.now(ONE).state is State.READY


async def test_a_request_is_sized_with_the_flags_that_a_person_had_given(
    bench: Switching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another size the box would promise what its start cannot keep."""
    sized: list[object] = []
    terms = TermsMaker(bench.models, lambda *_of_what: {})

    def of_request(served: Served, wish: StartWish, *, coming: bool) -> Terms:
        assert not coming
        sized.append(dict(wish.flags))
        return terms.of_request(served, wish)

    monkeypatch.setattr(bench.host._terms, "of_request", of_request)
    await bench.ready("max_num_seqs=3", model=OTHER)
    await bench.driver.end(bench.now(OTHER).id, code=1)
    await until(lambda: bench.now(OTHER).state is State.FAILED)
    waiting = bench.asked
    await bench.host.down(None)
    await asyncio.gather(waiting, return_exceptions=True)
    waiting = bench.asked
    await bench.host.down(None)
    await asyncio.gather(waiting, return_exceptions=True)
    assert sized == [{"max_num_seqs": 3}, {}]  # a person who stops it takes its flags back


async def test_only_one_and_not_by_force(bench: Switching) -> None:
    with pytest.raises(UsageError, match="Only one model"):
        await bench.up(ONE, OTHER, switch=True)
    with pytest.raises(UsageError, match="cannot be forced"):
        await bench.up(ONE, switch=True, force=True)


async def test_to_what_runs_already_there_is_no_switch(bench: Switching) -> None:
    first = await bench.ready(model=ONE)
    again = await bench.up(ONE, switch=True)
    assert (again["instance"], again["new"]) == (first, False)


async def test_while_it_still_stops_it_cannot_be_switched_to(bench: Switching) -> None:
    await bench.ready(model=ONE)
    bench.driver.stop_gate.clear()
    down = asyncio.create_task(bench.host.down(None))
    await until(lambda: bench.now(ONE).state is State.STOPPING)
    with pytest.raises(ConflictError, match="still stopping"):
        await bench.up(ONE, switch=True)
    bench.driver.stop_gate.set()
    await down


async def test_one_that_waits_for_others_is_called_off_by_down(bench: Switching) -> None:
    await bench.ready(model=ONE)
    running = bench.host.served.ensure_ready(ONE).lease
    switching = asyncio.create_task(bench.up(OTHER, switch=True))
    await until(lambda: bench.now(ONE).state is State.DRAINING)
    assert await bench.host.down(OTHER) == {"stopped": []}
    with pytest.raises(NotReadyError, match="was stopped with"):
        await switching
    assert bench.now(ONE).state is State.READY
    assert running
    with pytest.raises(UsageError, match="does not run"):
        await bench.host.down(OTHER)


async def test_a_switch_closes_the_breaker(bench: Switching) -> None:
    bench.driver.refusal = EnvironmentFault("No such program.")
    await bench.supervisor.settled((await bench.up(OTHER))["instance"])
    bench.driver.refusal = None
    begun = await bench.up(OTHER, switch=True)
    await until(lambda: begun["instance"] in GATES)


# ── one that sleeps ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("switch", [True, False])
async def test_one_that_sleeps_cannot_be_had_with_other_flags(
    bench: Switching, switch: bool
) -> None:
    """It would wake with its own, and say nothing."""
    await bench.ready(model=ONE)
    bench.change(ONE, state=State.ASLEEP)
    with pytest.raises(ConflictError, match="with other flags"):
        await bench.up(ONE, switch=switch, flags=("max_num_seqs=3",))


async def test_beside_one_that_sleeps_there_is_room(bench: Switching) -> None:
    await bench.ready(model=ONE)
    terms = replace(bench.now(ONE).terms, asleep_bytes=1)
    bench.change(ONE, state=State.ASLEEP, terms=terms)
    begun = await bench.up(OTHER)
    await until(lambda: begun["instance"] in GATES)
    assert bench.driver.stopped == []
