"""Ending an orphan: only the process that was found, and only while it is one."""

import errno
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from sparkwell.checks.engines import END_ORPHAN
from sparkwell.checks.host_parts import Engine
from sparkwell.checks.snapshot import Snapshot
from sparkwell.doctor import fixes_orphans
from sparkwell.doctor.fixes import AFTER_ASKING, FIXES, apply
from sparkwell.doctor.fixes_orphans import end_orphan

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
WAITS = "import time; print(flush=True); time.sleep(60)"
WITH_CHILD = (
    "import subprocess, sys, time;"
    "c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(c.pid, flush=True); time.sleep(60)"
)


class Core:
    """A process that stands for an EngineCore, and how a collector would tell of it."""

    def __init__(self, program: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.said = self.process.stdout.readline().strip()
        started = psutil.Process(self.process.pid).create_time()
        self.engine = Engine("vllm", pid=self.process.pid, orphan=True, started_at=started)

    def look(self, _home: Path | None) -> Sequence[Engine]:
        return [self.engine]

    def end(self) -> None:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                child.kill()
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def core(request: pytest.FixtureRequest) -> Iterator[Core]:
    core = Core(getattr(request, "param", WAITS))
    yield core
    core.end()


def found(engine: Engine) -> Snapshot:
    return Snapshot(time.time(), "test", engines=(engine,))


def test_it_is_asked_to_end(core: Core) -> None:
    fixed = end_orphan(found(core.engine), look=core.look)
    assert (fixed.done, fixed.text) == (True, f"Ended process {core.process.pid}.")
    assert core.process.wait(5) == -15


@pytest.mark.parametrize("core", [STUBBORN + WAITS], indirect=True)
def test_one_that_does_not_listen_is_killed(core: Core) -> None:
    assert end_orphan(found(core.engine), look=core.look, grace_s=0.2).done
    assert core.process.wait(5) == -9


@pytest.mark.parametrize("core", [WITH_CHILD], indirect=True)
def test_its_workers_end_too(core: Core) -> None:
    assert end_orphan(found(core.engine), look=core.look, grace_s=0.2).done
    assert not psutil.pid_exists(int(core.said)) or psutil.Process(int(core.said)).status() in (
        psutil.STATUS_ZOMBIE,
        psutil.STATUS_DEAD,
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"started_at": 1.0}, "not the process that was found"),
        ({"started_at": None}, "not the process that was found"),
        ({"container": "somebody-s"}, "a container's"),
    ],
)
def test_another_process_is_left_alone(core: Core, change: dict[str, Any], why: str) -> None:
    fixed = end_orphan(found(replace(core.engine, **change)), look=core.look)
    assert not fixed.done
    assert why in fixed.text
    assert core.process.poll() is None


@pytest.mark.parametrize("change", [{"orphan": False}, {"pid": 1}])
def test_one_that_is_no_orphan_any_more_is_left_alone(core: Core, change: dict[str, Any]) -> None:
    fixed = end_orphan(found(core.engine), look=lambda _: [replace(core.engine, **change)])
    assert not fixed.done
    assert "no orphan any more" in fixed.text
    assert core.process.poll() is None


def test_an_engine_that_is_no_orphan_is_not_even_looked_at(core: Core) -> None:
    fixed = end_orphan(found(replace(core.engine, orphan=None)), look=core.look)
    assert (fixed.done, fixed.text) == (False, "Ended nothing.")
    assert core.process.poll() is None


def test_one_that_has_ended_meanwhile_is_no_trouble(core: Core) -> None:
    core.end()
    assert end_orphan(found(core.engine), look=core.look).done


def test_no_process_is_ended_unless_somebody_was_asked() -> None:
    """`preflight --fix` and `up` do not ask."""
    assert END_ORPHAN in AFTER_ASKING
    assert END_ORPHAN not in FIXES
    nothing = Snapshot(0.0, "test", engines=())
    assert apply([END_ORPHAN], nothing) == ()
    assert len(apply([END_ORPHAN], nothing, asked=True)) == 1


@pytest.mark.parametrize("core", [WITH_CHILD], indirect=True)
def test_what_it_left_ends_though_it_ended_itself_just_now(core: Core) -> None:
    child = int(core.said)
    with ExitStack() as held:
        tree = [fixes_orphans._hold(held, core.process.pid), fixes_orphans._hold(held, child)]
        core.process.kill()
        core.process.wait(10)
        assert fixes_orphans._end(tree, 0.1) is None
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"


def test_one_that_cannot_be_held_is_told(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_handles(_pid: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("os.pidfd_open", no_handles)
    fixed = end_orphan(found(core.engine), look=core.look)
    assert not fixed.done
    assert "cannot be held: Function not implemented" in fixed.text
