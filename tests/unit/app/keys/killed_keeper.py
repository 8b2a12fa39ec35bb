"""A daemon's keys, for test_keys_killed.py to kill: `python killed_keeper.py FOLDER`.

For each line on stdin a new process makes, replaces and revokes keys and counts what they use, and
says on stdout what is done, until it is killed. Forked, so that imports are paid for once.
"""

import os
import sys
from itertools import count
from pathlib import Path

from sparkwell.app.keys.keeper import KeyKeeper
from sparkwell.core.keys import KeyWish
from sparkwell.store import Store


def say(*words: object) -> None:
    """One write, so that a kill leaves a whole line or none."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def work_for_ever(folder: Path) -> None:
    file = folder / "sparkwell.db"
    keeper = KeyKeeper(Store(file), file, folder / "keys.used")
    assert keeper.standing != "broken"
    for number in count():
        name = f"k{os.getpid()}-{number}"
        made = keeper.add(KeyWish(name))
        say("good", made.secret)
        keeper.turnstile.enter(made.key, "m").leave(200, 1, 1)
        keeper.flush()
        say("used", 1)
        if number % 2:
            say("leaving", made.secret)
            keeper.revoke(name)
            say("bad", made.secret)


def main() -> None:
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            say("pid", os.getpid())
            work_for_ever(Path(sys.argv[1]))
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
