"""Models beside each other on one GPU: with the real plans, from the request to the flags."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from tests.unit.app.daemon.test_terms import SMALL, Bench, Make, make, served

from sparkwell.app.daemon.coming_back import Back, leavings
from sparkwell.app.daemon.on_demand import OnDemandStarts
from sparkwell.app.launching.starter import Starter
from sparkwell.app.service import ModelService
from sparkwell.core.launch import HELD, Endpoint, ExitRecord
from sparkwell.core.units import GIB
from sparkwell.supervisor import messages
from sparkwell.supervisor.box import Box, Instance, Request, State
from sparkwell.supervisor.hands import beside
from sparkwell.supervisor.machine import step

__all__ = ["make"]


class Machine:
    """A box whose starts are made as the daemon makes them; engines do what is expected of them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.box = Box(budget=bench.terms.budget, seed="s")
        self.at = 0.0
        endpoints = Mock(endpoint_for=Mock(return_value=Endpoint(uds="/x")))
        self.starts = OnDemandStarts(Starter(bench.models, endpoints, Mock(), Mock()), bench.terms)
        supervisor = Mock(of=self.instance)
        self.starts.seen = Mock(supervisor=supervisor, served=lambda name: served(bench, name))

    def instance(self, model: str) -> Instance | None:
        return self.box.of(model)

    def hear(self, event: messages.Event) -> None:
        self.box, _ = step(self.box, event, self.at)

    async def starts_up(self, model: str) -> None:
        for gone in [each for each in self.box.instances if each.state is State.STOPPING]:
            record = ExitRecord(0, None, requested=True, ended_at=self.at)
            self.hear(messages.Ended(gone.id, record))
            self.hear(messages.Settled(gone.id))
        coming = self.box.of(model)
        assert coming is not None
        prepare, _ = await self.starts.start(model, None, beside(self.box, coming.id))
        self.hear(messages.Prepared(coming.id, prepare(coming.id).held_bytes))
        self.at += 70.0
        self.hear(messages.Answered(coming.id))

    async def asked(self, model: str) -> None:
        """A request that is served, long after the last one."""
        self.at += 1000.0
        terms = self.bench.terms.of_request(served(self.bench, model))
        asked = Request(int(self.at), model, self.at, self.at + 1800.0, terms)
        self.hear(messages.Asked(asked))
        await self.starts_up(model)
        ready = self.box.of(model)
        assert ready is not None
        self.hear(messages.Released(ready.id))

    @property
    def ready(self) -> list[str]:
        return [each.model for each in self.box.instances if each.state is State.READY]


@pytest.fixture
def machine(make: Make, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for name, value in (("must_be_fetchable", None), ("checkpoint", Path("/weights"))):
        monkeypatch.setattr(ModelService, name, _always(value))
    monkeypatch.setattr(Starter, "_check_image", _always(None))
    return Machine(make("dgx-spark"))


def _always(value: object) -> Any:
    return lambda *_of_what: value


async def test_two_that_are_asked_for_in_turn_are_served_beside_each_other(
    machine: Machine,
) -> None:
    """The second takes the first one's place, and leaves it room to come again."""
    first, second = SMALL
    await machine.asked(first)
    await machine.asked(second)
    assert machine.ready == [second]
    await machine.asked(first)
    assert machine.ready == [second, first]


@pytest.mark.parametrize("held_gib", [(50, 54), (20, 80), (89, 15)])
async def test_two_that_ran_beside_each_other_come_back_so(
    machine: Machine, held_gib: tuple[int, int]
) -> None:
    """After a reboot, say. The first one must not take what the second one had."""
    terms, bench = machine.bench.terms, machine.bench
    before = [
        Back(model, {HELD: str(held * GIB)}, kept=True)
        for model, held in zip(SMALL, held_gib, strict=True)
    ]
    back = leavings(before, lambda model, _labels, kept: terms.of_here(served(bench, model)))
    machine.hear(messages.Wanted(back))
    for model in SMALL:
        await machine.starts_up(model)
    assert machine.ready == list(SMALL)
    for each, held in zip(machine.box.instances, held_gib, strict=True):
        assert (each.held_bytes or 0) <= held * GIB
