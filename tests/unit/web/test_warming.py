"""What is prepared before somebody asks for a page."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing

import pytest
from aiohttp import web
from tests.unit.web.fake_services import FakeServices

from sparkwell.web.rendering import Renderer
from sparkwell.web.static_files import static_files
from sparkwell.web.values import ModelEntry
from sparkwell.web.warming import Warming


class Asked(FakeServices):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.fails = False

    async def models(self) -> tuple[ModelEntry, ...]:
        self.count += 1
        if self.fails:
            raise OSError("no such folder")
        return self.catalog


async def ran(services: Asked, after_s: float, until: Callable[[], bool]) -> Renderer:
    render = Renderer("/warmed", static_files())
    context = Warming(services, render, after_s).while_it_runs(web.Application())
    async with aclosing(context), asyncio.timeout(10):
        await anext(context)
        while not until():
            await asyncio.sleep(0.01)
    return render


async def test_templates_and_catalog_are_there() -> None:
    services = Asked()
    render = await ran(services, 0.0, lambda: services.count == 1)
    assert render._env.cache is not None
    assert len(render._env.cache) == len(render._env.list_templates()) > 20


async def test_a_daemon_that_ends_at_once_has_done_nothing() -> None:
    services = Asked()
    await ran(services, 60.0, lambda: True)
    assert services.count == 0


async def test_what_fails_is_said_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    services = Asked()
    services.fails = True
    with caplog.at_level(logging.ERROR):
        await ran(services, 0.0, lambda: bool(caplog.records))
    assert "could not be prepared" in caplog.text
