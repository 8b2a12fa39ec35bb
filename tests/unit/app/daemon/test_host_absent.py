"""What is not on this machine, through the daemon: said at once, and nobody leaves for it."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.app.daemon.test_host import GATES, until
from tests.unit.app.daemon.test_host_switching import ONE, OTHER, Switching, bench

from sparkwell.app.launching.presence import Presence
from sparkwell.app.launching.ways import Way, Ways
from sparkwell.app.service import Availability, ModelService
from sparkwell.catalog.ollama import OllamaName
from sparkwell.core.errors import NotReadyError
from sparkwell.supervisor.box import State

__all__ = ["bench"]
LLAMA = "ollama/llama3.2"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Neither Docker nor Ollama has anything; notes what they were asked for."""
    asked: list[str] = []

    def image(_presence: Presence, name: str) -> bool:
        asked.append(name)
        return False

    def model(_presence: Presence, name: OllamaName) -> bool:
        asked.append(str(name))
        return False

    monkeypatch.setattr(Presence, "image", image)
    monkeypatch.setattr(Presence, "model", model)
    return asked


@pytest.fixture
async def loaded(bench: Switching, monkeypatch: pytest.MonkeyPatch) -> Switching:
    """One model runs as a process; all others would run in containers."""
    await bench.ready(model=ONE)
    in_containers(monkeypatch)
    return bench


def in_containers(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Way("0.32.0", "cpu", image="x/y:1")
    there = Availability(Path("/weights"), way)
    monkeypatch.setattr(ModelService, "availability", lambda *_of_what: there)
    monkeypatch.setattr(Ways, "way", lambda *_of_what: way)


def unmoved(bench: Switching) -> bool:
    box = bench.supervisor.box
    nobody_leaves = bench.now(ONE).state is State.READY and bench.driver.stopped == []
    return nobody_leaves and box.waiting == () and box.switch is None


async def test_a_request_for_a_model_whose_image_is_missing(
    loaded: Switching, asked: list[str]
) -> None:
    with pytest.raises(NotReadyError, match="image x/y:1 is not on this machine"):
        loaded.host.served.ensure_ready(OTHER)
    assert asked == ["x/y:1"]
    assert unmoved(loaded)


async def test_a_request_for_a_model_that_ollama_has_not(
    loaded: Switching, asked: list[str]
) -> None:
    with pytest.raises(NotReadyError, match="it is not on this machine"):
        loaded.host.served.ensure_ready(LLAMA)
    assert asked == [LLAMA]
    assert unmoved(loaded)


async def test_a_switch_to_a_model_whose_image_is_missing(
    loaded: Switching, asked: list[str]
) -> None:
    with pytest.raises(NotReadyError, match="image x/y:1 is not on this machine") as refused:
        await loaded.up(OTHER, switch=True)
    assert refused.value.hint == "`docker pull x/y:1` fetches it."
    assert asked == ["x/y:1"]
    assert unmoved(loaded)


async def test_a_request_waits_for_a_model_that_is_coming(
    bench: Switching, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its start may be fetching the image just now."""
    await bench.up(ONE)
    in_containers(monkeypatch)
    waiting = asyncio.create_task(bench.host.served.ensure_ready(ONE).wait())
    instance = bench.now(ONE).id
    await until(lambda: instance in GATES)
    GATES[instance].set()
    (await waiting).release()
    assert asked == []


async def test_a_request_for_a_loaded_model_asks_nobody(
    loaded: Switching, asked: list[str]
) -> None:
    lease = loaded.host.served.ensure_ready(ONE).lease
    assert lease is not None
    lease.release()
    assert asked == []
