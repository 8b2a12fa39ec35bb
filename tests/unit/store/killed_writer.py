"""A daemon's writes, for test_killed.py to kill: `python killed_writer.py FILE`.

For each line on stdin a new process writes to the store until it is killed, and says on stdout
what has been committed. Forked, so that Python and its imports are paid for once.
"""

import os
import sys
from pathlib import Path

from sparkwell.core.events import Event
from sparkwell.store import BreakerRow, Resident, Store

BATCH = 7


def say(*words: object) -> None:
    """One write, so that a kill leaves a whole line or none."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def write_for_ever(file: Path) -> None:
    store = Store(file)
    seq = store.events.cursor()
    say("opened", seq)
    while True:
        intent = store.intents.begin("switch", "m", f"m-{seq}", {"seq": seq})
        say("begun", intent, seq)
        batch = range(seq + 1, seq + 1 + BATCH)
        store.events.add([Event(n, float(n), "a", f"message {n}", data={"n": n}) for n in batch])
        seq += BATCH
        say("event", seq)
        store.residents.set([Resident("m", str(seq), 0), Resident("n", str(seq), 1)], "boot")
        say("residents", seq)
        store.breakers.save(BreakerRow("m", 1, float(seq), "why", "m-1"))
        store.intents.finish(intent, "done")
        say("finished", intent)


def main() -> None:
    file = Path(sys.argv[1])
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            say("pid", os.getpid())  # before anything else that it says
            write_for_ever(file)
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
