"""`sparkwell events`: from the file, from a daemon, and from one after the other."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from sparkwell.admin.api import admin_application
from sparkwell.app.paths import Paths, find_paths
from sparkwell.cli.context import Context
from sparkwell.cli.events import source as event_source
from sparkwell.cli.events.command import events
from sparkwell.cli.events.source import follow_events, so_far
from sparkwell.cli.events.text import event_lines, moment
from sparkwell.core.errors import EnvironmentFault, UnknownModelError
from sparkwell.core.events import Event
from sparkwell.store import EventSink, Store, Wanted
from sparkwell.supervisor.journal import Journal

NOW = time.time()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    paths.make()
    return paths


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context({"SPARKWELL_HOME": str(tmp_path)}, None, (), system=False)


@pytest.fixture
def run(context: Context) -> Callable[..., Result]:
    def call(*words: str) -> Result:
        return CliRunner().invoke(events, words, obj=context)

    return call


@pytest.fixture(autouse=True)
def in_a_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def keep(paths: Paths, *kept: Event) -> None:
    with closing(Store(paths.store)) as store:
        store.events.add(kept)


def some(number: int, **fields: Any) -> Event:
    return Event(number, NOW - 100 + number, "a", f"message {number}", **fields)


# ── from the file ───────────────────────────────────────────────────────────────────────────


def test_nothing_has_happened(run: Callable[..., Result]) -> None:
    done = run()
    assert (done.exit_code, done.output) == (0, "Nothing has happened yet.\n")
    assert json.loads(run("--json").output) == {"events": []}


def test_nothing_is_made_for_looking(run: Callable[..., Result], tmp_path: Path) -> None:
    run()
    assert list(tmp_path.iterdir()) == []


def test_the_last_thirty_newest_last(run: Callable[..., Result], paths: Paths) -> None:
    keep(paths, *(some(number) for number in range(1, 51)))
    lines = run().output.splitlines()
    assert len(lines) == 30
    assert lines[0].endswith("  -  message 21")
    assert lines[-1].endswith("  -  message 50")
    assert len(run("-n", "2").output.splitlines()) == 2
    assert run("-n", "0").output == "Nothing of that kind has happened in the time that is kept.\n"


def test_since_shows_all_of_that_time(run: Callable[..., Result], paths: Paths) -> None:
    # Hours apart: this module was read when the whole run began.
    old = Event(1, NOW - 48 * 3600, "a", "old")
    keep(paths, old, *(some(number) for number in range(2, 52)))
    assert len(run("--since", "12h").output.splitlines()) == 50
    assert len(run("--since", "72h").output.splitlines()) == 51
    assert len(run("--since", "72h", "--lines", "3").output.splitlines()) == 3
    moment = datetime.fromtimestamp(NOW - 12 * 3600, UTC).isoformat()
    assert len(run("--since", moment).output.splitlines()) == 50
    local = datetime.fromtimestamp(NOW - 12 * 3600).astimezone().replace(tzinfo=None).isoformat()
    assert len(run("--since", local).output.splitlines()) == 50


@pytest.mark.parametrize("wrong", ["yesterday", "2 moons", "-1h", "", "99999999999999999999d"])
def test_a_wrong_time_says_what_is_right(run: Callable[..., Result], wrong: str) -> None:
    done = run("--since", wrong)
    assert done.exit_code == 2
    assert "2h" in done.output


def test_json_has_all_that_is_known(run: Callable[..., Result], paths: Paths) -> None:
    whole = some(7, model="m", instance="m-1", data={"hint": None, "exit": {"code": 1}})
    keep(paths, some(1), whole)
    found = json.loads(run("--json", "-n", "1").output)["events"]
    assert [Event(**each) for each in found] == [whole]


def test_by_kind_and_by_model(run: Callable[..., Result], paths: Paths) -> None:
    rows = [("switch.begin", "demo-qwen3"), ("switch.done", "demo-llama"), ("guard.tripped", None)]
    keep(
        paths,
        *(Event(seq, NOW, kind, kind, model) for seq, (kind, model) in enumerate(rows, start=1)),
    )

    def kinds(*words: str) -> list[str]:
        return [each["kind"] for each in json.loads(run(*words, "--json").output)["events"]]

    assert kinds("--kind", "switch") == ["switch.begin", "switch.done"]
    assert kinds("--kind", "switch.d", "--kind", "guard") == ["switch.done", "guard.tripped"]
    assert kinds("--model", "DEMO-Qwen3") == ["switch.begin"]
    assert kinds("--model", "demo-qwen3", "--kind", "guard") == []
    assert "Nothing of that kind" in run("--model", "qwen3-32b").output


def test_a_model_that_has_left_the_catalog(run: Callable[..., Result], paths: Paths) -> None:
    keep(paths, some(1, model="mine"))
    assert run("--model", "mine").output.endswith("  mine  message 1\n")
    assert isinstance(run("--model", "never").exception, UnknownModelError)


def test_a_broken_store_is_an_error_with_a_hint(run: Callable[..., Result], paths: Paths) -> None:
    paths.store.write_bytes(b"this is no database" * 100)
    error = run().exception
    assert isinstance(error, EnvironmentFault)
    assert "cannot be read" in error.message


# ── words ───────────────────────────────────────────────────────────────────────────────────


def test_a_moment_has_a_date_unless_it_is_today() -> None:
    at = datetime(2026, 5, 9, 23, 30).astimezone().timestamp()
    assert moment(at, datetime(2026, 5, 9, 23, 59).astimezone()) == "23:30:00"
    assert moment(at, datetime(2026, 5, 10, 0, 1).astimezone()) == "2026-05-09 23:30:00"


def test_lines_stand_in_columns_and_say_what_to_do() -> None:
    failed = Event(1, 0.0, "instance.failed", "m: it broke", "m", data={"hint": "Do a.\nThen b."})
    lines = event_lines(failed, ("23:30:00", "m"), (10, 4))
    assert lines == [
        "  23:30:00  m     \x1b[31mit broke\x1b[0m",
        "                  \x1b[2mDo a.\x1b[0m",
        "                  \x1b[2mThen b.\x1b[0m",
    ]
    plain = Event(1, 0.0, "a", "the model: it is", "m", data={"hint": None})
    assert event_lines(plain, ("1", "m"), (0, 0)) == ["1  m  the model: it is"]


def test_no_colours_in_a_pipe(run: Callable[..., Result], paths: Paths) -> None:
    keep(paths, Event(1, NOW, "instance.failed", "it broke", data={"hint": "Mend it."}))
    assert "\x1b" not in run().output


# ── beside a daemon ─────────────────────────────────────────────────────────────────────────


class Control:
    """As much of a daemon as `events` asks for."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def status(self) -> Mapping[str, Any]:
        return {"event": self.journal.cursor}

    def events(self, cursor: int) -> AsyncIterator[Event]:
        return self.journal.follow(cursor)


class Daemon:
    """A journal, its sink and its store, behind a real socket."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sink = EventSink(store.events, every_s=60.0)
        self.journal = Journal(lambda: NOW, seq=self.sink.cursor, sink=self.sink)

    def add(self, *messages: str) -> None:
        for message in messages:
            self.journal.add("a", message)
            self.journal.add("instance.progress", "progress")


@asynccontextmanager
async def running(paths: Paths) -> AsyncIterator[Daemon]:
    with closing(Store(paths.store)) as store:
        daemon = Daemon(store)
        control: Any = Control(daemon.journal)
        runner = web.AppRunner(admin_application(control), shutdown_timeout=0.01)
        await runner.setup()
        await web.UnixSite(runner, str(paths.socket)).start()
        try:
            yield daemon
        finally:
            await runner.cleanup()
            daemon.sink.close()


def messages(found: Sequence[Event]) -> list[str]:
    return [event.message for event in found]


async def test_what_a_daemon_has_not_written_yet(context: Context, paths: Paths) -> None:
    async with running(paths) as daemon:
        daemon.add("one", "two")
        daemon.sink.flush()
        daemon.add("three", "four")
        assert messages(await so_far(context, Wanted())) == ["one", "two", "three", "four"]
        assert messages(await so_far(context, Wanted(limit=3))) == ["two", "three", "four"]
        assert messages(await so_far(context, Wanted(limit=0))) == []
        assert messages(await so_far(context, Wanted(kinds=["b"]))) == []
        named = await so_far(context, Wanted(kinds=["instance.progress"]))
        assert messages(named) == 3 * ["progress"]  # those since what is on disk


@contextmanager
def following(context: Context, wanted: Wanted) -> Iterator[list[Event]]:
    shown: list[Event] = []
    task = asyncio.get_running_loop().create_task(follow_events(context, wanted, shown.extend))
    try:
        yield shown
        assert not task.done(), task.result()
    finally:
        task.cancel()


async def until(shown: list[Event], right: list[str]) -> None:
    deadline = time.monotonic() + 10
    while messages(shown) != right:
        assert len(shown) <= len(right), messages(shown)
        assert time.monotonic() < deadline, messages(shown)
        await asyncio.sleep(0.01)


async def test_following_shows_all_once_and_in_order(context: Context, paths: Paths) -> None:
    async with running(paths) as daemon:
        daemon.add("one", "two")
        daemon.sink.flush()
        daemon.add("three")
        with following(context, Wanted(limit=1)) as shown:
            await until(shown, ["two", "three"])  # the last one kept, and what has come since
            daemon.add("four")
            daemon.sink.flush()
            daemon.add("five")
            await until(shown, ["two", "three", "four", "five"])


async def test_following_goes_on_with_the_next_daemon(
    context: Context,
    paths: Paths,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(event_source, "AGAIN_S", 0.02)
    right: list[str] = []
    with following(context, Wanted(limit=30)) as shown:
        await asyncio.sleep(0.1)
        for number in range(3):
            async with running(paths) as daemon:
                daemon.add(f"{number} early")
                right.append(f"{number} early")
                await until(shown, right)
                daemon.add(f"{number} late")  # it may end before anybody has heard this
            right.append(f"{number} late")
            await asyncio.sleep(0.1)
        await until(shown, right)
    waiting = "No daemon is running now; waiting for one.\n"
    assert set(capsys.readouterr().err.splitlines(keepends=True)) == {waiting}


async def test_following_a_store_that_was_begun_anew(
    context: Context, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_source, "AGAIN_S", 0.02)
    keep(paths, *(some(number) for number in range(1, 90)))
    with following(context, Wanted(limit=0)) as shown:
        await asyncio.sleep(0.1)
        paths.store.write_bytes(b"")
        async with running(paths) as daemon:
            daemon.add("anew")
            await until(shown, ["anew"])


def test_a_pipe_that_follows_gets_a_document_a_line(
    run: Callable[..., Result], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(paths, some(1), some(2))

    async def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("asyncio.sleep", interrupted)
    lines = run("--follow", "--json").output.splitlines()
    assert [json.loads(line)["seq"] for line in lines if line.startswith("{")] == [1, 2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_store_of_somebody_else(run: Callable[..., Result], paths: Paths) -> None:
    keep(paths, some(1))
    paths.store.chmod(0)
    assert isinstance(run().exception, EnvironmentFault)
