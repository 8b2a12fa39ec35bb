"""kill -9 at any moment: a secret that was shown is good, one that was revoked is not."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sparkwell.app.keys.keeper import KeyKeeper
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.store import Store, UsageQuery

WRITER = Path(__file__).with_name("killed_keeper.py")
KILLS = 15


class Said:
    """What the killed ones had said."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.unsure: set[str] = set()
        self.bad: set[str] = set()
        self.used = 0

    def hear(self, line: str) -> None:
        word, value = line.split()
        match word:
            case "good":
                self.good.add(value)
            case "leaving":
                self.good.discard(value)
                self.unsure.add(value)
            case "bad":
                self.unsure.discard(value)
                self.bad.add(value)
            case "used":
                self.used += 1


def kill_one(writer: subprocess.Popen[str], after_lines: int, and_s: float, said: Said) -> None:
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("go\n")
    writer.stdin.flush()
    pid = int(writer.stdout.readline().removeprefix("pid "))
    lines = [writer.stdout.readline() for _ in range(after_lines)]
    time.sleep(and_s)
    os.kill(pid, signal.SIGKILL)
    lines += iter(writer.stdout.readline, "dead\n")
    for line in lines:
        said.hear(line)


def test_what_was_said_holds_after_any_kill(tmp_path: Path) -> None:
    dice, said = random.Random(8), Said()
    words = [sys.executable, str(WRITER), str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as writer:
        for _ in range(KILLS):
            kill_one(writer, dice.randrange(12), dice.random() * 0.02, said)
            check(tmp_path, said)
        writer.communicate(timeout=10)
    assert said.good
    assert said.bad


def check(folder: Path, said: Said) -> None:
    file = folder / "sparkwell.db"
    with closing(Store(file)) as store:
        keeper = KeyKeeper(store, file, folder / "keys.used")
        assert keeper.standing in (("some",) if said.good | said.bad else ("none", "some"))
        for secret in said.good:
            assert keeper.book.of(secret)
        for secret in said.bad:
            with pytest.raises(KeyRefusedError, match="was revoked"):
                keeper.book.of(secret)
        counted = sum(row.requests for row in store.usage.rows(UsageQuery()))
        assert said.used <= counted <= said.used + KILLS
