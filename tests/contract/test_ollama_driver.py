"""What a driver promises, kept for a model in a server: against the fake run as a process."""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sparkwell.catalog.ollama import parse_ollama
from sparkwell.core.errors import ConflictError, EnvironmentFault, UnknownModelError, UsageError
from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.core.protocols import Driver
from sparkwell.drivers.ollama import OllamaDriver
from sparkwell.drivers.ollama.fetch import OnShare, Serve
from sparkwell.engines.ollama import is_ready, ollama_spec, read_error, read_line
from sparkwell.supervisor.start import StartWatch
from sparkwell.testing.fake_ollama.running import RunningOllama, free_port, running_ollama

from .conftest import DEADLINE_S, eventually

MODELS = ("--models", "qwen3:8b=5GB", "gemma3=3GB", "--library", "llama3.2=2GB")
CTX = 8192
NAME = "sparkwell/qwen3:8b-ctx8192"
_numbers = itertools.count(1)


class Bench:
    """A server, and a driver that loads into it."""

    def __init__(self, server: RunningOllama, root: Path) -> None:
        self.server, self.root = server, root
        self.driver = self.make()

    def make(self, serve: Serve | None = None) -> OllamaDriver:
        port = self.server.port
        return OllamaDriver(self.root, port=port, serve=serve, poll_s=0.05, unload_s=1.0)

    def spec(self, model: str = "qwen3:8b") -> LaunchSpec:
        instance = f"o{os.getpid()}-{next(_numbers)}"
        endpoint = self.driver.endpoint(instance)
        return ollama_spec(parse_ollama(model), instance, endpoint, num_ctx=CTX)

    async def start(self, model: str = "qwen3:8b") -> Running:
        """Start and see it loaded."""
        running = await self.driver.start(self.spec(model))
        await self.line(running.spec.instance, "loaded ")
        return running

    async def line(self, instance: str, beginning: str) -> str:
        async with asyncio.timeout(DEADLINE_S):
            lines = self.driver.follow(instance)
            async for line in lines:
                if line.startswith(beginning):
                    await lines.aclose()  # type: ignore[attr-defined]
                    return line
        raise AssertionError(f"{beginning!r} was not said")

    async def lines(self, instance: str) -> list[str]:
        async with asyncio.timeout(DEADLINE_S):
            return [line async for line in self.driver.follow(instance)]

    async def end(self, running: Running) -> str:
        """Wait for an end that nobody asked for; the last line says why."""
        async with asyncio.timeout(DEADLINE_S):
            record = await self.driver.wait(running.spec.instance)
        assert not record.requested
        assert record.code != 0
        return record.last_lines[-1]

    async def ask(self, path: str, body: object = None) -> object:
        return await asyncio.to_thread(self.server.ask, path, body)


Begin = Callable[..., Bench]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Starts a server with more flags; ends it and what its drivers do."""
    benches: list[Bench] = []
    with contextlib.ExitStack() as servers:

        def one(*flags: str, **env: str) -> Bench:
            context = running_ollama(tmp_path, *MODELS, *flags, env=env)
            bench = Bench(servers.enter_context(context), tmp_path / "i")
            benches.append(bench)
            return bench

        yield one
        for bench in benches:
            await bench.driver.close()


@pytest.fixture
def bench(begin: Begin) -> Bench:
    return begin()


# ── start ───────────────────────────────────────────────────────────────────────────────────


async def test_a_model_is_loaded_with_its_context_and_stays(bench: Bench) -> None:
    driver: Driver = bench.driver
    before = time.time()
    running = await bench.start()
    assert (running.pid, running.start_ticks) == (None, None)
    assert before - 1 <= running.started_at <= time.time()
    assert running.spec.engine_version == "0.12.6"
    loaded = bench.server.loaded()[NAME]
    assert loaded["context_length"] == CTX
    assert loaded["expires_at"].startswith("23")  # the year
    assert await driver.running() == [running]
    await driver.stop(running.spec.instance)


async def test_requests_of_openais_kind_do_not_load_it_again(bench: Bench) -> None:
    """Their own context is the server's default, 262,144: the name has its own."""
    running = await bench.start()
    body = {"model": running.spec.served_model, "prompt": "Hello", "max_tokens": 1}
    await bench.ask("/v1/completions", body)
    assert bench.server.ask("/fake/state")["loads"] == [f"{NAME}@{CTX}"]
    assert bench.server.loaded()[NAME]["expires_at"].startswith("23")


async def test_a_missing_model_is_pulled_and_its_log_tells_how_far_it_is(begin: Begin) -> None:
    bench = begin("--pull-s", "0.3", "--load-s", "0.1")
    running = await bench.start("llama3.2")
    await bench.driver.stop(running.spec.instance)
    marks = [read_line(line) for line in await bench.lines(running.spec.instance)]
    known = [mark for mark in marks if mark]
    shares = [mark.fraction or 0.0 for mark in known if mark.phase is Phase.DOWNLOAD]
    assert shares[0] == 0.0
    assert shares[1:] == sorted(shares[1:])
    assert shares[-1] == 1.0
    assert len(shares) > 10
    weights = [mark for mark in known if mark.phase is Phase.WEIGHTS]
    assert [mark.fraction for mark in weights] == [0.0, 1.0]
    facts = dict(weights[1].facts)
    assert facts["max_model_len"] == CTX
    assert facts["held_gib"] == pytest.approx(1.89, abs=0.05)


async def test_a_start_returns_before_the_model_is_there(begin: Begin) -> None:
    bench = begin("--load-s", "0.5")
    spec = bench.spec()
    await bench.driver.start(spec)
    await bench.line(spec.instance, "loading")
    body = await asyncio.to_thread(bench.server.ask, "/api/ps")
    assert not is_ready(json.dumps(body), spec)
    assert [one.spec.instance for one in await bench.driver.running()] == [spec.instance]
    await bench.line(spec.instance, "loaded")
    body = await asyncio.to_thread(bench.server.ask, "/api/ps")
    assert is_ready(json.dumps(body), spec)


async def test_a_start_is_watched_to_its_first_token(begin: Begin) -> None:
    """The canary is asked for when the model is loaded, and does not load it again."""
    bench = begin("--load-s", "0.3")
    running = await bench.driver.start(bench.spec())
    marks: list[PhaseMark] = []
    watch = StartWatch(bench.driver, timeout_s=DEADLINE_S, poll_s=0.02)
    await watch.until_ready(running.spec, marks.append)
    assert marks[0] == PhaseMark(Phase.WEIGHTS, 0.0)
    assert Phase.CANARY in {mark.phase for mark in marks}
    assert bench.server.ask("/fake/state")["loads"] == [f"{NAME}@{CTX}"]
    facts = dict(await watch.figures(running.spec))
    assert facts["max_model_len"] == CTX
    assert facts["held_bytes"] == bench.server.ask("/fake/state")["held_bytes"]


@pytest.mark.parametrize("turns", range(4))
async def test_a_follower_that_goes_away_as_something_happens_is_gone(
    bench: Bench, turns: int
) -> None:
    """Python 3.11's wait_for swallowed that cancellation; a start then never ended."""
    running = await bench.start()
    instance = running.spec.instance
    ending = asyncio.create_task(bench.driver.wait(instance))
    await eventually(lambda: bench.driver._ended[instance]._waiters)
    bench.driver._wake(instance)
    for _ in range(turns):
        await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(DEADLINE_S):
            await ending
    await bench.driver.stop(instance)


async def test_what_is_fetched_before_needs_no_pull(begin: Begin) -> None:
    bench = begin("--pull-s", "0.1")
    marks: list[PhaseMark] = []
    await bench.driver.fetch("ollama/llama3.2", marks.append)
    assert {mark.phase for mark in marks} == {Phase.DOWNLOAD}
    assert marks[-1].fraction == 1.0
    running = await bench.start("llama3.2")
    lines = await asyncio.to_thread(Path(bench.driver.log_path(running.spec.instance)).read_text)
    assert "pulling" not in lines
    assert bench.server.ask("/fake/state")["pulls"] == ["llama3.2"]


async def test_a_server_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    driver = OllamaDriver(tmp_path, port=free_port())
    endpoint = driver.endpoint("x")
    spec = ollama_spec(parse_ollama("qwen3:8b"), "x", endpoint, num_ctx=CTX)
    with pytest.raises(EnvironmentFault, match="does not answer") as caught:
        await driver.start(spec)
    assert "ollama serve" in str(caught.value.hint)
    assert await driver.running() == []
    assert driver.ended() == []


async def test_a_server_is_brought_up_by_whoever_can(tmp_path: Path) -> None:
    server = RunningOllama(free_port(), tmp_path / "log")
    bench = Bench(server, tmp_path / "i")

    async def serve(_on_share: OnShare) -> None:
        await asyncio.to_thread(server.start, *MODELS)

    bench.driver = bench.make(serve)
    try:
        running = await bench.start()
        assert NAME in server.loaded()
        lines = Path(bench.driver.log_path(running.spec.instance)).read_text()
        assert lines.startswith("starting Ollama's server\nOllama 0.12.6 answers at 127.0.0.1:")
    finally:
        server.kill()


async def test_how_far_the_servers_image_is_is_heard(tmp_path: Path) -> None:
    server = RunningOllama(free_port(), tmp_path / "log")

    async def serve(on_share: OnShare) -> None:
        for share in (None, 0.5, 0.501, 1.0):
            on_share(share)
        await asyncio.to_thread(server.start, *MODELS)

    heard: list[PhaseMark] = []
    try:
        await Bench(server, tmp_path / "i").make(serve).fetch("qwen3:8b", heard.append)
    finally:
        server.kill()
    shares = [mark.fraction for mark in heard if mark.phase is Phase.PULL]
    assert shares == [None, None, 0.5, 1.0]  # one a percent
    assert {mark.phase for mark in heard} == {Phase.PULL}


async def test_a_server_that_cannot_be_brought_up_ends_the_instance(tmp_path: Path) -> None:
    async def serve(_on_share: OnShare) -> None:
        raise EnvironmentFault("Docker is not there.", hint="Install it.")

    driver = OllamaDriver(tmp_path, port=free_port(), serve=serve, poll_s=0.05)
    spec = ollama_spec(parse_ollama("qwen3:8b"), "x", driver.endpoint("x"), num_ctx=CTX)
    await driver.start(spec)
    record = await driver.wait("x")
    assert (record.code, record.requested) == (1, False)
    assert read_error(record.last_lines[-1]) == "Docker is not there. Install it."


FAILURES = [
    (("--fail-pull", "disk"), "llama3.2", "disk with Ollama's models is full"),
    (("--fail-pull", "network"), "llama3.2", "cannot reach where the model comes from"),
    ((), "nobody-has-this", "no such model"),
    (("--fail-load", "memory"), "qwen3:8b", "not enough memory"),
    (("--fail-load", "runner"), "qwen3:8b", "its engine process died"),
]


@pytest.mark.parametrize(("flags", "model", "words"), FAILURES, ids=str)
async def test_a_start_that_fails_says_why(
    begin: Begin, flags: tuple[str, ...], model: str, words: str
) -> None:
    bench = begin(*flags)
    running = await bench.driver.start(bench.spec(model))
    record = await bench.driver.wait(running.spec.instance)
    assert (record.code, record.signal, record.requested) == (1, None, False)
    causes = [read_error(line) for line in await bench.lines(running.spec.instance)]
    assert words in str(causes[-1])
    assert bench.server.loaded() == {}
    assert await bench.driver.running() == []
    names = [each["name"] for each in bench.server.ask("/api/tags")["models"]]
    assert not [name for name in names if name.startswith("sparkwell/")]


async def test_a_pull_that_is_cut_goes_on_the_next_time(begin: Begin) -> None:
    bench = begin("--fail-pull", "cut")
    running = await bench.driver.start(bench.spec("llama3.2"))
    assert "cannot be reached" in await bench.end(running)
    again = await bench.start("llama3.2")
    lines = Path(bench.driver.log_path(again.spec.instance)).read_text().splitlines()
    marks = [read_line(line) for line in lines]
    shares = [m.fraction for m in marks if m and m.phase is Phase.DOWNLOAD and m.fraction]
    assert shares[0] >= 0.5


async def test_an_instance_id_names_one_run_for_ever(bench: Bench) -> None:
    running = await bench.start()
    with pytest.raises(ConflictError):
        await bench.driver.start(running.spec)
    await bench.driver.stop(running.spec.instance)
    with pytest.raises(ConflictError):
        await bench.driver.start(running.spec)


async def test_a_model_is_loaded_once(bench: Bench) -> None:
    await bench.start()
    with pytest.raises(ConflictError, match="loaded already"):
        await bench.driver.start(bench.spec())


@pytest.mark.parametrize("instance", ["", "..", "a/b", ".hidden", "UPPER", "a\n", "x" * 200])
async def test_an_instance_id_is_a_plain_name(bench: Bench, instance: str) -> None:
    with pytest.raises(UsageError):
        bench.driver.endpoint(instance)
    with pytest.raises(UsageError):
        await bench.driver.stop(instance)


# ── stop ────────────────────────────────────────────────────────────────────────────────────


async def test_a_stop_gives_the_memory_back(bench: Bench) -> None:
    running = await bench.start()
    assert bench.server.ask("/fake/state")["held_bytes"] > 5e9
    record = await bench.driver.stop(running.spec.instance)
    assert (record.code, record.signal, record.requested) == (0, None, True)
    assert record.last_lines[-1] == "unloaded qwen3:8b"
    assert bench.server.loaded() == {}
    assert bench.server.ask("/fake/state")["held_bytes"] == 0
    assert await bench.driver.running() == []
    names = [each["name"] for each in bench.server.ask("/api/tags")["models"]]
    assert names == ["qwen3:8b", "gemma3:latest"]  # the name that was served is gone too


async def test_a_stop_leaves_other_models_alone(bench: Bench) -> None:
    first, second = await bench.start("qwen3:8b"), await bench.start("gemma3")
    await bench.driver.stop(first.spec.instance)
    assert list(bench.server.loaded()) == ["sparkwell/gemma3:latest-ctx8192"]
    assert await bench.driver.running() == [second]


async def test_many_wait_and_stop_at_once(bench: Bench) -> None:
    instance = (await bench.start()).spec.instance
    waiting = [asyncio.create_task(bench.driver.wait(instance)) for _ in range(10)]
    stopping = [asyncio.create_task(bench.driver.stop(instance)) for _ in range(3)]
    records = await asyncio.gather(*waiting, *stopping)
    assert len(set(map(repr, records))) == 1
    assert records[0].requested
    assert await bench.driver.stop(instance) == records[0]
    assert await bench.driver.wait(instance) == records[0]


async def test_a_stop_in_the_middle_of_a_pull_ends_it(begin: Begin) -> None:
    bench = begin("--pull-s", "30")
    spec = bench.spec("llama3.2")
    await bench.driver.start(spec)
    await bench.line(spec.instance, "pulling")
    began = time.monotonic()
    record = await bench.driver.stop(spec.instance)
    assert time.monotonic() - began < 5
    assert record.requested
    assert await bench.driver.running() == []


async def test_a_stop_in_the_middle_of_a_load_ends_it(begin: Begin) -> None:
    bench = begin("--load-s", "2")
    spec = bench.spec()
    await bench.driver.start(spec)
    await bench.line(spec.instance, "loading")
    await asyncio.sleep(0.1)
    record = await bench.driver.stop(spec.instance, grace_s=5)
    assert record.requested
    assert bench.server.loaded() == {}


async def test_a_stop_waits_for_a_request_and_says_when_it_cannot(begin: Begin) -> None:
    bench = begin("--token-s", "2")
    running = await bench.start()
    body = {"model": running.spec.served_model, "prompt": "Hello", "max_tokens": 2}
    request = asyncio.create_task(bench.ask("/v1/completions", body))
    await asyncio.sleep(0.3)
    with pytest.raises(EnvironmentFault, match="a request is running"):
        await bench.driver.stop(running.spec.instance, grace_s=0)
    assert [one.spec for one in await bench.driver.running()] == [running.spec]
    record = await bench.driver.stop(running.spec.instance, grace_s=10)
    assert record.requested
    assert await request


async def test_a_grace_that_makes_no_sense_is_refused(bench: Bench) -> None:
    running = await bench.start()
    for wrong in (-1.0, float("nan"), 1e9):
        with pytest.raises(UsageError, match="grace_s"):
            await bench.driver.stop(running.spec.instance, grace_s=wrong)
    assert await bench.driver.running() == [running]


async def test_a_stop_without_a_server_is_a_stop(bench: Bench) -> None:
    running = await bench.start()
    bench.server.kill()
    record = await bench.driver.stop(running.spec.instance)
    assert record.requested


# ── ends that nobody asked for ──────────────────────────────────────────────────────────────


async def test_the_servers_death_is_seen(bench: Bench) -> None:
    running = await bench.start()
    bench.server.kill()
    assert "has gone" in await bench.end(running)
    assert await bench.driver.running() == []
    assert bench.driver.ended()[0][1].reason == "the end was not seen"


async def test_an_unload_by_somebody_else_is_seen(bench: Bench) -> None:
    running = await bench.start()
    await bench.ask("/api/generate", {"model": NAME, "keep_alive": 0})
    assert "no longer in memory" in await bench.end(running)
    names = [each["name"] for each in bench.server.ask("/api/tags")["models"]]
    assert not [name for name in names if name.startswith("sparkwell/")]


async def test_another_context_by_somebody_else_is_seen(bench: Bench) -> None:
    """By its own name the model has the server's context: loaded again, ours is gone."""
    running = await bench.start()
    await bench.ask("/v1/completions", {"model": "qwen3:8b", "prompt": "Hello"})
    assert "other settings" in await bench.end(running)


async def test_a_model_that_had_to_make_room_is_seen(begin: Begin) -> None:
    bench = begin("--memory", "6GB")
    running = await bench.start()
    await bench.ask("/api/generate", {"model": "gemma3", "options": {"num_ctx": 2048}})
    assert "made room" in await bench.end(running)


async def test_a_name_with_the_same_context_shares_the_memory_and_is_kept(begin: Begin) -> None:
    """The server knows a loaded model by its file, and lists the name that came first."""
    bench = begin(OLLAMA_CONTEXT_LENGTH=str(CTX))
    await bench.ask("/api/generate", {"model": "qwen3:8b"})
    running = await bench.start()
    assert list(bench.server.loaded()) == ["qwen3:8b"]
    await bench.ask("/api/generate", {"model": "qwen3:8b", "keep_alive": "5m"})

    def is_kept() -> bool:
        return bool(bench.server.loaded()["qwen3:8b"]["expires_at"].startswith("23"))

    waiting = asyncio.create_task(bench.driver.wait(running.spec.instance))
    await eventually(is_kept)
    await bench.driver.stop(running.spec.instance)
    assert (await waiting).requested
    assert bench.server.loaded() == {}


# ── another daemon ──────────────────────────────────────────────────────────────────────────


async def test_a_second_driver_adopts_what_is_loaded(bench: Bench) -> None:
    running = await bench.start()
    other = bench.make()
    assert await other.running() == [running]
    waiting = asyncio.create_task(bench.driver.wait(running.spec.instance))
    record = await other.stop(running.spec.instance)
    assert record.requested
    assert await waiting == record


async def test_the_spec_comes_back_unchanged(bench: Bench) -> None:
    spec = bench.spec()
    labels = {**spec.labels, "note": "é\n\"'"}
    spec = dataclasses.replace(spec, labels=labels, engine_version="0.12.6")
    running = await bench.driver.start(spec)
    assert running.spec == spec
    assert [one.spec for one in await bench.make().running()] == [spec]


async def test_a_start_of_a_daemon_that_has_ended_is_not_taken_for_running(begin: Begin) -> None:
    bench = begin("--pull-s", "30")
    spec = bench.spec("llama3.2")
    await bench.driver.start(spec)
    await bench.line(spec.instance, "pulling")
    await bench.driver.close()
    other = bench.make()
    assert await other.running() == []
    assert (await other.wait(spec.instance)).requested is False


async def test_a_load_that_a_daemon_left_half_way_is_kept_by_the_next(bench: Bench) -> None:
    """Loaded, but with an end still: nobody was there to take it away."""
    spec = bench.spec()
    await bench.driver.start(spec)
    await bench.driver.close()
    made = {"model": NAME, "from": "qwen3:8b", "parameters": {"num_ctx": CTX}, "stream": False}
    await bench.ask("/api/create", made)
    await bench.ask("/api/generate", {"model": NAME, "keep_alive": "10m"})
    assert [one.spec.instance for one in await bench.make().running()] == [spec.instance]
    assert bench.server.loaded()[NAME]["expires_at"].startswith("23")


async def test_nothing_runs_when_the_server_was_started_anew(bench: Bench) -> None:
    running = await bench.start()
    bench.server.kill()
    await asyncio.to_thread(bench.server.start, *MODELS)
    assert await bench.make().running() == []
    (spec, record) = bench.driver.ended()[0]
    assert spec == running.spec
    assert "no longer in memory" in record.last_lines[-1]


# ── what is remembered ──────────────────────────────────────────────────────────────────────


async def test_ended_instances_are_remembered_until_they_are_pruned(bench: Bench) -> None:
    ids = []
    for _ in range(3):
        running = await bench.start()
        ids.append(running.spec.instance)
        await bench.driver.stop(running.spec.instance)
    other = await bench.start("gemma3")
    assert [spec.instance for spec, _ in bench.driver.ended()] == ids[::-1]
    assert bench.driver.prune(keep_per_model=1) == ids[:2][::-1]
    assert [spec.instance for spec, _ in bench.driver.ended()] == ids[2:]
    assert not (bench.root / ids[0]).exists()
    assert [one.spec for one in await bench.driver.running()] == [other.spec]


async def test_a_log_is_followed_while_it_comes(bench: Bench) -> None:
    running = await bench.start()
    lines = bench.driver.follow(running.spec.instance, from_start=False)
    first = asyncio.ensure_future(anext(lines, "(the end)"))
    await asyncio.sleep(0.2)
    await bench.driver.stop(running.spec.instance)
    assert await first == "unloaded qwen3:8b"
    assert await anext(lines, "(the end)") == "(the end)"


async def test_nobody_can_wait_for_what_never_was(bench: Bench) -> None:
    for ask in (bench.driver.wait, bench.driver.stop):
        with pytest.raises(UsageError, match="no-such-instance"):
            await ask("no-such-instance")
    with pytest.raises(UsageError):
        bench.driver.follow("no-such-instance")


async def test_an_unknown_model_is_refused_before_anything_is_fetched(bench: Bench) -> None:
    with pytest.raises(UnknownModelError, match="no such model"):
        await bench.driver.fetch("ollama/nobody-has-this", lambda _mark: None)
