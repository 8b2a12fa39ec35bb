"""What an open page is told while it is open, and that nobody waits for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from aiohttp import ClientConnectionResetError, ClientSession, CookieJar, web
from tests.unit.web import fake_status as documents
from tests.unit.web.browsing import Visitor
from tests.unit.web.fake_site import Site, served
from tests.unit.web.fake_status import NEMO, QWEN

from sparkwell.web.batches import Batch, batches


async def test_only_what_has_changed_is_sent(visitor: Visitor) -> None:
    services = visitor.site.services
    async with visitor.stream("/ui/live?scope=other") as events:
        name, data = await anext(events)
        assert (name, list(data)) == ("swap", ["banner"])
        services.switching = None
        name, data = await anext(events)
        assert (name, data["banner"].strip()) == ("swap", "")


async def test_the_overview_hears_figures_and_events(visitor: Visitor) -> None:
    services = visitor.site.services
    heard: set[str] = set()
    async with visitor.stream("/ui/live?scope=overview") as events:
        async for name, data in events:
            heard.add(name)
            if name == "sample":
                assert set(data["models"]) == {NEMO}
                story = documents.story(len(services.story) + 1)
                services.story.append(story[-1])
            if name == "swap" and "happened" in data and "sample" in heard:
                break


async def test_the_past_is_not_told_again(visitor: Visitor) -> None:
    """Also where the newest events are such as nobody is shown."""
    services = visitor.site.services
    old = documents.story(200)
    hidden = [replace(old[0], seq=n, kind="instance.progress") for n in range(201, 300)]
    services.story = [*old, *hidden]
    async with visitor.stream("/ui/live?scope=overview") as stream:
        await anext(stream)
    assert services.followed == [299]


async def test_a_model_that_has_gone_is_shown_as_stopped(visitor: Visitor) -> None:
    async with visitor.stream("/ui/live?scope=models") as events:
        _, data = await anext(events)
        assert "state-qwen3_2d_8b_2d_fp8" in data
        await visitor.site.services.stop(QWEN)
        _, data = await anext(events)
        assert "stopped" in data["state-qwen3_2d_8b_2d_fp8"]


async def test_streams_end_with_the_daemon() -> None:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
        async with served(Site()) as site:
            visitor = Visitor(site, client)
            await visitor.sign_in()
            answer = await client.get(f"{site.base}/ui/live?scope=overview")
            began = time.monotonic()
        assert time.monotonic() - began < 0.9
        answer.close()


async def test_many_lines_come_in_few_batches(visitor: Visitor) -> None:
    visitor.site.services.lines_per_s = 2000.0
    count, shown, left_out = 0, 0, 0
    began = time.monotonic()
    async with visitor.stream(f"/ui/logs/live?model={QWEN}") as events:
        async for _, data in events:
            count += 1
            shown += len(data["lines"])
            left_out += data["left_out"]
            if time.monotonic() - began > 1.5:
                break
    assert count <= 7
    assert shown <= 400 * count
    assert shown + left_out > 1000


async def _source(*given: Sequence[int], wait_s: float = 0.0) -> AsyncIterator[Sequence[int]]:
    for each in given:
        yield each
        await asyncio.sleep(wait_s)


async def test_batches_keep_the_newest_and_count_the_rest() -> None:
    found = [each async for each in batches(_source(range(50), range(50, 100)), 5.0, 10)]
    assert found == [Batch(tuple(range(90, 100)), 90)]


async def test_a_source_that_fails_is_heard() -> None:
    async def broken() -> AsyncIterator[Sequence[int]]:
        yield [1]
        raise OSError("gone")

    stream = batches(broken(), 0.01, 10)
    assert await anext(stream) == Batch((1,))
    with pytest.raises(OSError, match="gone"):
        await anext(stream)


async def test_an_unread_source_is_let_go() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[Sequence[int]]:
        try:
            while True:
                yield [1]
                await asyncio.sleep(0.001)
        finally:
            ended.set()

    stream = batches(endless(), 0.01, 10)
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    async with asyncio.timeout(2):
        await ended.wait()


class Gone(web.StreamResponse):
    """A stream to a browser that is not there any more."""

    async def prepare(self, _request: web.BaseRequest) -> None:
        raise ClientConnectionResetError("Cannot write to closing transport")


async def test_a_browser_that_left_before_its_stream_began_is_no_error(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sparkwell.web.stream.web.StreamResponse", Gone)
        status, _, _ = await visitor.get("/ui/live")
    assert status == 204
    assert caplog.records == []
