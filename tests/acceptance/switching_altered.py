"""The real daemon with a few things of its machine changed: `python -m … '{"boot_id": "b"}' serve`.

What cannot be had on a test's machine is put in its place: another boot, a clock that jumps, an
engine that may sleep without a GPU. All else is the daemon as it is. The keys are the functions
of ``ALTERATIONS``.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sparkwell.app.daemon import back_ends, building, supervising, terms
from sparkwell.app.guard import guarded
from sparkwell.app.guard.machine_memory import MachineMemory
from sparkwell.app.launching.fetchers import HostFetchers
from sparkwell.app.service import ModelService
from sparkwell.checks import folders
from sparkwell.cli import main
from sparkwell.core.launch import LaunchSpec
from sparkwell.supervisor import breaker
from sparkwell.supervisor.liveness import Rules

JUMP_EVERY_S = 0.7


def put(owner: object, name: str, value: object) -> None:
    """Put something in the place of what is there; an AssertionError when it is not there."""
    assert hasattr(owner, name), f"{owner} has no {name}"
    setattr(owner, name, value)


def boot_id(value: str) -> None:
    """The machine has been booted (again): another name for this boot."""
    put(building, "read_boot_id", lambda: value)


def clock_jumps_s(value: float) -> None:
    """The wall clock jumps ahead by so much, back, further back, back again."""
    real, began = time.time, time.monotonic()
    jumps = (0.0, value, 0.0, -value)
    put(time, "time", lambda: real() + jumps[int((time.monotonic() - began) / JUMP_EVERY_S) % 4])


def sleeps(value: bool) -> None:
    """An engine on the CPU may sleep: the fake one can."""
    if value:
        put(back_ends, "impossible", lambda *_: None)


def slow_prepare_s(value: float) -> None:
    """What comes before a launch takes so long, as a download does."""
    _delay(HostFetchers, "check", value)


def slow_memory_s(value: float) -> None:
    """The memory of an engine that ended comes back so much later."""
    _delay(MachineMemory, "after_end", value)


def liveness(value: dict[str, Any]) -> None:
    """Look at ready engines at another pace."""
    put(supervising, "Rules", lambda: Rules(**value))


def small_disk(value: float) -> None:
    """A start needs no more than so many bytes on the disk, so that a small one will do."""
    put(folders, "STATE_BYTES", int(value))
    put(terms, "STATE_BYTES", int(value))


def stop_grace_s(value: float) -> None:
    """An engine that is asked to end gets so long before it is killed."""
    original = ModelService.launch_spec

    def launch_spec(*arguments: Any) -> LaunchSpec:
        return replace(original(*arguments), stop_grace_s=value)

    put(ModelService, "launch_spec", launch_spec)


def pauses_s(value: float) -> None:
    """A model that failed may try again so soon, until it is left alone."""
    put(breaker, "PAUSES_AFTER_START_S", (value, value))
    put(breaker, "PAUSES_AFTER_CRASH_S", (value, value))


def any_floor(value: bool) -> None:
    """The guard's floors are those of the settings, however large a share of the memory."""
    if value:
        put(guarded, "floors", lambda _total, soft, hard: (soft, hard))


def _delay(owner: type, name: str, seconds: float) -> None:
    original = getattr(owner, name)

    async def delayed(*arguments: Any) -> None:
        await asyncio.sleep(seconds)
        await original(*arguments)

    put(owner, name, delayed)


ALTERATIONS: dict[str, Callable[[Any], None]] = {
    each.__name__: each
    for each in (
        boot_id, clock_jumps_s, sleeps, slow_prepare_s, slow_memory_s, liveness, small_disk,
        stop_grace_s, pauses_s, any_floor,
    )
}  # fmt: skip


if __name__ == "__main__":
    for alteration, given in json.loads(sys.argv.pop(1)).items():
        ALTERATIONS[alteration](given)
    main()
