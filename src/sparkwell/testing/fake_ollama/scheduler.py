"""The fake's memory: runners by file, with timers, as Ollama's scheduler keeps them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sparkwell.core.units import GIB
from sparkwell.testing.fake_ollama.arguments import FakeArguments
from sparkwell.testing.fake_ollama.durations import FOREVER_S
from sparkwell.testing.fake_ollama.library import FakeModel

RUNNER_DIED = "llama runner process has terminated: exit status 2"


class LoadError(Exception):
    """Why a model cannot be loaded, in Ollama's words."""


@dataclass(slots=True)
class Runner:
    """A model in memory. ``model`` is the name that loaded it first."""

    model: FakeModel
    num_ctx: int
    held_bytes: int
    keep_s: float
    requests: int = 0
    expires_at: datetime | None = None  # None while it loads or works
    timer: asyncio.TimerHandle | None = None

    @property
    def until(self) -> datetime:
        """When it will go, as /api/ps says it."""
        return self.expires_at or _in(self.keep_s)

    def unset(self) -> None:
        """Stop its timer."""
        if self.timer:
            self.timer.cancel()
        self.timer = self.expires_at = None


class Scheduler:
    """Loads one model at a time; the others wait for it, as there."""

    def __init__(self, arguments: FakeArguments) -> None:
        self._arguments = arguments
        self._runners: dict[str, Runner] = {}
        self._turn = asyncio.Lock()
        self.loads: list[str] = []

    def __iter__(self) -> Iterator[Runner]:
        return iter(self._runners.values())

    @property
    def held_bytes(self) -> int:
        """What all of them take."""
        return sum(each.held_bytes for each in self)

    @asynccontextmanager
    async def use(
        self, model: FakeModel, num_ctx: int | None, keep_s: float | None
    ) -> AsyncIterator[Runner]:
        """Hold a runner for one request, loading the model first if need be.

        None means the model's or the server's own context, and that its time is left as it is.
        Raises LoadError.
        """
        async with self._turn:
            runner = await self._runner(model, num_ctx, keep_s)
        with self._busy(runner):
            yield runner

    def unload(self, model: FakeModel) -> None:
        """Let it go when its requests have ended."""
        runner = self._runners.get(model.blob)
        if runner:
            runner.keep_s = 0.0
            self._rest(runner)

    async def _runner(self, model: FakeModel, num_ctx: int | None, keep_s: float | None) -> Runner:
        context = min(self._context(model, num_ctx), model.longest_context)
        runner = self._runners.get(model.blob)
        if runner and runner.num_ctx != context:  # loaded again
            await self._gone(runner)
            runner = None
        if runner is None:
            return await self._load(model, context, keep_s)
        runner.unset()
        if keep_s is not None:
            runner.keep_s = keep_s
        return runner

    def _context(self, model: FakeModel, asked: int | None) -> int:
        return asked or model.own_context or self._arguments.num_ctx

    async def _load(self, model: FakeModel, context: int, keep_s: float | None) -> Runner:
        held = model.held_bytes(context * self._arguments.parallel)
        await self._make_room(held)
        kept = self._arguments.keep_alive_s if keep_s is None else keep_s
        runner = self._runners[model.blob] = Runner(model, context, held, kept)
        self.loads.append(f"{model.name.short}@{context}")
        try:
            await asyncio.sleep(self._arguments.load_s)
            if self._arguments.fail_load == "runner":
                raise LoadError(RUNNER_DIED)
        except BaseException:  # a client that leaves ends the load
            self._drop(runner)
            raise
        return runner

    async def _make_room(self, held: int) -> None:
        """Push out who is idle; the pinned too. Then it fits, or is refused."""
        limit = 0 if self._arguments.fail_load == "memory" else self._arguments.memory_bytes
        while self._runners and (
            self.held_bytes + held > limit or len(self._runners) >= self._arguments.most_loaded
        ):
            await self._gone(min(self, key=lambda each: each.keep_s))
        if held > limit:
            raise LoadError(
                f"model requires more system memory ({held / GIB:.1f} GiB) than is available "
                f"({limit / GIB:.1f} GiB)"
            )

    async def _gone(self, runner: Runner) -> None:
        """Wait until it is idle, and let it go."""
        runner.keep_s = 0.0
        self._rest(runner)
        while self._runners.get(runner.model.blob) is runner:  # noqa: ASYNC110 - requests of others
            await asyncio.sleep(0.005)

    @contextmanager
    def _busy(self, runner: Runner) -> Iterator[None]:
        runner.requests += 1
        runner.unset()
        try:
            yield
        finally:
            runner.requests -= 1
            self._rest(runner)

    def _rest(self, runner: Runner) -> None:
        """Set its timer, if nothing is asked of it now."""
        runner.unset()
        if runner.requests:
            return
        if runner.keep_s <= 0:
            self._drop(runner)
            return
        runner.expires_at = _in(runner.keep_s)
        if runner.keep_s < FOREVER_S:
            loop = asyncio.get_running_loop()
            runner.timer = loop.call_later(runner.keep_s, self._drop, runner)

    def _drop(self, runner: Runner) -> None:
        runner.unset()
        if self._runners.get(runner.model.blob) is runner:
            del self._runners[runner.model.blob]


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
