"""How much memory EngineCore holds: by phase of the start, leaking while it serves, asleep."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

from sparkwell.core.phases import Phase
from sparkwell.testing.fake_engine.core_process import EngineCore
from sparkwell.testing.fake_engine.script import Script

_LEAK_EVERY_S = 0.1


class Memory:
    """What is held now. ``core`` is set as soon as EngineCore runs."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._base_mib = self._leaked_mib = 0
        self.core: EngineCore | None = None

    def by_phase(self) -> Mapping[Phase, Callable[[], None]]:
        """What to do when a phase begins; graphs are left out of some starts."""
        usual = partial(self.hold, self._script.hold_mib)
        trial = partial(self.hold, self._script.hold_mib + self._script.spike_mib)
        return {
            Phase.WEIGHTS: usual,
            Phase.PROFILE: trial,
            Phase.GRAPHS: usual,
            Phase.WARMUP: usual,
        }

    def hold(self, mib: int) -> None:
        """Hold this much, and what has leaked; returns when it is so."""
        self._base_mib = mib
        if self.core and self._script.holds_memory:
            self.core.hold(mib + self._leaked_mib)

    async def fall_asleep(self) -> None:
        """Give back what a sleeping engine does not hold."""
        await asyncio.to_thread(self.hold, self._script.asleep_mib)

    async def wake(self) -> None:
        """Hold again what an engine holds that serves."""
        await asyncio.to_thread(self.hold, self._script.hold_mib)

    async def leak(self) -> None:
        """Take more and more, up to the script's bound."""
        began, most = time.monotonic(), self._script.leak_most_mib
        while self._leaked_mib < most and self._script.leak_mib_per_s:
            await asyncio.sleep(_LEAK_EVERY_S)
            grown = int((time.monotonic() - began) * self._script.leak_mib_per_s)
            self._leaked_mib = min(most, grown)
            await asyncio.to_thread(self.hold, self._base_mib)
