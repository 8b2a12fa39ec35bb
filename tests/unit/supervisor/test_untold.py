"""What cannot be told, or written down, is done all the same: nobody waits for ever for it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping

import pytest
from tests.unit.supervisor.switching_bench import Bench, Notes
from tests.unit.supervisor.test_actor import until

from sparkwell.core.events import Event
from sparkwell.supervisor.box import State
from sparkwell.supervisor.sure_intents import SureIntents

FAULT = sqlite3.OperationalError("out of memory")


class Unwritten(Notes):
    """Intents of a store that fails while ``fails`` is true."""

    fails = True

    def begin(
        self,
        kind: str,
        model: str | None = None,
        instance: str | None = None,
        data: Mapping[str, object] | None = None,
    ) -> int:
        if self.fails:
            raise FAULT
        return super().begin(kind, model, instance, data)

    def finish(self, intent: int, outcome: str) -> None:
        if self.fails:
            raise FAULT
        super().finish(intent, outcome)


class Deaf:
    """Hears of everything; the first event of each of these kinds it cannot take."""

    def __init__(self, *kinds: str) -> None:
        self.left = set(kinds)

    def hear(self, event: Event) -> None:
        if event.kind in self.left:
            self.left.remove(event.kind)
            raise FAULT


@pytest.fixture
async def unwritten(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr("tests.unit.supervisor.switching_bench.Notes", Unwritten)
    bench = Bench()
    yield bench
    await bench.supervisor.close()


@pytest.mark.parametrize(
    "kind", ["switch.begin", "instance.stopping", "instance.stopped", "instance.starting"]
)
async def test_a_switch_goes_on_though_an_event_of_it_cannot_be_told(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    deaf = Deaf()
    bench = Bench(hear=deaf.hear)
    first = await bench.ready("a")
    deaf.left.add(kind)
    ticket = bench.ask("b")
    await bench.answers("b")
    assert (await ticket.wait()).model == "b"
    assert (deaf.left, bench.driver.stopped) == (set(), [first])
    assert "An effect could not be carried out: Tell" in caplog.messages
    assert bench.open == []
    await bench.supervisor.close()


async def test_a_switch_goes_on_though_nothing_of_it_can_be_written(unwritten: Bench) -> None:
    first = await unwritten.ready("a")
    ticket = unwritten.ask("b")
    await unwritten.answers("b")
    assert (await ticket.wait()).model == "b"
    assert unwritten.driver.stopped == [first]
    assert "switch.done" in unwritten.kinds
    await asyncio.wait_for(unwritten.supervisor.down(), 5)
    assert unwritten.supervisor.instances == ()


async def test_what_could_not_be_written_is_not_finished_later(unwritten: Bench) -> None:
    await unwritten.launched_by_hand("a")
    assert isinstance(unwritten.notes, Unwritten)
    unwritten.notes.fails = False
    await unwritten.answers("a")
    assert (unwritten.state("a"), unwritten.notes.all) == (State.READY, [])
    await unwritten.supervisor.down()
    await until(lambda: unwritten.notes.of("stop") == [("a", "stopped")])


def test_both_faults_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    notes = Unwritten()
    sure = SureIntents(notes)
    notes.fails = False
    intent = sure.begin("start", "a")
    notes.fails = True
    sure.finish(intent, "ready")
    sure.finish(sure.begin("stop", "a"), "stopped")
    assert caplog.messages == [
        "That an intent is over (ready) cannot be written",
        "The intent to stop a cannot be written",
    ]
