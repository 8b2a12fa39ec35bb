"""Gives the answers: waits its turn, keeps the script's pace, sends whole or in events."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.asked import Json, parsed
from sparkwell.testing.fake_engine.counters import Counters
from sparkwell.testing.fake_engine.dialects import Dialect, Speech
from sparkwell.testing.fake_engine.dialects.pooling import Computed
from sparkwell.testing.fake_engine.generation import (
    Generation,
    count_words,
    known_model,
    plan,
)
from sparkwell.testing.fake_engine.hanging import Hang
from sparkwell.testing.fake_engine.script import Script
from sparkwell.testing.fake_engine.sleeping import Sleeping

_EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}


class Answering:
    """Generates, unless the engine sleeps or hangs, and dies where the script says so."""

    def __init__(
        self,
        arguments: EngineArguments,
        script: Script,
        counters: Counters,
        die: Callable[[], None],
        hang: Hang,
        sleeping: Sleeping,
    ) -> None:
        self._arguments, self._script = arguments, script
        self._counters, self._die = counters, die
        self._hang, self._sleeping = hang, sleeping
        self._slots = asyncio.Semaphore(arguments.max_num_seqs)
        self._ids = itertools.count(1)

    async def answer(self, request: web.Request, dialect: Dialect) -> web.StreamResponse:
        """Answer one request, or raise ProblemError."""
        asked = parsed(await request.read())
        generation = self.plan(asked, dialect)
        request_id = self.new_id(dialect, request.headers.get("X-Request-Id"))
        speech = dialect.speech(generation, request_id, int(time.time()), asked)
        if generation.stream:
            return await self._stream(request, generation, speech)
        return web.json_response(speech.whole(await self.generate(generation)))

    async def compute(
        self, request: web.Request, prefix: str, function: Callable[[Json], Computed]
    ) -> web.StreamResponse:
        """Answer with what a function computes, after the time of a first token."""
        asked = parsed(await request.read())
        model = known_model(asked.get("model"), self._arguments)
        texts, document = function(asked)
        count = count_words(texts)
        await self.generate(Generation(model, count, ("",), "stop", False, False))
        usage = {"prompt_tokens": count, "total_tokens": count}
        head = {"id": f"{prefix}{next(self._ids):032x}", "created": int(time.time())}
        return web.json_response({**head, **document, "model": model, "usage": usage})

    def plan(self, asked: Json, dialect: Dialect) -> Generation:
        """Decide what to answer, or raise ProblemError."""
        reply_tokens = self._script.reply_tokens
        return plan(dialect.asked(asked), arguments=self._arguments, reply_tokens=reply_tokens)

    def new_id(self, dialect: Dialect, own: str | None = None) -> str:
        """As vLLM: from the client's X-Request-Id when there is one."""
        return f"{dialect.prefix}{own or f'{next(self._ids):032x}'}"

    async def generate(self, generation: Generation) -> Generation:
        """Take a turn, and the time that it takes; what was given in the end."""
        with self._counters.count(generation):
            async with self._turn():
                return generation.given([token async for token in self._paced(generation)])

    async def _stream(
        self, request: web.Request, generation: Generation, speech: Speech
    ) -> web.StreamResponse:
        given = list[str]()
        response = web.StreamResponse(headers=_EVENTS)
        with self._counters.count(generation):
            async with self._turn():
                await response.prepare(request)
                lead = speech.first()
                async for token in self._paced(generation):
                    await response.write(lead + speech.token(token))
                    given.append(token)
                    lead = b""
                await response.write(lead + b"".join(speech.last(generation.given(given))))
        return response

    async def _paced(self, generation: Generation) -> AsyncIterator[str]:
        """Yield the tokens, each at its time; fewer when the engine is put to sleep meanwhile."""
        doomed = self._is_past(self._script.die_after_requests)
        hangs = self._is_past(self._script.hang_after_requests)
        started = time.monotonic()
        for at, token in enumerate(generation.tokens):
            await self._until(started + self._due(at))
            if self._sleeping.asleep:
                return
            if at == 0:
                self._counters.first_token(generation, time.monotonic() - started)
            self._counters.generation_tokens += 1
            yield "!" if self._sleeping.garbled else token
            if doomed:
                self._die()
            if hangs:
                self._hang.begin()

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - time.monotonic()))
        await self._hang.pass_by()

    def _due(self, at: int) -> float:
        """When the token of that number comes, in seconds after the request."""
        pace = self._script.tokens_per_s
        return self._script.ttft_s + (at / pace if pace else 0.0)

    def _is_past(self, last: int | None) -> bool:
        return last is not None and self._counters.requests > last

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold one of the --max-num-seqs places in the batch."""
        self._counters.waiting += 1
        try:
            await self._sleeping.until_awake()
            await self._slots.acquire()
        finally:
            self._counters.waiting -= 1
        self._counters.running += 1
        try:
            yield
        finally:
            self._counters.running -= 1
            self._slots.release()
