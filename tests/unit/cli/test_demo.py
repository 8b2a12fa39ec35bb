"""The demo's question: an answer is printed as it comes, and anything else is an error."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from tests.certificates import make_certificate

from sparkwell.app.listener.certificate_files import TlsFiles, load
from sparkwell.app.listener.trust import trust_by
from sparkwell.cli import demo
from sparkwell.core.errors import EnvironmentFault

KEY = "sk-sw-of-this-daemon"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def gateway(handler: Handler, tls: TlsFiles | None = None) -> AsyncIterator[str]:
    """A gateway that answers as ``handler`` does; its address."""
    application = web.Application()
    application.router.add_post("/v1/chat/completions", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    context = load(tls, time.time()) if tls else None
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def events(*data: object) -> Handler:
    """Answers with a stream of these events."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in data:
            text = event if isinstance(event, str) else json.dumps(event)
            await response.write(f"data: {text}\n\n".encode())
        return response

    return answer


def delta(**fields: str) -> dict[str, object]:
    return {"choices": [{"delta": fields}]}


async def fault(handler: Handler) -> EnvironmentFault:
    async with gateway(handler) as url:
        with pytest.raises(EnvironmentFault) as caught:
            await demo._ask(url, "demo-qwen3", KEY)
    return caught.value


async def refusal(handler: Handler) -> str:
    """What is said where the engine's log may say more."""
    said = await fault(handler)
    assert "sparkwell logs demo-qwen3" in (said.hint or "")
    return said.message


@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning"])
async def test_an_answer_is_printed(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [delta(role="assistant"), delta(**{field: "A "}), delta(**{field: "cache."})]
    async with gateway(events(*parts, {"choices": []}, "[DONE]")) as url:
        await demo._ask(url, "demo-qwen3", KEY)
    assert capsys.readouterr().out == "A cache.\n"


async def test_it_asks_with_the_daemons_own_key(capsys: pytest.CaptureFixture[str]) -> None:
    well = events(delta(content="A cache."), "[DONE]")

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "A key is needed."}}, status=401)
        return await well(request)

    async with gateway(answer) as url:
        await demo._ask(url, "demo-qwen3", KEY)
    assert capsys.readouterr().out == "A cache.\n"


class FakeAdmin:
    """A daemon's control API with an own key, where keys are needed or not."""

    standing, gateway = "some", ""
    certificate: str | None = None

    def __init__(self, _paths: object) -> None:
        pass

    async def __aenter__(self) -> "FakeAdmin":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def get(self, path: str) -> Mapping[str, Any]:
        about = {"gateway": self.gateway, "certificate": self.certificate}
        said: dict[str, Any] = {"version": about, "keys": {"standing": self.standing}}
        return dict(said[path])

    async def post(self, path: str, body: object) -> Mapping[str, str]:
        assert (path, body) == ("own-key", {})
        return {"key": KEY}


@pytest.mark.parametrize(("standing", "keyed"), [("none", False), ("some", True), ("broken", True)])
async def test_what_to_type_next_has_a_place_for_a_key_and_not_ours(
    standing: str,
    keyed: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def nothing(*_: object, **__: object) -> None:
        pass

    monkeypatch.setattr(demo, "AdminClient", FakeAdmin)
    monkeypatch.setattr(demo, "bring_up", nothing)
    monkeypatch.setattr(FakeAdmin, "standing", standing)
    context: Any = SimpleNamespace(paths=None)
    async with gateway(events(delta(content="A cache."), "[DONE]")) as url:
        monkeypatch.setattr(FakeAdmin, "gateway", url)
        await demo._demo(context, "demo-qwen3", None)
    said = capsys.readouterr().out
    assert "A cache." in said
    assert KEY not in said
    assert ("-H 'Authorization: Bearer YOUR_KEY'" in said) is keyed


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "demo-qwen3 is stopping."}}', "demo-qwen3 is stopping."),
        ("<html>", "HTTP status 503."),
        ('{"error": "x"}', "HTTP status 503."),
    ],
)
async def test_a_refusal_is_told_in_its_own_words(body: str, said: str) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=503, text=body)

    assert await refusal(refuse) == f"demo-qwen3 runs, but did not answer: {said}"


async def test_an_error_in_the_stream_is_told() -> None:
    broken = events(delta(content="A "), {"error": {"message": "the engine died"}})
    assert "did not answer: the engine died." in await refusal(broken)


@pytest.mark.parametrize("data", [(), ("[DONE]",), (delta(role="assistant"), "[DONE]")])
async def test_an_answer_without_text_is_none(data: tuple[object, ...]) -> None:
    assert "the answer has no text" in await refusal(events(*data))


@pytest.mark.parametrize("data", ["{no json", "[1]", '{"choices": 5}', '{"choices": [7]}'])
async def test_an_answer_that_cannot_be_read_is_told(data: str) -> None:
    assert "did not answer" in await refusal(events(data))


async def test_a_connection_that_breaks_is_told() -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    assert "demo-qwen3 runs, but did not answer" in await refusal(broken)


async def test_silence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response()

    monkeypatch.setattr(demo, "SILENCE_S", 0.1)
    assert "not a word for 0.1 s" in await refusal(silent)


@pytest.mark.parametrize("stream", [True, False])
async def test_where_the_gateway_refuses_its_own_words_say_what_helps(stream: bool) -> None:
    error = {"message": "Nobody is let in. `sparkwell keys list` says why.", "code": "keys_lost"}

    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"error": error}, status=503)

    said = await fault(events({"error": error}) if stream else refuse)
    assert said.message.endswith(
        "did not answer: Nobody is let in. `sparkwell keys list` says why."
    )
    assert said.hint is None


@pytest.mark.parametrize("code", [400, None, "engine_ended", "engine_unreachable"])
async def test_where_the_engine_refuses_its_log_says_more(code: object) -> None:
    error = {"message": "No.", "code": code}
    assert await refusal(events({"error": error})) == "demo-qwen3 runs, but did not answer: No."


async def test_its_own_daemon_is_trusted_by_the_certificate_that_it_serves_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def nothing(*_: object, **__: object) -> None:
        pass

    files = TlsFiles(*make_certificate(tmp_path, "box"))
    monkeypatch.setattr(demo, "AdminClient", FakeAdmin)
    monkeypatch.setattr(demo, "bring_up", nothing)
    monkeypatch.setattr(FakeAdmin, "certificate", str(files.certificate))
    context: Any = SimpleNamespace(paths=None)
    async with gateway(events(delta(content="A cache."), "[DONE]"), files) as url:
        monkeypatch.setattr(FakeAdmin, "gateway", url)
        await demo._demo(context, "demo-qwen3", None)
    assert "A cache." in capsys.readouterr().out


async def test_another_certificate_is_no_matter_of_the_engine(tmp_path: Path) -> None:
    served = TlsFiles(*make_certificate(tmp_path, "served"))
    other, _ = make_certificate(tmp_path, "other")
    async with gateway(events(delta(content="A cache."), "[DONE]"), served) as url:
        with pytest.raises(EnvironmentFault) as caught:
            await demo._ask(url, "demo-qwen3", KEY, trust_by(str(other)))
    assert "certificate" in (caught.value.hint or "")
    assert "logs demo-qwen3" not in (caught.value.hint or "")


async def test_where_nobody_listens_the_daemon_is_to_be_looked_at() -> None:
    async with gateway(events("[DONE]")) as url:
        pass
    with pytest.raises(EnvironmentFault) as caught:
        await demo._ask(url, "demo-qwen3", KEY)
    assert "sparkwell status" in (caught.value.hint or "")
