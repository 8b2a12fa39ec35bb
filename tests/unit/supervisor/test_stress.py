"""Random requests and faults against the supervisor: nothing hangs, nothing is left."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator

import pytest

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.core.launch import Endpoint, ExitRecord, LaunchSpec, Running
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.talk import Facts
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.aides import Provide
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.start import OnMark, StartWatch
from sparkwell.testing.memory_driver import MemoryDriver


class Chance:
    """A seeded coin, and pauses of a few turns of the loop."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def of(self, share: float) -> bool:
        return self._random.random() < share

    def one(self, choices: str) -> str:
        return self._random.choice(choices)

    async def pause(self, most: int = 6) -> None:
        for _ in range(self._random.randrange(most)):
            await asyncio.sleep(0)


class ShakyDriver(MemoryDriver):
    """Refuses some starts; some engines end by themselves at once."""

    def __init__(self, chance: Chance) -> None:
        super().__init__()
        self._chance = chance

    async def start(self, spec: LaunchSpec) -> Running:
        await self._chance.pause()
        if self._chance.of(0.15):
            raise EnvironmentFault("refused")
        running = await super().start(spec)
        if self._chance.of(0.15):
            await self.end(spec.instance, code=1)
        await self._chance.pause()
        return running

    async def stop(self, instance: str, grace_s: float | None = None) -> ExitRecord:
        await self._chance.pause()
        return await super().stop(instance, grace_s)


class ShakyWatch(StartWatch):
    """Some starts never become ready. Counts those that are under way together."""

    async def until_ready(self, spec: LaunchSpec, on_mark: OnMark) -> None:
        together = TOGETHER[self.driver]
        together[0] += 1
        together[1] = max(together)
        try:
            for phase in (Phase.INIT, Phase.WEIGHTS):
                await CHANCES[self.driver].pause()
                on_mark(PhaseMark(phase))
            if CHANCES[self.driver].of(0.15):
                raise EnvironmentFault("no token")
        finally:
            together[0] -= 1

    async def figures(self, spec: LaunchSpec) -> Facts:
        return ()


TOGETHER: dict[object, list[int]] = {}
CHANCES: dict[object, Chance] = {}


def spec_of(instance: str, model: str) -> LaunchSpec:
    return LaunchSpec(instance, model, "vllm", "1", ("x",), Endpoint(uds="/x"))


class World:
    """A supervisor, and everybody who asks something of it."""

    def __init__(self, seed: int) -> None:
        self.chance = Chance(seed)
        self.driver = ShakyDriver(self.chance)
        CHANCES[self.driver], TOGETHER[self.driver] = self.chance, [0, 0]
        self._number = 0
        self.supervisor = Supervisor(
            self.driver, Journal(lambda: 0.0), ShakyWatch(self.driver), new_id=self._new_id
        )
        self.downs: list[asyncio.Task[object]] = []

    def _new_id(self, model: str) -> str:
        self._number += 1
        return f"{model}-{self._number}"

    def _provide(self, model: str, seen: list[str]) -> Provide:
        async def provide(on_mark: OnMark) -> LaunchSpec:
            for phase in (Phase.PULL, Phase.DOWNLOAD):
                on_mark(PhaseMark(phase))
                await self.chance.pause()
            if self.chance.of(0.1):
                raise EnvironmentFault("no network")
            return spec_of(seen[0], model)

        return provide

    def up(self, model: str) -> None:
        seen: list[str] = []

        def prepare(instance: str) -> LaunchSpec:
            seen.append(instance)
            return spec_of(instance, model)

        try:
            self.supervisor.up(model, prepare, self._provide(model, seen))
        except ConflictError:
            return

    async def act(self) -> None:
        model = self.chance.one("abc")
        if self.chance.of(0.5):
            self.up(model)
        elif self.chance.of(0.7):
            which = None if self.chance.of(0.2) else model
            self.downs.append(asyncio.create_task(self.supervisor.down(which)))
        else:
            for running in await self.driver.running():
                if self.chance.of(0.5):
                    await self.driver.end(running.spec.instance, code=1)
        await self.chance.pause()


@pytest.fixture(autouse=True)
async def quiet() -> AsyncIterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(0, 300, 10))
async def test_nothing_hangs_and_nothing_is_left(seed: int) -> None:
    for each in range(seed, seed + 10):
        world = World(each)
        for _ in range(30):
            await world.act()
        async with asyncio.timeout(10):
            await asyncio.gather(*world.downs)
            await world.supervisor.down()
        for _ in range(50):
            await asyncio.sleep(0)
        assert await world.driver.running() == [], each
        assert world.supervisor.instances == (), each
        assert TOGETHER[world.driver][1] <= 1, each
        assert world.supervisor.idle, each
        await world.supervisor.close()
