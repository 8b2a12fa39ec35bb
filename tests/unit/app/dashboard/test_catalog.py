"""The list of models: made in a thread, one at a time, and shown while it is renewed."""

import asyncio
import time
from pathlib import Path

import pytest

from sparkwell.app.dashboard.catalog import LIFE_S, CatalogPages
from sparkwell.app.paths import find_paths
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import load_catalog
from sparkwell.web.values import ModelEntry


class Counted(CatalogPages):
    def __init__(self, models: ModelService) -> None:
        super().__init__(models, clock=lambda: self.now)
        self.now = 0.0
        self.made = 0

    def _make(self) -> tuple[ModelEntry, ...]:
        self.made += 1
        time.sleep(0.05)
        return (ModelEntry(f"list {self.made}", "", ""),)


@pytest.fixture
def pages(tmp_path: Path) -> Counted:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    return Counted(ModelService(paths, Settings(), load_catalog()))


async def name(pages: Counted) -> str:
    return (await pages.entries())[0].name


async def test_ten_that_ask_at_once_make_one_list(pages: Counted) -> None:
    assert await asyncio.gather(*(name(pages) for _ in range(10))) == ["list 1"] * 10
    assert pages.made == 1


async def test_who_goes_away_leaves_the_others_theirs(pages: Counted) -> None:
    leaving = [asyncio.create_task(name(pages)) for _ in range(20)]
    await asyncio.sleep(0.01)
    for task in leaving:
        task.cancel()
    assert await name(pages) == "list 1"
    assert pages.made == 1


async def test_an_old_list_is_shown_while_a_new_one_is_made(pages: Counted) -> None:
    await name(pages)
    pages.now = LIFE_S + 1
    assert [await name(pages) for _ in range(3)] == ["list 1"] * 3
    await asyncio.sleep(0.2)
    assert await name(pages) == "list 2"
    assert pages.made == 2


async def test_what_was_changed_is_waited_for(pages: Counted) -> None:
    await name(pages)
    pages.forget()
    assert await name(pages) == "list 2"
    making = asyncio.create_task(name(pages))
    pages.forget()
    late = asyncio.create_task(name(pages))
    await asyncio.gather(making, late)
    assert await name(pages) == f"list {pages.made}"
