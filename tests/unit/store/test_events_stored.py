"""Events on disk: found again, filtered, bounded; and their way there through the sink."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.events import Event
from sparkwell.store import Events, EventSink, Store, Wanted, open_database, recorded
from sparkwell.store.sink import RESERVED_AT_ONCE
from sparkwell.supervisor.journal import Journal

DAY_S = 86_400.0


def event(seq: int, at: float = 0.0, kind: str = "a.b", model: str | None = None) -> Event:
    return Event(seq, at, kind, f"message {seq}", model, None, {"n": seq})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sparkwell.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with closing(Store(file)) as store:
        yield store


def seqs(found: list[Event] | tuple[Event, ...]) -> list[int]:
    return [each.seq for each in found]


# ── keeping and finding ─────────────────────────────────────────────────────────────────────


def test_an_event_comes_back_as_it_was(store: Store) -> None:
    whole = Event(7, 1.5, "switch.done", "Täglich «ja»", "m", "m-1", {"to": "m", "s": [1, None]})
    store.events.add([whole, Event(8, 2.5, "x", "y")])
    assert store.events.after() == [whole, Event(8, 2.5, "x", "y")]
    assert (store.events.last(), store.events.cursor()) == (8, 8)


def test_no_events(store: Store) -> None:
    store.events.add([])
    assert (store.events.after(), store.events.newest(5)) == ([], [])
    assert (store.events.last(), store.events.cursor()) == (0, 0)


def test_what_no_database_or_json_takes_is_stored_all_the_same(store: Store) -> None:
    store.events.add([Event(1, 0.0, "a", "no file \udcff", "m", "i", {"path": Path("/x")})])
    [found] = store.events.after()
    assert (found.message, found.data) == ("no file ?", {"path": "/x"})


def test_progress_is_not_kept(store: Store) -> None:
    store.events.add([event(1), event(2, kind="instance.progress"), event(3)])
    assert seqs(store.events.after()) == [1, 3]


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.sampled_from(["switch.begin", "switch.done", "switching", "instance.ready"]),
        st.sampled_from([None, "m", "n"]),
    ),
    max_size=30,
)


@given(
    rows=EVENTS,
    after=st.integers(0, 30),
    limit=st.none() | st.integers(0, 30),
    kinds=st.lists(st.sampled_from(["switch", "switch.", "instance.ready", "%", ""]), max_size=2),
    model=st.none() | st.sampled_from(["m", "n"]),
    since=st.none() | st.floats(0, 100),
)
def test_filters_find_what_they_say(
    rows: list[tuple[float, str, str | None]],
    after: int,
    limit: int | None,
    kinds: list[str],
    model: str | None,
    since: float | None,
) -> None:
    every = [event(seq, *row) for seq, row in enumerate(rows, start=1)]
    wanted = Wanted(after, limit, kinds, model, since)
    right = [
        each
        for each in every
        if each.seq > after
        and (not kinds or any(each.kind.startswith(kind) for kind in kinds))
        and (model is None or each.model == model)
        and (since is None or each.at >= since)
    ]
    assert [each for each in every if wanted.has(each)] == right
    with closing(open_database(Path(":memory:"))) as connection:
        events = Events(connection)
        events.add(every)
        first = events.after(after, limit, kinds=kinds, model=model, since=since)
        last = events.newest(limit, after=after, kinds=kinds, model=model, since=since)
    assert first == right[:limit]
    assert last == (right if limit is None else right[len(right) - min(limit, len(right)) :])


# ── bounds ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("KEPT", 100), ("KEPT_ALWAYS", 10), ("PRUNE_EVERY", 20)):
        monkeypatch.setattr(f"sparkwell.store.events.{name}", value)


@pytest.mark.usefixtures("small")
def test_only_the_newest_are_kept(store: Store) -> None:
    for seq in range(1, 501, 3):  # numbers have gaps: progress has some
        store.events.add([event(seq)])
    kept = seqs(store.events.after())
    assert kept == list(range(kept[0], 500, 3))
    assert 100 <= len(kept) <= 120


@pytest.mark.usefixtures("small")
def test_old_ones_go_but_the_last_ones_stay_however_old(store: Store) -> None:
    store.events.add([event(seq, at=seq) for seq in range(1, 31)])
    for seq in range(31, 61):
        store.events.add([event(seq, at=40 * DAY_S)])
    assert seqs(store.events.after(limit=1)) == [31]
    for seq in range(61, 91):  # a clock that jumped far ahead
        store.events.add([event(seq, at=4000 * DAY_S)])
    kept = seqs(store.events.after())
    assert kept[-1] == 90
    assert 10 <= len(kept) <= 50


def test_a_restart_prunes_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons that live for a few events only must not let the file grow."""
    monkeypatch.setattr("sparkwell.store.events.KEPT", 10)
    for seq in range(1, 31):
        with closing(Store(file)) as store:
            store.events.add([event(seq)])
    with closing(Store(file)) as store:
        assert seqs(store.events.after()) == list(range(21, 31))


# ── from the journal to the disk ────────────────────────────────────────────────────────────


def journal_of(store: Store, every_s: float = 60.0) -> tuple[Journal, EventSink]:
    sink = EventSink(store.events, every_s)
    return Journal(lambda: 1.0, seq=sink.cursor, sink=sink), sink


async def test_events_are_written_together_after_a_while(store: Store) -> None:
    journal, sink = journal_of(store, 0.05)
    journal.add("a", "A", model="m", data={"x": 1})
    journal.add("b", "B")
    assert store.events.after() == []
    await asyncio.sleep(0.2)
    assert store.events.after() == journal.after(0)
    journal.add("c", "C")
    await asyncio.sleep(0.2)
    assert [each.kind for each in store.events.after()] == ["a", "b", "c"]
    sink.close()


async def test_one_transaction_for_many_events(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, sink = journal_of(store)
    journal.add("a", "A")  # the first one reserves numbers
    sink.flush()
    written: list[int] = []
    monkeypatch.setattr(store.events, "add", lambda events: written.append(len(events)))
    for _ in range(500):
        journal.add("a", "A")
        journal.add("instance.progress", "P")
    sink.flush()
    assert written == [500]
    sink.close()


async def test_the_end_writes_what_is_waiting(file: Path) -> None:
    with closing(Store(file)) as store:
        journal, sink = journal_of(store)
        journal.add("a", "A")
        sink.close()
    assert seqs(recorded(file, Wanted()).events) == [1]


async def test_numbers_go_on_with_the_next_daemon(file: Path) -> None:
    for number in range(3):
        with closing(Store(file)) as store:
            journal, sink = journal_of(store)
            assert journal.cursor == 2 * number
            journal.add("a", "A")
            journal.add("instance.progress", "P")  # not kept, but its number was given
            sink.close()
    assert seqs(recorded(file, Wanted()).events) == [1, 3, 5]


async def test_numbers_that_were_given_before_a_kill_are_not_given_again(file: Path) -> None:
    given = 0
    for _ in range(4):
        with closing(Store(file)) as store:
            journal, _ = journal_of(store)  # its sink is never flushed: it was killed
            for _ in range(RESERVED_AT_ONCE + 5):
                assert journal.add("a", "A").seq > given
            given = journal.cursor


async def test_a_follower_from_before_a_restart_misses_nothing(store: Store) -> None:
    old, sink = journal_of(store)
    cursor = old.add("a", "A").seq
    sink.close()
    new, _ = journal_of(store)
    new.add("b", "B")
    async for each in new.follow(cursor):
        assert each.kind == "b"
        break


# ── reading beside a daemon ─────────────────────────────────────────────────────────────────


def test_events_are_read_beside_a_daemon_that_writes(file: Path, store: Store) -> None:
    store.events.add([event(seq, model="m") for seq in range(1, 6)])
    found = recorded(file, Wanted(limit=2, model="m"))
    assert (seqs(found.events), found.cursor) == ([4, 5], 5)
    none = recorded(file, Wanted(model="n"))
    assert (none.events, none.cursor) == ((), 5)


def test_the_cursor_is_of_the_same_moment_as_the_events(
    file: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that is written in between would be shown twice: from the file, and as it comes."""
    store.events.add([event(1)])
    last = Events.last

    def then_more_happens(events: Events) -> int:
        cursor = last(events)
        store.events.add([event(2)])
        return cursor

    monkeypatch.setattr(Events, "last", then_more_happens)
    found = recorded(file, Wanted())
    assert (seqs(found.events), found.cursor) == ([1], 1)


def test_no_file_no_events(tmp_path: Path) -> None:
    found = recorded(tmp_path / "no" / "sparkwell.db", Wanted())
    assert (found.events, found.cursor) == ((), 0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_from_before_there_were_events(file: Path) -> None:
    with closing(open_database(file)) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert recorded(file, Wanted()).events == ()


@pytest.mark.parametrize("spoil", ["newer", "nonsense"])
def test_files_that_cannot_be_read_say_why(file: Path, spoil: str) -> None:
    if spoil == "newer":
        with closing(open_database(file)) as connection:
            connection.execute("PRAGMA user_version = 99")
    else:
        file.write_bytes(b"this is no database" * 100)
    words = "a newer Sparkwell" if spoil == "newer" else "cannot be read: file is not a database"
    with pytest.raises(EnvironmentFault, match=words) as caught:
        recorded(file, Wanted())
    assert caught.value.hint
