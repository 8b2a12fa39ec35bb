"""The journal: order, cursor, followers, bounds."""

import asyncio
from itertools import count

from sparkwell.core.events import Event
from sparkwell.supervisor.journal import Journal


def new_journal(limit: int = 2000) -> Journal:
    ticks = count(100)
    return Journal(lambda: float(next(ticks)), limit)


async def take(journal: Journal, cursor: int, number: int) -> list[int]:
    """The numbers of the first few events after the cursor."""
    seen: list[int] = []
    async for event in journal.follow(cursor):
        seen.append(event.seq)
        if len(seen) == number:
            break
    return seen


async def test_events_are_numbered_in_order() -> None:
    journal = new_journal()
    assert journal.cursor == 0
    first = journal.add("a", "A", model="m", instance="i", data={"x": 1})
    second = journal.add("b", "B")
    assert first == Event(1, 100.0, "a", "A", "m", "i", {"x": 1})
    assert second == Event(2, 101.0, "b", "B", None, None, {})
    assert journal.cursor == 2
    assert journal.after(0) == [first, second]


async def test_the_cursor_is_the_last_one_seen() -> None:
    journal = new_journal()
    for _ in range(3):
        journal.add("a", "A")
    assert [event.seq for event in journal.after(1)] == [2, 3]
    assert journal.after(3) == []
    assert journal.after(99) == []


async def test_a_follower_gets_what_was_and_what_comes() -> None:
    journal = new_journal()
    journal.add("a", "A")
    following = asyncio.create_task(take(journal, 0, 3))
    await asyncio.sleep(0)
    assert not following.done()
    journal.add("b", "B")
    journal.add("c", "C")
    assert await asyncio.wait_for(following, 5) == [1, 2, 3]


async def test_all_followers_are_woken() -> None:
    journal = new_journal()
    following = [asyncio.create_task(take(journal, 0, 1)) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    journal.add("a", "A")
    assert await asyncio.wait_for(asyncio.gather(*following), 5) == [[1], [1], [1]]


async def test_no_event_is_lost_to_a_follower_that_is_busy() -> None:
    journal = new_journal()
    journal.add("a", "A")
    seen: list[int] = []
    async for event in journal.follow(0):
        seen.append(event.seq)
        if event.seq == 1:  # while it looks at the first, two more come
            journal.add("b", "B")
            journal.add("c", "C")
            await asyncio.sleep(0)
        if event.seq == 3:
            break
    assert seen == [1, 2, 3]


async def test_only_the_newest_are_kept() -> None:
    journal = new_journal(limit=2)
    for _ in range(5):
        journal.add("a", "A")
    assert journal.cursor == 5
    assert [event.seq for event in journal.after(0)] == [4, 5]


async def test_a_follower_that_is_too_slow_misses_the_old_ones() -> None:
    journal = new_journal(limit=2)
    for _ in range(5):
        journal.add("a", "A")
    assert await asyncio.wait_for(take(journal, 1, 2), 5) == [4, 5]


async def test_numbers_go_on_from_an_earlier_daemon() -> None:
    journal = Journal(lambda: 0.0, seq=41)
    assert (journal.cursor, journal.after(0)) == (41, [])
    assert journal.add("a", "A").seq == 42
    assert await asyncio.wait_for(take(journal, 7, 1), 5) == [42]


async def test_who_follows_from_before_this_daemon_holds_nobody_up() -> None:
    """Its events are in the store: here there are none, and none to wait for in a circle."""
    journal = Journal(lambda: 0.0, seq=41)
    following = asyncio.create_task(take(journal, 7, 1))
    await asyncio.sleep(0.01)  # that it comes back is the test: it froze the whole daemon
    journal.add("a", "A")
    assert await asyncio.wait_for(following, 5) == [42]


async def test_who_knows_of_more_than_there_is_gets_what_comes() -> None:
    """Its numbers are of a store that was lost."""
    journal = Journal(lambda: 0.0, seq=3)
    following = asyncio.create_task(take(journal, 99, 1))
    await asyncio.sleep(0)
    journal.add("a", "A")
    assert await asyncio.wait_for(following, 5) == [4]


async def test_a_sink_is_called_with_each_event_in_order() -> None:
    sunk: list[Event] = []
    journal = Journal(lambda: 0.0, limit=2, sink=sunk.append)
    events = [journal.add("a", "A") for _ in range(5)]
    assert sunk == events
