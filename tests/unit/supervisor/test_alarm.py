"""The alarm: it rings for what time alone allows, also for what has just fallen due."""

import asyncio
from dataclasses import replace

import pytest

from sparkwell.supervisor.alarm import Alarm
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.messages import Tick
from sparkwell.supervisor.terms import Terms

IDLE = Instance("i", "m", State.READY, terms=Terms(idle_s=10.0), ready_at=0.0, idle_since=90.0)


async def rings(now: float, clock: float, idle_since: float = 90.0) -> bool:
    """Whether it rings at once after a step at ``now``, when the clock says so much already."""
    rang = asyncio.Event()
    alarm = Alarm(lambda: clock, rang.set)
    box = Box((replace(IDLE, idle_since=idle_since),))
    alarm.after(Tick(), box, box, now)
    for _ in range(3):
        await asyncio.sleep(0)
    alarm.cancel()
    return rang.is_set()


@pytest.mark.parametrize(
    ("now", "clock", "at_once"),
    [
        (99.0, 99.1, False),
        (99.9, 100.1, True),  # it fell due after the step had looked
        (100.0, 100.1, False),  # the step has seen to it
    ],
)
async def test_what_falls_due_between_a_step_and_its_alarm_is_not_missed(
    now: float, clock: float, at_once: bool
) -> None:
    assert await rings(now, clock) is at_once


async def test_who_may_stay_for_ever_needs_no_alarm() -> None:
    alarm = Alarm(lambda: 0.0, lambda: None)
    box = Box((replace(IDLE, terms=Terms()),))
    alarm.after(Tick(), box, box, 0.0)
    assert alarm._timer is None


async def test_what_is_due_already_may_be_asked_for_twice() -> None:
    """In one breath: several requests come while a model has just become ready."""
    rang = asyncio.Event()
    alarm = Alarm(lambda: 100.1, rang.set)
    box = Box((IDLE,))
    for _ in range(2):
        alarm.after(Tick(), box, box, 99.9)
    async with asyncio.timeout(1):
        await rang.wait()
    alarm.cancel()
