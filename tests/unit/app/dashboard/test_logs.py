"""Logs as the dashboard gets them, over the real driver's folders."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sparkwell.app.dashboard.logs import GAP, MOST_LINES, Logs
from sparkwell.core.errors import UsageError
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.drivers.process import ProcessDriver
from sparkwell.drivers.process.records import spec_to_json
from sparkwell.store import BreakerRow, Store
from sparkwell.web.services import FirstFailure, LogQuery

SPEC = LaunchSpec("demo-qwen3-1", "demo-qwen3", "vllm", "0", ("true",), Endpoint(uds="/s"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "store.db")) as store:
        yield store


@pytest.fixture
def logs(tmp_path: Path, store: Store) -> Logs:
    return Logs(ProcessDriver(tmp_path / "instances"), store)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a run that has ended."""
    folder = tmp_path / "instances" / SPEC.instance
    folder.mkdir(parents=True)
    (folder / "launch.json").write_text(json.dumps({"spec": spec_to_json(SPEC)}))
    (folder / "exit.json").write_text(json.dumps({"code": 1, "ended_at": 1.0}))
    log = folder / "engine.log"
    log.write_text("INFO: one\nERROR: two\nINFO: <b>three</b> (1/7)\n")
    return log


async def test_a_page_marks_errors_and_says_how_the_run_ended(logs: Logs, log: Path) -> None:
    page = await logs.page("demo-qwen3", LogQuery(tail=2))
    assert [(line.text, line.error) for line in page.lines] == [
        ("ERROR: two", True),
        ("INFO: <b>three</b> (1/7)", False),
    ]
    assert (page.run, page.more, page.total_bytes) == (SPEC.instance, True, log.stat().st_size)
    assert page.ended is not None
    assert "(exited with code 1)" in page.ended or "code 1" in page.ended


async def test_the_filter_is_text_whatever_it_looks_like(logs: Logs, log: Path) -> None:
    page = await logs.page("demo-qwen3", LogQuery(grep="(1/"))
    assert [line.text for line in page.lines] == ["INFO: <b>three</b> (1/7)"]
    page = await logs.page("demo-qwen3", LogQuery(grep="TWO", errors=True))
    assert [line.text for line in page.lines] == ["ERROR: two"]


async def test_a_model_that_has_not_run_has_no_log(logs: Logs) -> None:
    with pytest.raises(UsageError, match="has not run here yet"):
        await logs.page("demo-qwen3", LogQuery())


async def test_what_is_held_against_a_model(logs: Logs, store: Store) -> None:
    assert await logs.first_failure("demo-qwen3") is None
    store.breakers.save(BreakerRow("demo-qwen3", 2, 0.0, "no token", "demo-qwen3-1", ("a", "b")))
    found = await logs.first_failure("demo-qwen3")
    assert found == FirstFailure("demo-qwen3-1", "no token", 2, ("a", "b"))


class Writing:
    """A run that writes while somebody follows it; the real driver is asked for all else."""

    def __init__(self, log: Path) -> None:
        self.ended = asyncio.Event()
        self.log = log

    def of(self, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
        async def wait(_driver: ProcessDriver, _instance: str) -> None:
            await self.ended.wait()

        monkeypatch.setattr(ProcessDriver, "wait", wait)

    def write(self, text: str) -> None:
        with self.log.open("a") as file:
            file.write(text)


@pytest.fixture
def writing(logs: Logs, log: Path, monkeypatch: pytest.MonkeyPatch) -> Writing:
    made = Writing(log)
    made.of(logs, monkeypatch)
    return made


async def test_nothing_is_missed_between_a_page_and_what_comes(
    logs: Logs, log: Path, writing: Writing
) -> None:
    page = await logs.page("demo-qwen3", LogQuery())
    writing.write("INFO: between\nERROR: half")
    following = logs.lines("demo-qwen3", LogQuery(after=page.position))
    first = await anext(following)
    assert [line.text for line in first] == ["INFO: between"]
    writing.write(" a line\n")
    second = await anext(following)
    assert [(line.text, line.error) for line in second] == [("ERROR: half a line", True)]
    assert second[-1].position == log.stat().st_size
    writing.write("INFO: the last word\n")
    writing.ended.set()
    assert [line.text for batch in [b async for b in following] for line in batch] == [
        "INFO: the last word"
    ]


async def test_only_what_comes_and_matches(logs: Logs, writing: Writing) -> None:
    following = logs.lines("demo-qwen3", LogQuery(grep="b"))
    coming = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0.1)
    writing.write("a\nb\n")
    assert [line.text for line in await coming] == ["b"]


async def test_of_a_flood_the_newest_lines_come(logs: Logs, writing: Writing) -> None:
    page = await logs.page("demo-qwen3", LogQuery())
    writing.write("".join(f"{number}\n" for number in range(20_000)))
    writing.ended.set()
    found = [b async for b in logs.lines("demo-qwen3", LogQuery(after=page.position))]
    newest = [str(number) for number in range(20_000 - MOST_LINES, 20_000)]
    assert [line.text for batch in found for line in batch] == [GAP, *newest]


async def test_what_is_filtered_from_a_flood_is_not_left_out(logs: Logs, writing: Writing) -> None:
    page = await logs.page("demo-qwen3", LogQuery())
    writing.write("".join(f"{number}\n" for number in range(20_000)))
    writing.ended.set()
    query = LogQuery(after=page.position, grep="777")
    found = [b async for b in logs.lines("demo-qwen3", query)]
    assert len([line for batch in found for line in batch]) == sum(
        "777" in str(number) for number in range(20_000)
    )


async def test_a_tab_that_comes_back_holds_up_nobody(logs: Logs, writing: Writing) -> None:
    """A minute of 2,000 lines a second is read in a thread, and no more than can be shown."""
    page = await logs.page("demo-qwen3", LogQuery())
    writing.write("INFO: something that is said again and again, and says nothing\n" * 200_000)
    loop, slowest = asyncio.get_running_loop(), 0.0

    async def breathe() -> None:
        nonlocal slowest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            slowest = max(slowest, time.thread_time() - before)
            await asyncio.sleep(0.005)

    breathing = loop.create_task(breathe())
    first = await anext(logs.lines("demo-qwen3", LogQuery(after=page.position)))
    breathing.cancel()
    assert first[0].text == GAP
    assert len(first) == MOST_LINES + 1
    assert slowest < 0.05


async def test_a_position_that_is_no_more_goes_on_at_the_end(logs: Logs, writing: Writing) -> None:
    """Older parts were rotated away meanwhile."""
    following = logs.lines("demo-qwen3", LogQuery(after=10**9))
    assert [line.text for line in await anext(following)] == [GAP]
    writing.write("on\n")
    assert [line.text for line in await anext(following)] == ["on"]


async def test_who_goes_away_ends_the_following(logs: Logs, writing: Writing) -> None:
    following = logs.lines("demo-qwen3", LogQuery())
    coming = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0.1)
    writing.write("x\n")
    await coming
    async with asyncio.timeout(5):
        await following.aclose()  # type: ignore[attr-defined]
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    assert not any("wait" in name for name in names)
