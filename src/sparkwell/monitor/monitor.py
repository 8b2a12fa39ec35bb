"""The loop that samples engines and machine, derives what that means, and keeps it.

every 5 s (1 s while somebody watches)
engines ── all at once ──► samples ──► readings ──► now(), rounds()
machine ── in a thread ──►    │
                              └── every 5 s, in a thread ──► series
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Protocol

from sparkwell.hardware.samples import MachineSample
from sparkwell.monitor.aside import Aside, StuckError
from sparkwell.monitor.complaints import Complaints
from sparkwell.monitor.overview import GatewayCounts, Overview, Target, points_of, power_w
from sparkwell.monitor.readers import READERS, EngineReader
from sparkwell.monitor.readings import Reading
from sparkwell.monitor.scraping import Answer, Scraper
from sparkwell.monitor.track import Track
from sparkwell.store.series_lines import Lines
from sparkwell.store.series_names import Point

_MACHINE_S = 2.0
_STORING_S = 1.0
_GAP_ROUNDS = 4


class Keeper(Protocol):
    """Where the history is kept: ``store.series.Series``."""

    def add(self, at: float, points: Sequence[Point]) -> None:
        """Keep one round."""
        ...

    def history(
        self, who: str | None, names: Sequence[str], since: float, until: float, points: int
    ) -> Lines:
        """What was kept."""
        ...


class Monitor:
    """Samples ``targets`` and the ``machine`` while ``run`` runs.

    ``targets`` is called each round, and gives the engines that are worth asking: none that
    sleeps. ``machine`` is called in a thread, one call at a time; ``gateway`` on the event loop.
    ``clock`` is monotonic, for rates; ``now`` is Unix time, for what is stored. Both in seconds.
    ``count`` is how many rounds there were.
    """

    def __init__(
        self,
        targets: Callable[[], Sequence[Target]],
        machine: Callable[[], MachineSample],
        series: Keeper,
        *,
        gateway: Callable[[], GatewayCounts] = GatewayCounts,
        interval_s: float = 5.0,
        watched_interval_s: float = 1.0,
        readers: Mapping[str, EngineReader] = READERS,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._targets, self._machine, self._gateway = targets, machine, gateway
        self._series = series
        self._interval_s, self._watched_interval_s = interval_s, watched_interval_s
        self._clock, self._now = clock, now
        self._scraper = Scraper(readers, clock)
        self._sampling: Aside[MachineSample] = Aside("sample-machine")
        self._storing: Aside[None] = Aside("store-figures")
        self._complaints = Complaints()
        self._tracks: dict[str, Track] = {}
        self._counted: tuple[float, GatewayCounts] | None = None
        self._overview, self._overview_at = Overview(), clock()
        self._stored_at: float | None = None
        self._watchers = 0
        self._woken, self._changed = asyncio.Event(), asyncio.Event()
        self.count, self._closed = 0, False

    # ── for those who look ──────────────────────────────────────────────────────────────────

    def now(self) -> Overview:
        """The newest round, and how old it is."""
        if self._overview.at is None:
            return self._overview
        return replace(self._overview, age_s=max(0.0, self._clock() - self._overview_at))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Somebody watches: rounds come at the shorter interval, the first one at once."""
        self._watchers += 1
        self._woken.set()
        try:
            yield
        finally:
            self._watchers -= 1

    async def rounds(self) -> AsyncGenerator[Overview, None]:
        """The newest round, then each new one, until the monitor ends. Counts as watching.

        Who is slow misses rounds, and delays nobody. Close it (``aclosing``) when done.
        """
        seen = 0
        with self.watched():
            while not self._closed:
                changed = self._changed
                if self.count == seen:
                    await changed.wait()
                else:
                    seen = self.count
                    yield self.now()

    async def history(
        self, who: str | None, names: Sequence[str], since: float, until: float, points: int = 300
    ) -> Lines:
        """As ``Series.history``, in a thread."""
        return await asyncio.to_thread(self._series.history, who, names, since, until, points)

    # ── the loop ────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Sample until cancelled. What goes wrong in one round is logged, and does not end it."""
        try:
            while True:
                began = self._clock()
                try:
                    await self.round()
                    self._complaints.say("monitor", None)
                except Exception as error:
                    self._complaints.say("monitor", repr(error), error)
                await self._pause(began)
        finally:
            await self.close()

    async def close(self) -> None:
        """End what ``rounds`` gives, and close the connections."""
        self._closed = True
        self._changed.set()
        await self._scraper.close()

    async def round(self) -> Overview:
        """Sample everything once."""
        targets = self._targets()
        answers, machine = await asyncio.gather(self._scraper.ask(targets), self._machine_now())
        self._take(targets, answers)
        at = self._clock()
        power = power_w(machine.gpus)
        requests_per_s, waiting = self._count(at)
        self._overview = Overview(
            at=self._now(),
            machine=machine,
            readings=self._readings(targets, answers, power),
            models={each.instance: each.model for each in targets},
            gateway_requests_per_s=requests_per_s,
            gateway_waiting=waiting,
        )
        self._overview_at = at
        self._tell()
        await self._store(targets, answers, power)
        return self.now()

    async def _pause(self, began: float) -> None:
        while (left := began + self._current_interval_s - self._clock()) > 0:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._woken.wait()

    @property
    def _current_interval_s(self) -> float:
        if self._watchers:
            return min(self._interval_s, self._watched_interval_s)
        return self._interval_s

    def _tell(self) -> None:
        self.count += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    # ── one round ───────────────────────────────────────────────────────────────────────────

    async def _machine_now(self) -> MachineSample:
        try:
            sample = await self._sampling.call(self._machine, _MACHINE_S)
        except StuckError:
            self._complaints.say("machine", f"gave no figures within {_MACHINE_S:.0f} s")
            return MachineSample()
        except Exception as error:
            self._complaints.say("machine", repr(error), error)
            return MachineSample()
        self._complaints.say("machine", None)
        return sample

    def _take(self, targets: Sequence[Target], answers: Mapping[str, Answer]) -> None:
        """Give each sample to its track; forget the tracks of instances that have gone."""
        for each in targets:
            answer = answers[each.instance]
            self._complaints.say(f"figures of {each.instance}", answer.problem)
            if answer.sample is not None:
                track = self._tracks.setdefault(
                    each.instance, Track(gap_s=_GAP_ROUNDS * self._interval_s)
                )
                track.add(answer.at, answer.sample)
        here = {each.instance for each in targets}
        self._tracks = {name: track for name, track in self._tracks.items() if name in here}
        self._complaints.forget_others(
            {"monitor", "machine", "history"} | {f"figures of {each}" for each in here}
        )

    def _readings(
        self,
        targets: Sequence[Target],
        answers: Mapping[str, Answer],
        power: float | None,
        *,
        stored: bool = False,
    ) -> dict[str, Reading]:
        """By instance; power counts for the one that generated, if all others surely did not."""
        wrote = {
            name: self._tracks[name].generated(stored=stored) if answer.sample else None
            for name, answer in answers.items()
        }
        found: dict[str, Reading] = {}
        for each in targets:
            name, problem = each.instance, answers[each.instance].problem
            alone = all(wrote[other] is False for other in wrote if other != name)
            track = self._tracks.get(name)
            if problem or track is None:  # without either it was asked, and has not answered yet
                found[name] = Reading(problem=problem)
                continue
            found[name] = track.reading(
                stored=stored, power_w=power if alone else None, planned=each.planned
            )
        return found

    def _count(self, at: float) -> tuple[float | None, float | None]:
        """Requests a second at the gateway since the last round, and those that wait."""
        before, counts = self._counted, self._gateway()
        self._counted = (at, counts)
        if before is None or counts.requests is None or before[1].requests is None:
            return None, counts.waiting
        grown, elapsed = counts.requests - before[1].requests, at - before[0]
        return (grown / elapsed if grown >= 0 and elapsed > 0 else None), counts.waiting

    async def _store(
        self, targets: Sequence[Target], answers: Mapping[str, Answer], power: float | None
    ) -> None:
        """Keep the time since the last storing as one round, however often it was sampled."""
        at = self._overview_at
        if self._stored_at is not None and at - self._stored_at < 0.9 * self._interval_s:
            return
        self._stored_at = at
        readings = self._readings(targets, answers, power, stored=True)
        for track in self._tracks.values():
            track.keep()
        overview = self._overview
        points, moment = points_of(overview, readings), overview.at or 0.0
        try:
            await self._storing.call(lambda: self._series.add(moment, points), _STORING_S)
        except StuckError:
            self._complaints.say("history", "the disk is slow; figures are not kept meanwhile")
        except Exception as error:
            self._complaints.say("history", repr(error), error)
        else:
            self._complaints.say("history", None)
