"""The adapter of Ollama's API over the fake in this process, and over what is not Ollama."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from sparkwell.core.errors import EnvironmentFault, UnknownModelError
from sparkwell.drivers.ollama import Kept, OllamaApi, plan_model
from sparkwell.drivers.ollama.api import FOREVER, NotOllamaError, ServerGoneError
from sparkwell.engines.ollama.explain import ModelMissingError
from sparkwell.planner.placement import RUNNER_BYTES
from sparkwell.testing.fake_ollama.__main__ import build
from sparkwell.testing.fake_ollama.arguments import read_arguments
from sparkwell.testing.fake_ollama.durations import FOREVER_S, keep_alive_s

FLAGS = ["--models", "qwen3:8b=5GB@40960", "--library", "llama3.2=2GB"]
NO_ENV: dict[str, str] = {}


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[OllamaApi]:
    async with TestServer(app) as server:
        yield OllamaApi(int(server.port or 0), quick_s=2.0)


@asynccontextmanager
async def fake(*flags: str, **env: str) -> AsyncIterator[OllamaApi]:
    async with serving(build(read_arguments([*FLAGS, *flags], env))) as api:
        yield api


async def names(api: OllamaApi) -> list[str]:
    return [each.name for each in await api.ps()]


async def post(api: OllamaApi, path: str, body: Any) -> tuple[int, Any]:
    url = f"http://{api.where}{path}"
    async with ClientSession() as session, session.post(url, json=body) as response:
        return response.status, await response.json()


async def test_what_a_server_has() -> None:
    async with fake() as api:
        assert await api.version() == "0.12.6"
        assert [(each.name, each.size_bytes) for each in await api.tags()] == [
            ("qwen3:8b", 5 * 10**9)
        ]
        assert (await api.show("qwen3:8b"))["qwen3.context_length"] == 40_960
        assert await api.ps() == ()


async def test_load_keep_and_unload() -> None:
    async with fake() as api:
        await api.load("qwen3:8b", 8192, "10m")
        (loaded,) = await api.ps()
        assert (loaded.context_length, loaded.is_kept) == (8192, False)
        await api.load("qwen3:8b", 8192, FOREVER)
        assert (await api.ps())[0].is_kept
        await api.unload("qwen3:8b")
        assert await api.ps() == ()


async def test_a_model_of_another_ones_file() -> None:
    async with fake() as api:
        await api.create("sparkwell/q:8b", "qwen3:8b", {"num_ctx": 4096})
        await api.load("sparkwell/q:8b", 4096, FOREVER)
        body = {"model": "sparkwell/q:8b", "prompt": "hi", "max_tokens": 2}
        status, said = await post(api, "/v1/completions", body)
        assert (status, said["usage"]["completion_tokens"]) == (200, 2)
        assert (await api.ps())[0].context_length == 4096
        await api.delete("sparkwell/q:8b")
        assert [each.name for each in await api.tags()] == ["qwen3:8b"]


async def test_a_pull() -> None:
    async with fake() as api:
        statuses = [event.status async for event in api.pull("llama3.2")]
        assert (statuses[0], statuses[-1]) == ("pulling manifest", "success")
        assert "llama3.2:latest" in [each.name for each in await api.tags()]


async def test_a_pull_that_is_left_or_cut_can_be_gone_on_with() -> None:
    async with fake("--fail-pull", "cut", "--pull-s", "0.1") as api:
        async with aclosing(api.pull("llama3.2")) as events:
            async for event in events:
                if event.completed:
                    break
        with pytest.raises(ServerGoneError):
            [_ async for _ in api.pull("llama3.2")]
        first = [event.completed async for event in api.pull("llama3.2") if event.completed]
        assert first[0] >= 10**9


async def test_what_is_not_there() -> None:
    async with fake() as api:
        with pytest.raises(UnknownModelError, match="no such model"):
            [_ async for _ in api.pull("nobody")]
        for ask in (
            api.show("nobody"),
            api.load("nobody", 1, 0),
            api.unload("nobody"),
            api.delete("nobody"),
            api.create("a", "nobody", {}),
        ):
            with pytest.raises(ModelMissingError, match="'nobody' not found"):
                await ask


async def test_nobody_listens() -> None:
    api = OllamaApi(1)
    for ask in (api.version(), api.ps(), api.load("x", 1, 0)):
        with pytest.raises(ServerGoneError, match=r"127\.0\.0\.1:1 cannot be reached"):
            await ask


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def saying(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


@pytest.mark.parametrize("status", [200, 404])
async def test_another_program_has_the_port(status: int) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="<h1>Hello</h1>", status=status)

    async with serving(saying(hello)) as api:
        with pytest.raises(NotOllamaError, match="not Ollama") as caught:
            await api.version()
        assert "ss -ltnp" in str(caught.value.hint)
        with pytest.raises(EnvironmentFault):
            [_ async for _ in api.pull("x")]


async def test_a_pull_that_says_nonsense_or_never_ends_a_line() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(40):
            await response.write(b"x" * 100_000)
        return response

    async with serving(saying(endless)) as api:
        with pytest.raises(NotOllamaError):
            [_ async for _ in api.pull("x")]


async def test_a_pull_that_ends_without_success_has_not_succeeded() -> None:
    async def half(_: web.Request) -> web.Response:
        return web.Response(text='{"status":"pulling manifest"}\n\n{"status":"pulling a"}\n')

    async with serving(saying(half)) as api:
        with pytest.raises(ServerGoneError, match="in the middle"):
            [_ async for _ in api.pull("x")]


async def test_a_server_that_hangs() -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with TestServer(saying(hang)) as server:
        api = OllamaApi(int(server.port or 0), quick_s=0.1)
        with pytest.raises(EnvironmentFault, match="no answer within 0 s"):
            await api.ps()


async def test_a_plan_from_the_server(tmp_path: Path) -> None:
    async with fake() as api:
        kept = Kept({"OLLAMA_MODELS": str(tmp_path)})
        plan = await plan_model("ollama/qwen3:8b", kept, api=api)
        assert (plan.num_ctx, plan.source) == (32_768, "server")
        assert plan.held_bytes == 5 * 10**9 + 32_768 * 2 * 8 * 2 * 64 * 2 + RUNNER_BYTES
        unknown = await plan_model("ollama/llama3.2", kept, api=api)
        assert unknown.held_bytes is None


# ── the fake is as strict as the published API ──────────────────────────────────────────────


async def test_refusals_have_ollamas_shapes() -> None:
    async with fake() as api:
        assert await post(api, "/api/generate", {"model": "x"}) == (
            404,
            {"error": "model 'x' not found"},
        )
        status, said = await post(api, "/v1/chat/completions", {"model": "x", "messages": [{}]})
        assert status == 404
        assert said["error"]["type"] == "not_found_error"
        status, said = await post(api, "/v1/completions", {"model": "qwen3:8b", "prompt": [1]})
        assert status == 400
        assert (await post(api, "/api/create", {"model": "x"}))[0] == 400
        bad = {"model": "qwen3:8b", "keep_alive": "soon"}
        assert (await post(api, "/api/generate", bad))[0] == 400


async def test_the_servers_own_context_and_time() -> None:
    env = {"OLLAMA_CONTEXT_LENGTH": "2048", "OLLAMA_KEEP_ALIVE": "-1"}
    async with fake(**env) as api:
        await post(api, "/v1/completions", {"model": "qwen3:8b", "prompt": "x"})
        (loaded,) = await api.ps()
        assert (loaded.context_length, loaded.is_kept) == (2048, True)


async def test_a_timer_starts_when_a_model_falls_idle() -> None:
    async with fake() as api:
        await api.load("qwen3:8b", 2048, "80ms")
        assert await names(api) == ["qwen3:8b"]
        await asyncio.sleep(0.2)
        assert await names(api) == []


async def test_what_does_not_fit_is_refused() -> None:
    async with fake("--memory", "3GiB") as api:
        with pytest.raises(EnvironmentFault, match="requires more system memory"):
            await api.load("qwen3:8b", 2048, FOREVER)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0, 0), (3600, 3600), ("10m", 600), ("1h30m", 5400), (-1, FOREVER_S), ("-1m", FOREVER_S)],
)
def test_keep_alive_as_go_reads_it(value: object, seconds: float) -> None:
    assert keep_alive_s(value) == seconds


@pytest.mark.parametrize("value", ["", "10", "soon", "1d", None, [], True])
def test_keep_alive_that_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any
        keep_alive_s(value)
