"""Gives the answers: waits its turn, keeps the script's pace, sends whole or in events."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from sparkwell.testing.fake_engine import shapes
from sparkwell.testing.fake_engine.arguments import EngineArguments
from sparkwell.testing.fake_engine.counters import Counters
from sparkwell.testing.fake_engine.generation import Generation, plan
from sparkwell.testing.fake_engine.script import Script

_EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}


class Answering:
    """Generates; ``die`` ends the process in the middle of the request that the script names."""

    def __init__(
        self,
        arguments: EngineArguments,
        script: Script,
        counters: Counters,
        die: Callable[[], None],
    ) -> None:
        self._arguments, self._script = arguments, script
        self._counters, self._die = counters, die
        self._slots = asyncio.Semaphore(arguments.max_num_seqs)
        self._ids = itertools.count(1)

    async def answer(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        """Answer one request, or raise ProblemError."""
        generation = plan(
            await request.read(),
            chat=chat,
            arguments=self._arguments,
            reply_tokens=self._script.reply_tokens,
        )
        request_id = self._request_id(request, chat=chat)
        with self._counters.count(generation):
            async with self._turn():
                if generation.stream:
                    return await self._stream(request, generation, request_id, chat=chat)
                return await self._whole(generation, request_id, chat=chat)

    async def _whole(
        self, generation: Generation, request_id: str, *, chat: bool
    ) -> web.StreamResponse:
        async for _ in self._paced(generation):
            pass
        return web.json_response(shapes.whole(generation, request_id, _now(), chat=chat))

    async def _stream(
        self, request: web.Request, generation: Generation, request_id: str, *, chat: bool
    ) -> web.StreamResponse:
        chunks = shapes.Chunks(generation, request_id, _now(), chat=chat)
        response = web.StreamResponse(headers=_EVENTS)
        await response.prepare(request)
        lead = chunks.first()
        async for token in self._paced(generation):
            await response.write(lead + chunks.token(token))
            lead = b""
        await response.write(lead + b"".join(chunks.last()))
        return response

    async def _paced(self, generation: Generation) -> AsyncIterator[str]:
        """Yield the tokens, each at its time."""
        if self._script.health_ok_but_no_tokens:
            await asyncio.Event().wait()
        doomed = self._is_doomed()
        started = time.monotonic()
        for at, token in enumerate(generation.tokens):
            await asyncio.sleep(max(0.0, started + self._due(at) - time.monotonic()))
            if at == 0:
                self._counters.first_token(generation, time.monotonic() - started)
            self._counters.generation_tokens += 1
            yield token
            if doomed:
                self._die()

    def _due(self, at: int) -> float:
        """When the token of that number comes, in seconds after the request."""
        pace = self._script.tokens_per_s
        return self._script.ttft_s + (at / pace if pace else 0.0)

    def _is_doomed(self) -> bool:
        last = self._script.die_after_requests
        return last is not None and self._counters.requests > last

    def _request_id(self, request: web.Request, *, chat: bool) -> str:
        """As vLLM: from the client's X-Request-Id when there is one."""
        own = request.headers.get("X-Request-Id") or f"{next(self._ids):032x}"
        return f"{'chatcmpl' if chat else 'cmpl'}-{own}"

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Hold one of the --max-num-seqs places in the batch."""
        self._counters.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._counters.waiting -= 1
        self._counters.running += 1
        try:
            yield
        finally:
            self._counters.running -= 1
            self._slots.release()


def _now() -> int:
    return int(time.time())
