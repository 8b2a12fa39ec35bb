"""Engines asked for their figures, each on its own: one that hangs delays only itself.

A round waits a moment for those that are quick. The question to one that takes longer stays open:
its answer is taken in the round after it has come, and only then is it asked again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic

from sparkwell.engines.samples import EngineSample
from sparkwell.monitor.connections import Connections
from sparkwell.monitor.overview import Target
from sparkwell.monitor.readers import READERS, EngineReader

PATIENCE_S = 0.5
"""What a round waits for engines that took no longer than that last time."""
LARGE = 256 * 1024
"""Characters from which on an answer is read in a thread; a real one has a fifth of that."""
NOTHING = EngineSample()


@dataclass(frozen=True, slots=True)
class Answer:
    """A sample and the monotonic seconds at which it came, or what kept it from being one.

    Neither of them: it was asked, and nothing has come yet.
    """

    at: float
    sample: EngineSample | None = None
    problem: str | None = None


@dataclass(slots=True)
class _Asked:
    """An engine: the question that is open, whether it was slow, and what was wrong last."""

    task: asyncio.Task[Answer] | None = None
    slow: bool = False
    problem: str | None = None


class Scraper:
    """Asks engines; connections to those that have gone are closed."""

    def __init__(
        self, readers: Mapping[str, EngineReader] = READERS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._readers = readers
        self._clock = clock
        self._connections = Connections()
        self._asked: dict[str, _Asked] = {}

    async def ask(self, targets: Iterable[Target]) -> dict[str, Answer]:
        """All engines at once, by instance. Takes ``PATIENCE_S`` at most, and never raises.

        Of one that is slow it is the answer to an earlier question; where none has come, what
        was wrong before holds.
        """
        wanted = list(targets)
        await self._forget_others(wanted)
        late = self._taken(wanted)
        for each in wanted:
            self._begin(each)
        quick = [each.task for each in self._asked.values() if each.task and not each.slow]
        if quick:
            await asyncio.wait(quick, timeout=PATIENCE_S)
        answers = {**late, **self._taken(wanted)}
        return {each.instance: answers.get(each.instance) or self._none(each) for each in wanted}

    async def close(self) -> None:
        """Ask nothing more, and close all connections."""
        await self._forget_others([])

    def _begin(self, target: Target) -> None:
        asked = self._asked.setdefault(target.instance, _Asked())
        if asked.task is None:
            asked.task = asyncio.create_task(self._timed(target, asked))

    def _taken(self, targets: Iterable[Target]) -> dict[str, Answer]:
        """The answers that have come, by instance; each is taken once."""
        found = {}
        for each in targets:
            asked = self._asked.get(each.instance)
            if asked and asked.task and asked.task.done():
                found[each.instance] = answer = asked.task.result()
                asked.task, asked.problem = None, answer.problem
        return found

    def _none(self, target: Target) -> Answer:
        """Nothing has come of this one, and later rounds do not wait for it."""
        asked = self._asked[target.instance]
        asked.slow = True
        return Answer(self._clock(), problem=asked.problem)

    async def _timed(self, target: Target, asked: _Asked) -> Answer:
        """The answer of one engine, which is known from then on as quick or slow."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await self._one(target)
        except Exception as error:  # what cannot be read of one is nothing to the others
            return Answer(self._clock(), problem=f"its figures cannot be read: {error!r}")
        finally:
            asked.slow = loop.time() - began > PATIENCE_S

    async def _one(self, target: Target) -> Answer:
        """Its time is that at which its answer came, however long others take."""
        reader = self._readers.get(target.engine)
        if reader is None:
            unknown = f"nobody knows how to read the figures of {target.engine}"
            return Answer(self._clock(), problem=unknown)
        text, problem = await self._connections.text(target.spec.endpoint, reader.path)
        at = self._clock()
        if len(text) < LARGE:
            sample = reader.read(text, target.spec)
        else:
            sample = await asyncio.to_thread(reader.read, text, target.spec)
        if problem is None and sample == NOTHING:
            problem = f"the answer of {reader.path} has no known figure"
        return Answer(at, problem=problem) if problem else Answer(at, sample)

    async def _forget_others(self, targets: Iterable[Target]) -> None:
        here = {each.instance: each.spec.endpoint for each in targets}
        gone = [self._asked.pop(name) for name in self._asked.keys() - here.keys()]
        tasks = [each.task for each in gone if each.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._connections.close_others(set(here.values()))
