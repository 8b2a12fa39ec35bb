"""kill -9 at any moment: what was committed is there, nothing is half there."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from sparkwell.store import Store

WRITER = Path(__file__).with_name("killed_writer.py")
BATCH = 7
KILLS = 40


class Said:
    """What a writer had said to be committed when it was killed."""

    def __init__(self) -> None:
        self.begun: dict[int, int] = {}
        self.finished: set[int] = set()
        self.event = 0
        self.residents = 0

    def hear(self, line: str) -> None:
        word, *numbers = line.split()
        match word, [int(number) for number in numbers]:
            case "begun", [intent, seq]:
                self.begun[intent] = seq
            case "finished", [intent]:
                self.finished.add(intent)
            case "event", [seq]:
                self.event = seq
            case "residents", [seq]:
                self.residents = seq


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, str(WRITER), str(tmp_path / "sparkwell.db")]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.communicate(timeout=10)


def kill_one(writer: subprocess.Popen[str], after_lines: int, and_s: float, said: Said) -> int:
    """Start a writer and kill it a moment after it has said so much; the number of its lines.

    Lines, not seconds: on a busy machine it would often be killed before it has begun.
    """
    stdin, stdout = _pipes(writer)
    stdin.write("go\n")
    stdin.flush()
    pid = int(stdout.readline().removeprefix("pid "))
    lines = [stdout.readline() for _ in range(after_lines)]
    time.sleep(and_s)
    os.kill(pid, signal.SIGKILL)
    lines += iter(stdout.readline, "dead\n")
    for line in lines:
        said.hear(line)
    return len(lines)


def _pipes(writer: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert writer.stdin is not None
    assert writer.stdout is not None
    return writer.stdin, writer.stdout


def check(store: Store, said: Said) -> None:
    assert store.fault is None
    assert store.rows("PRAGMA integrity_check") == [("ok",)]
    # Events: all that were said, at most one transaction more, and each transaction whole.
    events = store.events.after()
    assert [each.seq for each in events] == list(range(1, len(events) + 1))
    assert len(events) in (said.event, said.event + BATCH)
    assert all((e.message, e.data) == (f"message {e.seq}", {"n": e.seq}) for e in events)
    # Intents: every one that was begun is there; open is at most the last one.
    rows = store.rows("SELECT id, outcome, instance FROM intents ORDER BY id")
    outcomes = {number: outcome for number, outcome, _ in rows}
    assert said.begun.keys() <= outcomes.keys()
    assert len(outcomes.keys() - said.begun.keys()) <= 1
    assert {outcomes[number] for number in said.finished} <= {"done"}
    assert all(instance == f"m-{said.begun[n]}" for n, _, instance in rows if n in said.begun)
    # Lists: both rows of the same writing.
    residents = store.residents.of_this_boot("boot")
    if said.residents:
        assert len(residents) == 2
    assert len({each.wish for each in residents}) <= 1
    assert all(int(each.wish) >= said.residents for each in residents)


def test_kill_9_loses_nothing_that_was_committed(
    writer: subprocess.Popen[str], tmp_path: Path
) -> None:
    chance = random.Random(5)
    said = Said()
    lines = 0
    for _ in range(KILLS):
        lines += kill_one(writer, chance.randrange(30), chance.uniform(0, 0.003), said)
        with closing(Store(tmp_path / "sparkwell.db")) as store:
            check(store, said)
            said.event = store.events.last()
            for intent in store.intents.open():  # as the next daemon does
                said.begun.setdefault(intent.id, int(str(intent.data["seq"])))
                store.intents.finish(intent.id, "done")
    assert lines > 10 * KILLS  # they were killed at work
    assert not list(tmp_path.glob("*.broken-*"))


def test_kill_9_one_after_the_other_over_the_same_log(
    writer: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Nobody opens the file in between, and some are killed while they create it."""
    chance = random.Random(6)
    for _ in range(10):
        for file in tmp_path.iterdir():
            file.unlink()
        said = Said()
        for _ in range(3):
            kill_one(writer, chance.randrange(4), chance.uniform(0, 0.003), said)
        with closing(Store(tmp_path / "sparkwell.db")) as store:
            assert store.events.last() in range(said.event, said.event + 2 * BATCH * 3)
            assert store.rows("PRAGMA integrity_check") == [("ok",)]
            assert store.fault is None
    assert not list(tmp_path.glob("*.broken-*"))
