"""One driver over several: who runs what, and what they tell together."""

import pytest

from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.core.launch import Container, Endpoint, LaunchSpec, Running
from sparkwell.drivers.routing import RoutingDriver, route
from sparkwell.testing.memory_driver import MemoryDriver


def spec(instance: str, *, engine: str = "vllm", image: str | None = None) -> LaunchSpec:
    container = Container(image, instance, 8000) if image else None
    endpoint = Endpoint(port=18000) if image else Endpoint(uds="/x")
    return LaunchSpec(instance, "m", engine, "1", (), endpoint, container=container)


class Named(MemoryDriver):
    """A driver in memory with an endpoint of its own."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def endpoint(self, instance: str) -> Endpoint:
        return Endpoint(port=self.port)


@pytest.fixture
def drivers() -> dict[str, Named]:
    return {"process": Named(1), "compose": Named(2), "ollama": Named(3)}


def test_the_spec_says_who_runs_it() -> None:
    names = {"process": 0, "compose": 0, "ollama": 0}
    assert route(spec("a"), names) == "process"
    assert route(spec("a", image="i"), names) == "compose"
    assert route(spec("a", engine="ollama"), names) == "ollama"
    assert route(spec("a", engine="ollama"), {"process": 0, "compose": 0}) == "process"
    assert route(spec("a", engine="ollama", image="i"), names) == "compose"


async def test_each_instance_belongs_to_its_driver(drivers: dict[str, Named]) -> None:
    driver = RoutingDriver(drivers)
    for one in (spec("p"), spec("c", image="i"), spec("o", engine="ollama")):
        await driver.start(one)
    assert [drivers[name].launched for name in drivers] == [["p"], ["c"], ["o"]]
    assert [driver.driver_of(name) for name in "pco"] == ["process", "compose", "ollama"]
    await drivers["compose"].say("c", "hello")
    assert await driver.written("c") == (["hello"], [])
    await driver.stop("c")
    assert drivers["compose"].stopped == ["c"]
    assert (await driver.wait("c")).requested
    assert [line async for line in driver.follow("c")] == ["hello"]
    assert driver.log_path("c") == "/nowhere/c.log"


async def test_what_they_tell_is_put_together(drivers: dict[str, Named]) -> None:
    driver = RoutingDriver(drivers)
    for name, one in (("compose", spec("c", image="i")), ("process", spec("p"))):
        drivers[name].leave(one)
    assert [running.spec.instance for running in await driver.running()] == ["c", "p"]
    await driver.stop("p")
    await driver.stop("c")
    assert [ended.instance for ended, _ in driver.ended()] == ["c", "p"]
    assert sorted(driver.prune(0)) == ["c", "p"]
    assert not driver.knows("c")


async def test_a_driver_that_cannot_tell_does_not_hide_the_others(
    drivers: dict[str, Named], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fault = EnvironmentFault("Docker does not answer.")

    async def running() -> list[Running]:
        raise fault

    monkeypatch.setattr(drivers["compose"], "running", running)
    drivers["process"].leave(spec("p"))
    driver = RoutingDriver(drivers)
    assert [one.spec.instance for one in await driver.running()] == ["p"]
    assert caplog.messages == ["Docker does not answer."]
    found, faults = await driver.look()
    assert ([one.spec.instance for one in found], faults) == (["p"], [fault])


async def test_a_mistake_of_a_driver_is_not_swallowed(
    drivers: dict[str, Named], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def running() -> list[Running]:
        raise ValueError("oops")

    monkeypatch.setattr(drivers["compose"], "running", running)
    with pytest.raises(ValueError, match="oops"):
        await RoutingDriver(drivers).running()


def test_endpoints_are_the_drivers_own(drivers: dict[str, Named]) -> None:
    driver = RoutingDriver(drivers)
    assert driver.endpoint("x") == driver.endpoint_for("x", container=False) == Endpoint(port=1)
    assert driver.endpoint_for("x", container=True) == Endpoint(port=2)


async def test_an_instance_that_nobody_knows_is_named(drivers: dict[str, Named]) -> None:
    driver = RoutingDriver(drivers)
    for ask in (driver.driver_of, driver.follow, driver.log_path):
        with pytest.raises(UsageError, match="no-such"):
            ask("no-such")
    with pytest.raises(UsageError, match="no-such"):
        await driver.wait("no-such")
