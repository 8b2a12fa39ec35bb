"""From launched to ready, against a tiny engine on a Unix socket; and the timeline of it."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.engines.talk import TALKS, Facts
from sparkwell.supervisor.start import LONGEST_SHOWN, StartWatch, Timeline
from sparkwell.testing.memory_driver import MemoryDriver

TOKEN = json.dumps({"usage": {"completion_tokens": 1}})


@dataclass
class Engine:
    """What the tiny engine answers; ``health`` is used up one by one, the last one stays."""

    endpoint: Endpoint
    health: list[int] = field(default_factory=lambda: [200])
    status: int = 200
    text: str = TOKEN
    cut: bool = False
    hangs: bool = False
    metrics: str = "some figures"
    metrics_status: int = 200
    asked: list[object] = field(default_factory=list)
    health_asked: int = 0

    async def answer_health(self, _request: web.Request) -> web.Response:
        self.health_asked += 1
        return web.Response(status=self.health[min(self.health_asked, len(self.health)) - 1])

    async def answer_metrics(self, request: web.Request) -> web.Response:
        if self.hangs:
            await asyncio.Event().wait()
        if self.cut and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self.metrics_status, body=self.metrics.encode("latin-1"))

    async def answer_completion(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        if self.hangs:
            await asyncio.Event().wait()
        if self.cut and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self.status, text=self.text)


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="sw") as folder:  # pytest's own path is too long
        path = str(Path(folder) / "e.sock")
        engine = Engine(Endpoint(uds=path))
        app = web.Application()
        app.router.add_get("/health", engine.answer_health)
        app.router.add_get("/metrics", engine.answer_metrics)
        app.router.add_post("/v1/completions", engine.answer_completion)
        runner = web.AppRunner(app, shutdown_timeout=0.0, handler_cancellation=True)
        await runner.setup()
        await web.UnixSite(runner, path).start()
        yield engine
        await runner.cleanup()


class Start:
    """One start, watched."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.spec = LaunchSpec("i1", "m", "vllm", "1", ("engine",), endpoint)
        self.driver = MemoryDriver()
        self.driver.leave(self.spec)
        self.marks: list[PhaseMark] = []
        self.said: dict[str, str] = {}

    async def watched(self, timeout_s: float = 20.0, canary_timeout_s: float = 20.0) -> None:
        watch = StartWatch(
            self.driver,
            timeout_s=timeout_s,
            canary_timeout_s=canary_timeout_s,
            poll_s=0.005,
            said=self.said,
        )
        await watch.until_ready(self.spec, self.marks.append)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_healthy_and_a_token_is_ready(engine: Engine) -> None:
    start = Start(engine.endpoint)
    await start.watched()
    assert start.marks == [PhaseMark(Phase.CANARY)]
    assert engine.asked == [{"model": "m", "prompt": "Hello", "max_tokens": 1, "temperature": 0}]


async def test_health_is_asked_until_it_is_green(engine: Engine) -> None:
    engine.health = [503, 500, 200]
    await Start(engine.endpoint).watched()
    assert engine.health_asked == 3


async def test_the_log_is_read_meanwhile(engine: Engine) -> None:
    engine.health = [503]
    start = Start(engine.endpoint)
    watching = asyncio.create_task(start.watched())
    await start.driver.say("i1", "Loading safetensors checkpoint shards:  50% Completed | 1/2")
    await start.driver.say("i1", "nothing of interest")
    await start.driver.say("i1", "INFO:     Application startup complete.")
    await until(lambda: len(start.marks) == 2)
    engine.health = [200]
    await watching
    assert start.marks == [
        PhaseMark(Phase.WEIGHTS, 0.5),
        PhaseMark(Phase.WARMUP, 1.0),
        PhaseMark(Phase.CANARY),
    ]


async def test_what_was_said_last_is_known_while_it_starts(engine: Engine) -> None:
    """Where no wording is understood it is all that can be shown."""
    engine.health = [503]
    start = Start(engine.endpoint)
    watching = asyncio.create_task(start.watched())
    await start.driver.say("i1", "a wording of next year's")
    await start.driver.say("i1", "   ")
    await until(lambda: start.said == {"i1": "a wording of next year's"})
    await start.driver.say("i1", "x" * 1000)
    await until(lambda: start.said == {"i1": "x" * LONGEST_SHOWN})
    assert start.marks == []
    engine.health = [200]
    await watching
    assert start.said == {}


async def test_nobody_reads_the_log_afterwards(engine: Engine) -> None:
    start = Start(engine.endpoint)
    await start.watched()
    await start.driver.say("i1", "INFO:     Application startup complete.")
    for _ in range(10):
        await asyncio.sleep(0)
    assert start.marks == [PhaseMark(Phase.CANARY)]


async def fault(engine: Engine, timeout_s: float = 20.0, canary_timeout_s: float = 20.0) -> str:
    with pytest.raises(EnvironmentFault) as caught:
        await Start(engine.endpoint).watched(timeout_s, canary_timeout_s)
    return caught.value.message


async def test_healthy_but_without_a_token(engine: Engine) -> None:
    engine.text = json.dumps({"usage": {"completion_tokens": 0}})
    assert await fault(engine) == "the engine answered the first request without a token"


async def test_healthy_but_refusing(engine: Engine) -> None:
    engine.status, engine.text = 500, "CUDA error" + 1000 * "!"
    message = await fault(engine)
    assert message.startswith("the engine refused the first request (500): CUDA error!")
    assert len(message) < 400


@pytest.mark.parametrize(
    "text", ["", "OK", "[]", "{}", '{"usage": null}', '{"usage": {"completion_tokens": null}}']
)
async def test_healthy_but_talking_nonsense(engine: Engine, text: str) -> None:
    engine.text = text
    assert await fault(engine) == (
        f"the engine answered the first request with something else: {text}"
    )


async def test_healthy_but_breaking_off(engine: Engine) -> None:
    engine.cut = True
    assert "the engine broke off the first request" in await fault(engine)


async def test_healthy_but_silent(engine: Engine) -> None:
    engine.hangs = True
    assert "healthy, but generated nothing within" in await fault(engine, canary_timeout_s=0.05)


async def test_never_healthy(engine: Engine) -> None:
    engine.health = [503]
    message = await fault(engine, timeout_s=0.1)
    assert message == "it was not ready within 0 s (setting start_timeout_s)"
    assert engine.asked == []


async def test_the_time_is_over_during_the_first_token(engine: Engine) -> None:
    engine.hangs = True
    assert "was not ready within" in await fault(engine, timeout_s=0.1)


async def test_nobody_listens_yet(tmp_path: Path) -> None:
    missing = Endpoint(uds=str(tmp_path / "no.sock"))
    with pytest.raises(EnvironmentFault, match="was not ready within"):
        await Start(missing).watched(timeout_s=0.05)


async def test_a_cancelled_watch_leaves_no_reader(engine: Engine) -> None:
    engine.health = [503]
    start = Start(engine.endpoint)
    watching = asyncio.create_task(start.watched())
    await until(lambda: engine.health_asked > 0)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert watching.cancelled()
    names = [task.get_coro() for task in asyncio.all_tasks()]
    assert not [one for one in names if "_read_log" in repr(one)]


# ── metrics ─────────────────────────────────────────────────────────────────────────────────


async def figures(endpoint: Endpoint, timeout_s: float = 20.0) -> Facts:
    talk = replace(TALKS["vllm"], read_figures=lambda text, _spec: (("letters", len(text)),))
    watch = StartWatch(MemoryDriver(), {"vllm": talk}, metrics_timeout_s=timeout_s)
    return await watch.figures(LaunchSpec("i1", "m", "vllm", "1", ("engine",), endpoint))


async def test_metrics_are_read(engine: Engine) -> None:
    assert await figures(engine.endpoint) == (("letters", 12),)


async def test_metrics_that_cannot_be_had_are_no_figures(engine: Engine, tmp_path: Path) -> None:
    assert await figures(Endpoint(uds=str(tmp_path / "no.sock"))) == ()
    engine.metrics = "\xff no UTF-8"
    assert await figures(engine.endpoint) == ()
    engine.metrics_status = 404
    assert await figures(engine.endpoint) == ()
    engine.cut = True
    assert await figures(engine.endpoint) == ()


async def test_metrics_that_do_not_come_are_not_waited_for_long(engine: Engine) -> None:
    engine.hangs = True
    async with asyncio.timeout(5):
        assert await figures(engine.endpoint, timeout_s=0.05) == ()


# ── timeline ────────────────────────────────────────────────────────────────────────────────


def test_a_timeline_from_launch_to_ready() -> None:
    timeline = Timeline()
    for phase, at in [(Phase.LAUNCH, 10.0), (Phase.WEIGHTS, 12.0), (Phase.WEIGHTS, 13.0)]:
        timeline.enter(phase, at)
    assert (timeline.complete, timeline.total_s) == (False, None)
    timeline.enter(Phase.READY, 20.0)
    assert (timeline.complete, timeline.total_s) == (True, 10.0)
    assert timeline.durations == {Phase.LAUNCH: 2.0, Phase.WEIGHTS: 8.0}


def test_a_timeline_that_was_not_observed_is_never_complete() -> None:
    timeline = Timeline(observed=False, entered={Phase.LAUNCH: 1.0, Phase.READY: 2.0})
    assert not timeline.complete
    assert timeline.total_s is None


def test_a_later_figure_of_the_same_name_wins() -> None:
    timeline = Timeline()
    timeline.learn([("weights_gib", 1.0), ("load_s", 2.0)])
    timeline.learn([("weights_gib", 3.0)])
    assert timeline.facts == {"weights_gib": 3.0, "load_s": 2.0}


def test_an_empty_timeline() -> None:
    assert Timeline().durations == {}
    assert Timeline().total_s is None
