"""Watching a ready engine: a cheap look every few seconds, and a canary when it looks hung."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from sparkwell.core.launch import LaunchSpec
from sparkwell.engines.talk import TALKS, canary_model
from sparkwell.engines.vllm.progress import Progress, read_progress
from sparkwell.supervisor.liveness import Canary, Liveness, Look, Rules, begin, judge
from sparkwell.supervisor.start import session

_LOOK_TIMEOUT_S = 10.0
_COUNTERS: Mapping[str, Callable[[str], Progress | None]] = {"vllm": read_progress}
"""How progress is read from an engine's figures; Ollama has no such figures."""

_FAILURES = (aiohttp.ClientError, OSError, TimeoutError, ValueError)  # ValueError: no UTF-8


@dataclass(frozen=True, slots=True)
class Pulse:
    """Watches one engine from ready on.

    ``serving`` counts the requests that it has now, as those see it who sent them: an engine that
    hangs does not report its own any more. Cancel the watch before the engine is put to sleep or
    stopped.
    """

    spec: LaunchSpec
    serving: Callable[[], int]
    rules: Rules = field(default_factory=Rules)

    async def until_hung(self, heed: Callable[[Liveness], None] = lambda _state: None) -> str:
        """Return when the engine hangs, with the reason; one that ends is not seen here.

        ``heed`` is told what is known after each look.
        """
        clock = asyncio.get_running_loop().time
        state = begin(clock())
        while state.hung is None:
            await asyncio.sleep(self.rules.every_s)
            canary = await self._canary() if state.asks else None
            state = judge(state, await self._look(clock, canary), self.rules)
            heed(state)
        return state.hung

    async def _look(self, clock: Callable[[], float], canary: Canary | None) -> Look:
        healthy, progress = await asyncio.gather(self._is_healthy(), self._progress())
        return Look(
            at_s=clock(),
            healthy=healthy,
            mark=progress.mark if progress else None,
            serving=max(self.serving(), progress.requests if progress else 0),
            canary=canary,
        )

    async def _is_healthy(self) -> bool:
        return await self._get(TALKS[self.spec.engine].health_path) is not None

    async def _progress(self) -> Progress | None:
        read = _COUNTERS.get(self.spec.engine)
        text = await self._get(TALKS[self.spec.engine].figures_path) if read else None
        return read(text) if read and text is not None else None

    async def _get(self, path: str) -> str | None:
        try:
            async with (
                session(self.spec.endpoint, timeout_s=_LOOK_TIMEOUT_S) as client,
                client.get(self.spec.endpoint.url(path)) as response,
            ):
                return await response.text() if response.status == 200 else None
        except _FAILURES:
            return None

    async def _canary(self) -> Canary:
        """Ask for one token."""
        body = {"model": canary_model(self.spec), "prompt": "Hello", "max_tokens": 1}
        try:
            async with (
                session(self.spec.endpoint, timeout_s=self.rules.deadline_s) as client,
                client.post(self.spec.endpoint.url("/v1/completions"), json=body) as response,
            ):
                await response.read()
                return _outcome(response.status)
        except _FAILURES:
            return Canary.MISSED


def _outcome(status: int) -> Canary:
    """Too many requests, or a request that is wrong: the engine's server said so, not its core."""
    if status == 200:
        return Canary.ANSWERED
    return Canary.MISSED if status >= 500 else Canary.REFUSED
