"""Instructions that the gateway's own code takes for a request and for an event: `instructions.py`.

Counted by valgrind (Debian's), so that neighbours on the machine change nothing: two runs differ
by less than a percent. What the kernel and the event loop do with sockets is not in it: see run.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from inside import EVENTS

INSIDE = Path(__file__).with_name("inside.py")
_COLLECTED = re.compile(r"Collected : (\d+)")


def instructions(what: str, count: int) -> int:
    """Those of the whole process for so many requests."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable]
    done = subprocess.run(
        [*command, str(INSIDE), what, str(count)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = _COLLECTED.search(done.stderr)
    if found is None:
        raise SystemExit(f"valgrind said nothing of instructions: {done.stderr[-500:]}")
    return int(found[1])


def each(what: str, fewer: int, more: int) -> float:
    """Instructions a request, without start and end of the process."""
    return (instructions(what, more) - instructions(what, fewer)) / (more - fewer)


def main() -> None:
    """Print both."""
    request = each("whole", 100, 500)
    print(f"a request {request:10,.0f}")
    print(f"an event  {each('stream', 4, 24) / EVENTS:10,.0f}")


if __name__ == "__main__":
    main()
