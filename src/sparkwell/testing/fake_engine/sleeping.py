"""vLLM's sleep mode, as its development server has it: fall asleep, wake, load weights again.

Without ``--enable-sleep-mode`` an engine sleeps too, but gives nothing back (vLLM 0.25). While it
sleeps requests wait (since 0.17; with an older one they find no weights and crash it).
"""

import asyncio
import json

from aiohttp import web

from sparkwell.testing.fake_engine.counters import Counters
from sparkwell.testing.fake_engine.problems import ProblemError
from sparkwell.testing.fake_engine.process import Process
from sparkwell.testing.fake_engine.script import Script

_TAGS = frozenset({"weights", "kv_cache"})
_TELLS_SINCE = (0, 32)  # older ones answer with an empty body


class Sleeping:
    """Which parts of the engine sleep.

    ``frees`` says whether sleeping gives memory back. ``garbled``: the weights were dropped and
    not loaded again, so that what is generated makes no sense.
    """

    def __init__(
        self,
        script: Script,
        version: str,
        counters: Counters,
        process: Process,
        *,
        frees: bool,
    ) -> None:
        self._script, self._counters = script, counters
        self._memory, self._kill_core = process.memory, process.kill_core
        self._frees = frees
        self._tells = tuple(int(part) for part in version.split(".")[:2]) >= _TELLS_SINCE
        self._asleep: set[str] = set()
        self._awake = asyncio.Event()
        self._awake.set()
        self.garbled = False

    def routes(self) -> list[web.RouteDef]:
        """The routes of the development server."""
        return [
            web.post("/sleep", self.sleep),
            web.post("/wake_up", self.wake_up),
            web.get("/is_sleeping", self.is_sleeping),
            web.post("/collective_rpc", self.collective_rpc),
        ]

    @property
    def asleep(self) -> bool:
        """Whether any part of the engine sleeps: it generates nothing then."""
        return bool(self._asleep)

    async def until_awake(self) -> None:
        """Wait, as a request does that comes while the engine sleeps."""
        await self._awake.wait()

    async def sleep(self, request: web.Request) -> web.Response:
        """POST /sleep: what runs is aborted."""
        level = request.query.get("level", "1")
        if level not in ("1", "2"):  # vLLM's level 0 only pauses
            raise ProblemError(400, f"the fake engine knows no sleep of level {level}")
        self._awake.clear()
        self._asleep |= _TAGS
        self._counters.sleep_level = int(level)
        await asyncio.sleep(self._script.sleep_s)
        if self._frees:
            await self._memory.fall_asleep()
        self.garbled = self.garbled or level == "2"
        return self._tell({"status": "sleeping", "level": int(level)})

    async def wake_up(self, request: web.Request) -> web.Response:
        """POST /wake_up, all of it or what ``tags`` name."""
        tags = set(request.query.getall("tags", [])) or set(self._asleep)
        if self._script.wake_fails:
            self._kill_core()
            raise ProblemError(500, "EngineCore encountered an issue.", "InternalServerError")
        await asyncio.sleep(self._script.wake_s)
        if "weights" in tags and self._frees:
            await self._memory.wake()
        self._asleep -= tags
        if not self._asleep:
            self._counters.sleep_level = 0
            self._awake.set()
        status = "sleeping" if self._asleep else "awake"
        return self._tell({"status": status, "tags": request.query.getall("tags", None)})

    async def is_sleeping(self, _: web.Request) -> web.Response:
        """GET /is_sleeping."""
        return web.json_response({"is_sleeping": self.asleep})

    async def collective_rpc(self, request: web.Request) -> web.Response:
        """POST /collective_rpc: the one method that is known loads the weights again."""
        method = json.loads(await request.read() or b"{}").get("method")
        if method is None:
            raise ProblemError(400, "Missing 'method' in request body")
        if method != "reload_weights" or "weights" in self._asleep:
            raise ProblemError(500, f"Call to {method} failed", "InternalServerError")
        await asyncio.sleep(self._script.reload_s)
        self.garbled = False
        return web.json_response({"results": [None]})

    def _tell(self, document: dict[str, object]) -> web.Response:
        return web.json_response(document) if self._tells else web.Response()
